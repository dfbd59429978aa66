"""A stream of server-sent events to one reader: what the hub has rendered, as it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.tasks import end
from api.edge import PLAIN_SEND
from api.feed_channel import Channel, Reader, sse
from api.feed_hub import PING_S, FeedHub
from api.joining import WRITE_NOW

PING: Final = b": ping\n\n"
SEND_S_MAX: Final = 30.0
"""A reader that takes nothing for so long is gone."""
_PAGE: Final = 100
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy before us is to pass it on at once
}


class FeedStream(Response):
    """Everything after a sequence, without an end. The content is made while it is sent."""

    media_type = "text/event-stream"

    def __init__(
        self, hub: FeedHub, helpdesk: str, after: int, allowed: Callable[[], Awaitable[bool]]
    ) -> None:
        """``allowed`` is asked again now and then."""
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._hub = hub
        self._helpdesk = helpdesk
        self._reader = Reader(after, _never)
        self._allowed = allowed
        self._gone = False
        self._sending_since = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        )  # fmt: skip
        self._reader.write_now = scope.get(WRITE_NOW, _never)
        with self._hub.following(self._helpdesk) as channel:
            # A task of its own: waking it up does not pass through all that was called on the way to here. Nor
            # does what it sends: the layers above care for the head of an answer.
            following = asyncio.create_task(self._follow(channel, scope.get(PLAIN_SEND, send)))
            watching = asyncio.create_task(self._watch(receive, channel, following))
            try:
                await asyncio.wait([following])
                if not following.cancelled():
                    following.result()
                    await self._send(send, b"", more=False)
            except OSError:
                return
            finally:
                await end(following, watching)

    async def _watch(
        self, receive: Receive, channel: Channel, following: asyncio.Task[None]
    ) -> None:
        """Notice that the reader has left, or takes nothing: one timer here is cheaper than one for each entry."""
        loop = asyncio.get_running_loop()
        hearing = asyncio.ensure_future(receive())
        try:
            while True:
                if (await asyncio.wait([hearing], timeout=SEND_S_MAX / 2))[0]:
                    if hearing.result()["type"] == "http.disconnect":
                        break
                    hearing = asyncio.ensure_future(receive())
                elif self._sending_since and loop.time() - self._sending_since > SEND_S_MAX:
                    following.cancel()
                    return
        finally:
            hearing.cancel()
        self._gone = True
        channel.wake()

    async def _follow(self, channel: Channel, send: Send) -> None:
        await self._hub.ready(channel)
        await self._send(send, PING)
        reader = self._reader
        await self._catch_up(channel, send)
        time = asyncio.get_running_loop().time
        check_at = time() + PING_S / 2
        while not self._gone:
            if channel.last > reader.place:
                if not channel.covers(reader.place):
                    await self._send(send, b'event: dropped\ndata: {"last":%d}\n\n' % reader.place)
                    return
                last, found = channel.last, channel.since(reader.place)
                await self._send(send, found)
                reader.place = last
                continue
            if channel.closed:
                await self._send(send, b"event: ended\ndata: {}\n\n")
                return
            if time() >= check_at:
                if not await self._allowed():
                    await self._send(send, b"event: ended\ndata: {}\n\n")
                    return
                await self._send(send, PING)
                check_at = time() + PING_S / 2
                continue
            await channel.look(reader)

    async def _catch_up(self, channel: Channel, send: Send) -> None:
        """Read the feed itself, until the ring has the rest."""
        reader = self._reader
        while not self._gone and reader.place < channel.last and not channel.covers(reader.place):
            found = await self._hub.entries(self._helpdesk, reader.place, _PAGE)
            if not found:
                break
            await self._send(send, b"".join(map(sse, found)))
            reader.place = found[-1].data.sequence

    async def _send(self, send: Send, body: bytes, *, more: bool = True) -> None:
        self._sending_since = asyncio.get_running_loop().time()
        await send({"type": "http.response.body", "body": body, "more_body": more})
        self._sending_since = 0.0


def _never(_: bytes) -> bool:
    """The web server knows no such way: everything is sent."""
    return False
