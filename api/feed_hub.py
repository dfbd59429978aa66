"""Feeds, live: every new entry is read once for all who follow, in this process."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from adapters.store.connection import Connection
from api.feed_channel import RING_MAX, Channel
from api.problems import BadRequest
from projections import feed_pages, feed_recent
from projections.feed_pages import CloudEvent
from projections.feed_recent import RecentEntries

PING_S: Final = 15.0
FOLLOWERS_MAX: Final = 500
"""Streams and long waits of one partner in one process."""
_PAGE: Final = 200
_WAIT_S: Final = 1.0
_TROUBLE_S: Final = 0.05

Ask = Callable[[Callable[[Connection], Awaitable[Any]]], Awaitable[Any]]


class Wakeup(Protocol):
    async def wait(self, after: int, timeout: float, /) -> int: ...  # noqa: ASYNC109 - running out is an answer


class Progress(Protocol):
    async def wait_for(self, position: int, timeout_s: float, names: Sequence[str], /) -> bool: ...


class FeedHub:
    """Runs beside the requests of a process; follows the feeds that somebody follows."""

    def __init__(
        self, ask: Ask, wakeup: Wakeup, projector: Progress, recent: RecentEntries | None = None
    ) -> None:
        """``recent``: of the runner in this process, if there is one."""
        self._ask = ask
        self._wakeup = wakeup
        self._projector = projector
        self._recent = recent or RecentEntries()
        self._channels: dict[str, Channel] = {}
        self._closed = False

    @contextmanager
    def following(self, helpdesk: str) -> Generator[Channel]:
        """The channel of a feed, kept up to date during the block. Await ``ready`` before using it."""
        channel = self._channels.get(helpdesk)
        if channel is None:
            channel = self._channels[helpdesk] = Channel(helpdesk)
            channel.last = -1
            channel.closed = self._closed
        if channel.followers >= FOLLOWERS_MAX:
            raise BadRequest(
                f"{FOLLOWERS_MAX} connections follow this feed already", "too-many-followers", 429
            )
        channel.followers += 1
        try:
            yield channel
        finally:
            channel.followers -= 1
            if not channel.followers:
                del self._channels[helpdesk]

    async def ready(self, channel: Channel) -> None:
        """The channel knows how long its feed is."""
        if channel.last < 0:
            found = await self._lasts([channel.helpdesk])
            if channel.last < 0:
                channel.begin(found.get(channel.helpdesk, 0))

    async def entries(self, helpdesk: str, after: int, limit: int) -> list[CloudEvent]:
        found: list[CloudEvent] = await self._ask(
            lambda connection: feed_pages.entries(connection, helpdesk, after, limit)
        )
        return found

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until ``stop`` is set; then all followers are sent home."""
        loop = asyncio.get_running_loop()
        seen, pinged_at = 0, loop.time()
        try:
            while not stop.is_set():
                head = await self._wakeup.wait(seen, _WAIT_S)
                if head > seen and await self._projector.wait_for(head, _WAIT_S, ["feeds"]):
                    seen = head
                await self._publish(seen)
                if loop.time() - pinged_at >= PING_S:
                    pinged_at = loop.time()
                    for channel in list(self._channels.values()):
                        channel.wake()
                if head > seen:
                    await asyncio.sleep(_TROUBLE_S)
        finally:
            self._closed = stop.is_set()
            for channel in list(self._channels.values()):
                channel.closed = self._closed
                channel.wake()

    async def _publish(self, head: int) -> None:
        """``head``: the feeds have come so far in the log."""
        active = [channel for channel in self._channels.values() if channel.last >= 0]
        behind = [channel for channel in active if not await self._published_recent(channel, head)]
        if len(behind) == 1:  # reading it shows as well whether there is something new
            only = behind[0]
            found = await self.entries(only.helpdesk, only.last, _PAGE)
            if len(found) < _PAGE:
                only.publish(found)
                only.position = head
                return
        if behind:
            await self._read_on(behind, head)

    async def _published_recent(self, channel: Channel, head: int) -> bool:
        """What is new was told by the runner in this process; False where it has to be read."""
        young = self._recent.between(channel.position, head) if head > channel.position else None
        if young is None:
            return False
        new = [
            each
            for each in young
            if each.row.helpdesk == channel.helpdesk and each.row.sequence > channel.last
        ]
        following = range(channel.last + 1, channel.last + 1 + len(new))
        if [each.row.sequence for each in new] != list(following):
            return False
        if new:
            channel.publish(await self._ask(lambda connection: feed_recent.read(connection, new)))
        channel.position = head
        return True

    async def _read_on(self, channels: Sequence[Channel], head: int) -> None:
        lasts = await self._lasts([channel.helpdesk for channel in channels])
        for channel in channels:
            last = lasts.get(channel.helpdesk, 0)
            if last - channel.last > RING_MAX:
                channel.begin(last)  # too much at once: followers read the feed itself
                channel.wake()
            while channel.last < last:
                found = await self.entries(channel.helpdesk, channel.last, _PAGE)
                if not found:
                    break
                channel.publish(found)
            else:
                channel.position = head

    async def _lasts(self, helpdesks: list[str]) -> dict[str, int]:
        found: dict[str, int] = await self._ask(
            lambda connection: feed_pages.lasts(connection, helpdesks)
        )
        return found
