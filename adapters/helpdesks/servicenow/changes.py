"""From incidents, journal entries and files to the documents that are kept."""

from msgspec import structs

from adapters.helpdesks.servicenow.documents import (
    DOCUMENTS,
    Entry,
    Theirs,
    TheirTicket,
    event_id,
)
from adapters.helpdesks.servicenow.rows import AttachmentRow, Incident, JournalRow, instant
from adapters.kit.documents import ours
from adapters.kit.interface import Incoming

_TEXT_CHARACTERS_MAX = 200_000


class Reader:
    def __init__(self, our_name: str, account: str) -> None:
        """``account``: who we are there. What it did is not told."""
        self._our_name, self._account = our_name, account

    def our_id(self, row: Incident) -> str:
        """Our number; not another installation's."""
        return ours(row.correlation_id, self._our_name)

    def by_us(self, row: AttachmentRow) -> bool:
        return row.sys_created_by == self._account

    def messages(self, row: Incident, entries: list[JournalRow]) -> list[Incoming]:
        """The incident as it is now, then what was written at it, which bears the same columns."""
        written = [self._entry(row, each) for each in entries if not self._ours(each)]
        if not written and self._nothing_but_ours(row):
            return []
        return [self._incident(row), *written]

    def file(self, row: AttachmentRow, incident: Incident, entry: Entry) -> Incoming:
        """``entry``: the file."""
        return self._beside(f"attachment:{row.sys_id}", incident, row.sys_created_on, entry)

    def _ours(self, entry: JournalRow) -> bool:
        return entry.sys_created_by == self._account or bool(event_id(entry.value))

    def _nothing_but_ours(self, row: Incident) -> bool:
        """Our own change, unless the state is one that we did not set: then it hides somebody else's."""
        told = self._told_state(row).partition("/")[0]
        return row.sys_updated_by == self._account and row.state == told

    def _incident(self, row: Incident) -> Incoming:
        document = Theirs(
            ticket=self._ticket(row), mod_count=row.sys_mod_count, at=row.sys_updated_on,
            by_us=row.sys_updated_by == self._account,
        )  # fmt: skip
        return _message(f"incident:{row.key}", document)

    def _entry(self, row: Incident, entry: JournalRow) -> Incoming:
        said = Entry(
            id=entry.sys_id, public=entry.element == "comments",
            text=entry.value[:_TEXT_CHARACTERS_MAX],
            by_caller=bool(row.caller) and entry.sys_created_by == row.caller,
        )  # fmt: skip
        return self._beside(f"journal:{entry.sys_id}", row, entry.sys_created_on, said)

    def _beside(self, name: str, row: Incident, at: str, entry: Entry) -> Incoming:
        """What came at an incident, without the texts of its own."""
        ticket = structs.replace(self._ticket(row), description="", close_notes="")
        return _message(
            name, Theirs(ticket=ticket, mod_count=row.sys_mod_count, at=at, entry=entry)
        )

    def _ticket(self, row: Incident) -> TheirTicket:
        return TheirTicket(
            sys_id=row.sys_id, number=row.number, state=row.word, priority=row.priority,
            group=row.group, short_description=row.short_description[:_TEXT_CHARACTERS_MAX],
            description=row.description[:_TEXT_CHARACTERS_MAX], correlation_id=self.our_id(row),
            told_state=self._told_state(row),
            close_notes=row.close_notes[:_TEXT_CHARACTERS_MAX],
            caller_mail=row.caller_mail, caller_name=row.caller_name,
        )  # fmt: skip

    def _told_state(self, row: Incident) -> str:
        name, _, state = row.correlation_display.partition(" ")
        return state if name == self._our_name else ""


def _message(name: str, document: Theirs) -> Incoming:
    return Incoming(message_id=name, raw=DOCUMENTS.write(document), sent_at=instant(document.at))
