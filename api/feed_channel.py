"""The live end of one feed: what is new is rendered once, and written to all who wait for it.

A follower keeps nothing but its place. What it has not read yet stands in a ring, or in the feed itself, so one
that reads slowly costs no memory, and one that falls out of the ring is told so and has to come again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from api.joining import framed
from domain.feeds import RESTORED
from projections.feed_pages import CloudEvent, rendered

RING_MAX: Final = 2_000


class Reader(Struct, eq=False):
    """One that is written to without being asked, while it waits at the end of a feed."""

    place: int
    """The last sequence that it has been sent."""
    write_now: Callable[[bytes], bool]
    """Takes a framed piece; False when it cannot take it now."""


def sse(event: CloudEvent) -> bytes:
    """An entry as a server-sent event; JSON of ours has no line breaks."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (
        event.data.sequence, event.type.encode(), rendered(event),
    )  # fmt: skip


class Channel:
    """The live end of one feed."""

    def __init__(self, helpdesk: str) -> None:
        self.helpdesk = helpdesk
        self.last = 0
        self.position = 0
        """All that the log led to up to here has been published."""
        self.followers = 0
        self.closed = False
        self._ring: deque[bytes] = deque(maxlen=RING_MAX)
        self._waiting: list[tuple[asyncio.Future[None], Reader | None]] = []
        self._joined: tuple[int, bytes] = (0, b"")

    def covers(self, after: int) -> bool:
        """Whether the ring holds all that follows ``after``."""
        return after >= self.last - len(self._ring)

    def since(self, after: int) -> bytes:
        """All that follows ``after``, as it is sent. Followers at the same place get the same bytes."""
        if self._joined[0] != after:
            missing = range(after - self.last, 0)  # from the end: it is near, and a deque is long
            self._joined = after, b"".join([self._ring[place] for place in missing])
        return self._joined[1]

    def publish(self, events: Sequence[CloudEvent]) -> None:
        if not events:
            return
        before = self.last
        for event in events:
            sequence = event.data.sequence
            if sequence != self.last + 1:  # after a loss: followers read on in the feed itself
                assert event.data.event.topic == RESTORED
                self.begin(sequence)
                continue
            self._ring.append(sse(event))
            self.last = sequence
        self._joined = self.last, b""
        self._pass_on(before)

    def begin(self, last: int) -> None:
        """The feed is so long now, and nothing of it is in the ring."""
        self._ring.clear()
        self._joined = 0, b""
        self.last = last

    def wake(self) -> None:
        """Let all followers look: there is something new, or it is time for a ping."""
        waiting, self._waiting = self._waiting, []
        for future, _ in waiting:
            if not future.done():
                future.set_result(None)

    def _pass_on(self, before: int) -> None:
        """Write what is new to all readers that have all before it; wake those where that is not enough."""
        waiting, self._waiting = self._waiting, []
        piece = framed(self.since(before)) if self.covers(before) else b""
        for future, reader in waiting:
            if future.done():
                continue
            if reader is not None and piece and reader.place == before and reader.write_now(piece):
                reader.place = self.last
                self._waiting.append((future, reader))
            else:
                future.set_result(None)

    def look(self, reader: Reader | None = None) -> asyncio.Future[None]:
        """Is done with the next ``wake``, or when there is something new that could not be written to ``reader``."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, reader))
        return future

    async def wait(self, after: int, timeout_s: float) -> bool:
        """Wait until there is something after a sequence; whether there is."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.last <= after and not self.closed:
                    await self.look()
        except TimeoutError:
            return False
        return self.last > after
