"""What is read beside a conversation, in step with its messages: its ticket, and the contents that they refer to."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event
from domain.content import Sealed
from domain.identifiers import ticket_id
from domain.store import Recorded
from domain.ticket import Ticket

Ask = Callable[[LiteralString, Sequence[Any]], Awaitable[list[tuple[Any, ...]]]]
"""Puts one statement to the database."""

BODIES: Final = "SELECT id, body FROM ledger.content WHERE id = ANY(%b)"
_CHUNK_BYTES: Final = 8_000_000
_CHUNK_MESSAGES: Final = 1_000


class Kept(Struct, frozen=True):
    """A message of the conversation."""

    id: UUID
    body: bytes


class History:
    """A ticket that moves on from case to case."""

    def __init__(self, number: int, histories: dict[UUID, list[Recorded]]) -> None:
        stream = ticket_id(number) if number else UUID(int=0)
        self._events = histories.get(stream, []) if number else []
        self._ticket = Ticket(stream)
        self._next = 0
        self.changes: dict[str, Recorded] = {}
        """The last change of each field so far."""

    def before(self, outcome: Recorded) -> Ticket | None:
        """The ticket without what the message itself brought about: that was recorded together with the outcome."""
        command = outcome.event.provenance.command_id
        while self._next < len(self._events):
            recorded = self._events[self._next]
            own = recorded.event.provenance.command_id == command
            if recorded.position > outcome.position or own:
                break
            self._apply(recorded)
            self._next += 1
        return self._ticket if self._ticket.version else None

    def whole(self) -> Ticket | None:
        for recorded in self._events[self._next :]:
            self._apply(recorded)
        self._next = len(self._events)
        return self._ticket if self._ticket.version else None

    def _apply(self, recorded: Recorded) -> None:
        event = recorded.event
        self._ticket.apply(event)
        for field in _FIELDS.get(type(event), ()):
            self.changes[field] = recorded
        if isinstance(event, Ticket.Reclassified):
            self.changes[event.field] = recorded


_MOVES: Final = (
    Ticket.WorkStarted, Ticket.ReplyRequested, Ticket.SubmitterReplied, Ticket.PutOnHold, Ticket.Solved,
    Ticket.FoundUnsolvable, Ticket.Verified, Ticket.Reopened, Ticket.Closed,
)  # fmt: skip
_FIELDS: Final[Mapping[type[Event], Sequence[str]]] = MappingProxyType({
    Ticket.Opened: ("state", "unit", "priority", "category", "issue_type", "vo", "affected_site"),
    Ticket.HandedOver: ("unit",),
    Ticket.Assigned: ("unit", "state"),
    **dict.fromkeys(_MOVES, ("state",)),
})  # fmt: skip
"""What an event changes; a reclassification says so itself."""


class Bodies:
    """The contents of messages in the order in which they are needed, some megabytes ahead."""

    def __init__(self, ask: Ask, needed: Sequence[Sequence[Sealed]]) -> None:
        """``needed``: what each case refers to."""
        self._ask, self._needed = ask, needed
        self._at = 0
        self._held: dict[UUID, bytes] = {}
        self._asked: set[UUID] = set()

    async def kept(self, *wanted: Sealed | None) -> list[Kept | None]:
        """What one case refers to; None for what was erased."""
        if any(sealed and sealed.id not in self._asked for sealed in wanted):
            await self.ahead()
        return [self._kept(sealed) if sealed else None for sealed in wanted]

    def _kept(self, sealed: Sealed) -> Kept | None:
        assert sealed.id in self._asked, "contents are asked for in the order of the cases"
        body = self._held.get(sealed.id)
        return None if body is None else Kept(sealed.id, body)

    async def ahead(self) -> None:
        """Fetch what comes next."""
        size, ids = 0, set[UUID]()
        first = self._at
        while self._at < len(self._needed) and (
            self._at == first or (size < _CHUNK_BYTES and self._at < first + _CHUNK_MESSAGES)
        ):
            for sealed in self._needed[self._at]:
                if sealed.id not in ids:
                    ids.add(sealed.id)
                    size += sealed.size
            self._at += 1
        self._held = dict(await self._ask(BODIES, [list(ids)]))
        self._asked = ids
