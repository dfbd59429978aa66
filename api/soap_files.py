"""The files of a ticket for SOAP clients: what their helpdesk may see of them, in the fields of GGUS_ATTACH."""

from adapters.helpdesks.ggus_soap import answers, files
from domain.content import sha256_of
from domain.errors import TooLarge
from domain.store import EventStore
from domain.ticket import Ticket

Rows = list[dict[str, str]]


async def rows(
    store: EventStore,
    events: answers.Events,
    viewer: answers.Viewer,
    *,
    version: int = 0,
    with_data: bool = False,
) -> Rows:
    """A row per file, oldest first; of one ``version`` only where it is given. Raises ``TooLarge``."""
    ticket = Ticket.replay(events[0].originator_id, events)
    kept = {each.version for each in ticket.files}
    chosen = [
        event
        for event in events
        if isinstance(event, Ticket.Attached)
        and event.originator_version in kept
        and event.originator_version == (version or event.originator_version)
        and answers.shown(event, viewer)
    ]
    size = sum(each.file.size for each in chosen)
    if with_data and size > files.ANSWER_BYTES_MAX:
        most = files.ANSWER_BYTES_MAX
        raise TooLarge(f"{size} bytes of files, at most {most} are in one answer")
    wanted = [each.name.id for each in chosen]
    wanted += [each.file.id for each in chosen if with_data]
    found = await store.contents(wanted)
    told: Rows = []
    for each in chosen:
        identifier = files.named(ticket.number, each.originator_version)
        by_viewer = each.provenance.actor == f"helpdesk:{viewer.helpdesk}"
        row = {
            files.ID: identifier,
            files.LISTED_ID: identifier,
            files.TOLD_NAME: found[each.name.id].text()
            if each.name.id in found
            else answers.ERASED,
            files.TOLD_SIZE: str(each.file.size),
            files.MODIFIER: viewer.helpdesk if by_viewer else viewer.our_name,
        }
        if with_data and each.file.id in found:
            row[files.TOLD_DATA] = files.written(found[each.file.id].body)
        told.append(row)
    return told


def identifier(ticket: Ticket, fields: dict[str, str]) -> str:
    """Of the file that a call brought, whoever brought it first; empty where the ticket did not take it."""
    sha256 = sha256_of(files.brought(fields).body)
    for each in ticket.files:
        if each.file.sha256 == sha256 and each.visibility == "public":
            return files.named(ticket.number, each.version)
    return ""
