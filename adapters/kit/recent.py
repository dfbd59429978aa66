"""What this process wrote or read of conversations lately, in memory, so that the next message needs no question.

A decision on it is safe: storing fails where another process was faster, and then it is forgotten. Who would
decide nothing because of it asks the store first. What the log told (``history``) is so for ever.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import Final
from uuid import UUID

from domain.content import Sealed
from domain.exchange import Direction, Exchange, Message
from domain.store import Recorded

_CONVERSATIONS_MAX: Final = 2_000
_BODIES_MAX: Final = 512
_BYTES_MAX: Final = 32 << 10
"""Longer messages are read again: they are rare, and memory is not for them."""
_BODY_S: Final = 10.0
"""What is erased is gone from here as well after this."""


class Recent:
    def __init__(self) -> None:
        self._kept: OrderedDict[UUID, Exchange] = OrderedDict()
        self._about: dict[tuple[str, int | str], UUID] = {}
        self._expected: dict[UUID, int] = {}
        """Versions that are on their way to the store from here."""
        self._landing: dict[UUID, list[asyncio.Future[None]]] = {}
        """Who waits until it is known what became of that."""
        self._reading: dict[UUID, list[object]] = {}
        """Who reads a conversation from the store just now, and was not overtaken yet."""
        self._bodies: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._page: Sequence[Recorded] = ()
        """Of the log, which is followed now."""
        self._begun: dict[UUID, list[Recorded]] | None = None
        """Streams that begin in it; found out for the first who asks."""

    def kept(self, stream: UUID) -> Exchange | None:
        """The conversation, to be decided on; None where it is not known, or another version is on its way."""
        found = self.seen(stream)
        return found.fork() if found else None

    def seen(self, stream: UUID) -> Exchange | None:
        """The same, to be read and not to be changed."""
        return None if stream in self._expected else self._kept.get(stream)

    def begin_reading(self, stream: UUID) -> object:
        """Somebody reads it from the store, and has to say when that has ended."""
        mark = object()
        self._reading.setdefault(stream, []).append(mark)
        return mark

    def end_reading(self, stream: UUID, mark: object) -> bool:
        """Whether nobody wrote, and the log told of no more, meanwhile: else the reading is not to be kept."""
        marks = self._reading.get(stream, [])
        if mark not in marks:
            return False
        marks.remove(mark)
        if not marks:
            del self._reading[stream]
        return stream not in self._expected

    def expect(self, exchange: Exchange) -> None:
        """It is about to be stored like this: the log may tell of it before ``keep``. Ends with that, or ``forget``."""
        self._reading.pop(exchange.id, None)
        self._expected[exchange.id] = exchange.version

    def keep(self, exchange: Exchange) -> None:
        """It is stored like this; from now on nobody decides on this very object."""
        self._land(exchange.id)
        known = self._kept.get(exchange.id)
        if known is not None:
            if known.version >= exchange.version:
                return
            self._forget_names(known)
        self._kept[exchange.id] = exchange
        self._kept.move_to_end(exchange.id)
        for name in (exchange.number, exchange.external_id):
            if name:
                self._about[exchange.helpdesk, name] = exchange.id
        if len(self._kept) > _CONVERSATIONS_MAX:
            self._forget_names(self._kept.popitem(last=False)[1])

    def forget(self, stream: UUID) -> None:
        """Somebody else wrote to it, or may have."""
        self._land(stream)
        self._reading.pop(stream, None)
        if known := self._kept.pop(stream, None):
            self._forget_names(known)

    async def landed(self, stream: UUID) -> None:
        """Return when nothing of this conversation is on its way to the store from here."""
        while stream in self._expected:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._landing.setdefault(stream, []).append(future)
            await future

    def _land(self, stream: UUID) -> None:
        if self._expected.pop(stream, None) is not None:
            for each in self._landing.pop(stream, ()):
                if not each.done():
                    each.set_result(None)

    def forget_all(self) -> None:
        for stream in list(self._expected):
            self._land(stream)
        self._kept.clear()
        self._about.clear()
        self._reading.clear()

    def follow(self, stream: UUID, version: int) -> None:
        """The log tells of this version: what is known must not be older."""
        known = self._kept.get(stream)
        if known is None:
            self._reading.pop(stream, None)
        elif max(known.version, self._expected.get(stream, 0)) < version:
            self.forget(stream)

    def idle(self, stream: UUID, direction: Direction) -> bool:
        """Whether no message is known to wait. Who learns of one from elsewhere learns it from the log."""
        known = self.seen(stream)
        return known is not None and known.next_message(direction) is None

    def about(self, helpdesk: str, name: int | str) -> UUID | None:
        """The conversation about our number, or about their identifier, as long as that is its only one."""
        return self._about.get((helpdesk, name))

    def _forget_names(self, exchange: Exchange) -> None:
        for name in (exchange.number, exchange.external_id):
            if self._about.get((exchange.helpdesk, name)) == exchange.id:
                del self._about[exchange.helpdesk, name]

    # -- events --------------------------------------------------------------------------------------

    def tell(self, page: Sequence[Recorded]) -> None:
        """The log tells of these events now, one after the other and none between them."""
        self._page, self._begun = page, None

    def history(self, stream: UUID, until_position: int) -> list[Recorded]:
        """The events of a stream up to a position, oldest first, where it began in the page; empty where not."""
        if not self._page or until_position > self._page[-1].position:
            return []
        if self._begun is None:
            self._begun = _begun(self._page)
        return [each for each in self._begun.get(stream, ()) if each.position <= until_position]

    # -- bytes ---------------------------------------------------------------------------------------

    def remember(self, message: Message, body: bytes) -> None:
        """What was just stored as the bytes of this message."""
        if message.raw is not None:
            self.remember_content(message.raw.id, body)

    def remember_content(self, id_: UUID, body: bytes) -> None:
        """What was just stored under this identifier."""
        if len(body) <= _BYTES_MAX:
            self._bodies[id_] = monotonic() + _BODY_S, body
            if len(self._bodies) > _BODIES_MAX:
                self._bodies.popitem(last=False)

    def body(self, sealed: Sealed) -> bytes | None:
        """The bytes of a message or a text; None where they must be read."""
        until, body = self._bodies.get(sealed.id, (0.0, b""))
        return body if until > monotonic() else None


def _begun(page: Sequence[Recorded]) -> dict[UUID, list[Recorded]]:
    """The streams that begin in this page, and their events."""
    begun: dict[UUID, list[Recorded]] = {}
    for recorded in page:
        event = recorded.event
        if event.originator_version == 1:
            begun[event.originator_id] = [recorded]
        elif event.originator_id in begun:
            begun[event.originator_id].append(recorded)
    return begun
