"""What is read beside a conversation, in step with its messages: its ticket, and the contents that they refer to."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event
from domain.content import Sealed
from domain.formats import decode
from domain.identifiers import ticket_id
from domain.ticket import Ticket
from replay.outcomes import Decided
from replay.streams import Ask, Placed, Row

BODIES: Final = "SELECT id, body FROM ledger.content WHERE id = ANY(%b)"
_CHUNK_BYTES: Final = 8_000_000
_CHUNK_MESSAGES: Final = 1_000


class Kept(Struct, frozen=True, gc=False):
    """A message of the conversation. It is one and the same object for the messages after it, mostly."""

    body: bytes


class History:
    """A ticket that moves on from case to case."""

    def __init__(self, number: int, rows: Iterable[Row]) -> None:
        # All at once: one by one, between messages that are read, each would cost twice as much.
        self._events = [Placed(position, decode(state)) for _, position, state in rows]
        self._next = 0
        self._ticket = Ticket(ticket_id(number) if number else UUID(int=0))
        self.changes: dict[str, Placed] = {}
        """The last change of each field so far."""

    def before(self, outcome: Decided) -> Ticket | None:
        """The ticket without what the message itself brought about: that was recorded together with the outcome."""
        while self._next < len(self._events):
            placed = self._events[self._next]
            own = placed.event.provenance.command_id == outcome.command
            if own or placed.position > outcome.position:
                break
            self._move_on(placed)
        return self._ticket if self._ticket.version else None

    def whole(self) -> Ticket | None:
        for placed in self._events[self._next :]:
            self._move_on(placed)
        return self._ticket if self._ticket.version else None

    def _move_on(self, placed: Placed) -> None:
        event = placed.event
        self._ticket.apply(event)
        for field in _FIELDS.get(type(event), ()):
            self.changes[field] = placed
        if isinstance(event, Ticket.Reclassified):
            self.changes[event.field] = placed
        self._next += 1


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

    def __init__(self, ask: Ask, needed: Sequence[Decided]) -> None:
        self._ask, self._needed = ask, needed
        self._at = self._fetched = 0
        self._held: dict[int, Kept] = {}

    async def ahead(self) -> None:
        """Fetch what comes next."""
        size, ids = 0, dict[int, UUID]()
        first = self._fetched
        while self._fetched < len(self._needed) and (
            self._fetched == first
            or (size < _CHUNK_BYTES and self._fetched < first + _CHUNK_MESSAGES)
        ):
            message = self._needed[self._fetched]
            for sealed in (message.raw, message.heard, message.told):
                if sealed is not None and sealed.id.int not in ids:
                    ids[sealed.id.int] = sealed.id
                    size += sealed.size
            self._fetched += 1
        rows = await self._ask(BODIES, [list(ids.values())])
        self._held = {id_.int: Kept(body) for id_, body in rows}

    async def next(self) -> tuple[Kept | None, Kept | None, Kept | None]:
        """What the next message refers to: itself, heard, told; None for what was erased, and for nothing."""
        if self._at == self._fetched:
            await self.ahead()
        message = self._needed[self._at]
        self._at += 1
        return self._kept(message.raw), self._kept(message.heard), self._kept(message.told)

    def _kept(self, sealed: Sealed | None) -> Kept | None:
        return None if sealed is None else self._held.get(sealed.id.int)
