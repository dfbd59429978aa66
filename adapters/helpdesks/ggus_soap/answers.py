"""What a partner is shown of a ticket, in the fields of GGUS: now, and as a row per change.

The classic history is a snapshot after each change, which is folded from the events here. What a partner
is not told by message (``domain.disclosure``) it does not find here either.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from adapters.helpdesks.ggus_soap.mapping import parted
from adapters.kit.ghd import words
from adapters.kit.ghd.outgoing import DIARY
from adapters.kit.words import priority_there, status_there, unit_there
from domain.aggregate import Event
from domain.content import Sealed
from domain.disclosure import ECHO, told
from domain.exchange import Exchange
from domain.helpdesk import Policy
from domain.lifecycle import OPEN, Status
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from domain.words import Words

ERASED: Final = "(erased)"
_STAMP: Final = "%Y-%m-%d %H:%M:%S"

Fields = dict[str, str]
Events = Sequence[Event]
Texts = Mapping[UUID, str]


class Viewer(Struct, frozen=True, kw_only=True):
    """Who looks at which ticket."""

    helpdesk: str
    policy: Policy
    exchange: Exchange
    our_name: str
    words: Words
    """The viewer's."""


def shown(event: Event, viewer: Viewer) -> bool:
    """Whether the viewer knows of it: told, or its own doing."""
    if (
        isinstance(event, Ticket.Commented | Ticket.Attached)
        and event.visibility != Visibility.PUBLIC.value
    ):
        return False
    verdict = told(event, viewer.helpdesk, viewer.policy)
    return isinstance(event, Ticket.Opened) or verdict.disclosed or verdict is ECHO


def references(events: Iterable[Event], viewer: Viewer) -> list[Sealed]:
    """The texts that are needed to show these events."""
    found: list[Sealed | None] = []
    for event in events:
        if isinstance(event, Ticket.Opened):
            found += [event.subject, event.description]
        elif isinstance(event, Ticket.Solved | Ticket.FoundUnsolvable):
            found.append(event.solution)
        elif shown(event, viewer):
            found.append(_entry(event))
    return [each for each in found if each is not None]


def present(events: Events, viewer: Viewer, texts: Texts) -> Fields:
    """The ticket as it is now, with all public entries."""
    ticket = Ticket.replay(events[0].originator_id, events)
    visible = [event for event in events if shown(event, viewer)]
    entries = [_text(entry, texts) for event in visible if (entry := _entry(event)) is not None]
    fields = _snapshot(
        ticket, visible[-1], max(each.occurred_at for each in visible), viewer, texts
    )
    return fields | {"GHD_Public_Diary": "\n\n".join(entries)}


def history(events: Events, viewer: Viewer, texts: Texts, *, first: int, most: int) -> list[Fields]:
    """Rows from ``first`` (counted from 0), at most so many, oldest first."""
    rows = []
    for place, (ticket, event) in enumerate(_changes(events, viewer)):
        if place >= first + most:
            break
        if place >= first:
            row = _snapshot(ticket, event, ticket.at, viewer, texts)
            rows.append(row | {"GHD_Public_Diary": _text(_entry(event), texts)})
    return rows


def _changes(events: Events, viewer: Viewer) -> Iterator[tuple[Ticket, Event]]:
    """The ticket just after each event that the viewer knows of. It is the same ticket, moving on."""
    ticket = Ticket(events[0].originator_id)
    for event in events:
        ticket.apply(event)
        if shown(event, viewer):
            yield ticket, event


def _entry(event: Event) -> Sealed | None:
    """The text of an event that is a public entry."""
    if isinstance(event, Ticket.Reclassified):
        return event.justification
    name = DIARY.get(type(event))
    sealed: Sealed | None = getattr(event, name) if name else None
    return sealed


def _snapshot(ticket: Ticket, event: Event, at: datetime, viewer: Viewer, texts: Texts) -> Fields:
    by_viewer = event.provenance.actor == f"helpdesk:{viewer.helpdesk}"
    return about(
        ticket.number, ticket.status, viewer.exchange.external_id,
        viewer.exchange.external_reference, viewer.our_name, viewer.words,
    ) | {
        "GHD_Responsible_Unit": unit_there(viewer.words, ticket.unit),
        "GHD_Priority": priority_there(viewer.words, ticket.priority),
        "GHD_Type_Of_Problem": ticket.issue_type,
        "GHD_Ticket_Category": ticket.category,
        "GHD_Ticket_Type": ticket.type.value,
        "GHD_Experiment": ticket.vo or "none",
        "GHD_Experiment_Specific_Problem": "Yes" if ticket.vo_specific else "No",
        "GHD_Affected_Site": ticket.notified_site or ticket.affected_site,
        "GHD_Short_Description": _text(ticket.subject, texts),
        "GHD_Description": _text(ticket.description, texts),
        "GHD_Detailed_Solution": _text(ticket.solution, texts),
        "GHD_Date_Of_Creation": stamp(ticket.opened_at),
        "GHD_Date_Of_Change": stamp(at),
        "GHD_Date_Time_Of_Problem": words.problem_text(ticket.opened_at),
        "GHD_Remind_On": ticket.remind_on.isoformat() if ticket.remind_on else "",
        "GHD_Last_Modifier": viewer.helpdesk if by_viewer else viewer.our_name,
    }  # fmt: skip


def about(
    number: int, status: Status, external_id: str, reference: str, our_name: str, tables: Words
) -> Fields:
    """What identifies a ticket, in lists too."""
    group, origin = parted(external_id)
    return {
        "GHD_Request-ID": str(number),
        "GHD_Status": status_there(tables, status),
        "GHD_Meta_Status": "Open" if status in OPEN else "Closed",
        "GHD_Origin_ID": origin or str(number),
        "GHD_Origin_SG": group if origin else our_name,
        "GHD_Target_ID": reference,
    }


def stamp(at: datetime) -> str:
    """UTC: the interface names no zone."""
    return at.astimezone(UTC).strftime(_STAMP)


def _text(sealed: Sealed | None, texts: Texts) -> str:
    return "" if sealed is None else texts.get(sealed.id, ERASED)
