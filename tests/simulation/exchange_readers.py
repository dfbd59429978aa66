"""Programs of partners that read their feeds: by page, by stream, or pushed to; all fall over and come back.

Each keeps what an entry led to, then its place. A crash between the two shows it the entry again; a backup that is
put back shows it many again; both must be the same to the byte.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

import msgspec

from adapters.kit.retry import Undelivered
from adapters.kit.webhook import SECRET_PREFIX, Unverified, must_be_signed
from domain.errors import StaleVersion
from domain.feeds import Entry, Mark, followed
from projections.feed_pages import CloudEvent, rendered
from tests.simulation.exchange_hub import Hub

read = msgspec.json.Decoder(CloudEvent).decode


class FellOver(Exception):
    """The program of a partner."""


class Reader:
    """What all programs do with an entry."""

    kind = ""

    def __init__(self, world: Any, hub: Hub, name: str, rng: Random) -> None:
        self.world, self.hub, self.name, self.rng = world, hub, name, rng
        self.effects: dict[int, bytes] = {}
        self.mark = Mark()
        self.again = 0
        """How often an entry came that it had."""
        self.crashes = self.backups = 0
        self._kept = [self.mark]

    def __repr__(self) -> str:
        rows = len(self.hub.feeds.tables.entries.get(self.name, []))
        return f"{self.kind} {self.mark.sequence} of {rows}, {self.hub.feeds.places.get(self.name)}"

    def happens(self, likely: float) -> bool:
        return self.rng.random() < likely * self.world.faults

    def take(self, body: bytes) -> None:
        """Raises ``Broken``, ``FellOver``."""
        event = read(body)
        entry = event.data
        assert event.id == f"{self.name}:{entry.sequence}"
        before = self.effects.get(entry.sequence)
        assert before in (None, body), f"entry {entry.sequence} is another one now"
        if entry.sequence <= self.mark.sequence:
            self.again += 1
            return
        mark = followed(self.mark, entry)
        self.again += before is not None
        self.effects[entry.sequence] = body
        if self.happens(0.03):
            self.crashes += 1
            raise FellOver
        self.mark = mark
        self._kept.append(mark)

    def restore(self) -> None:
        """From a backup."""
        self.backups += 1
        self.mark = self.rng.choice(self._kept)

    async def ask(self, what: Any, *, twice: bool = False) -> Any:
        """A request to the hub, on a bad way: reading is done again in vain. Raises ``Undelivered``."""

        async def arrive() -> Any:
            if self.hub.parts is None:
                raise Undelivered("not-reached", "nobody answers", final=False)
            try:
                return await self.hub._answer(what())
            except StaleVersion as error:
                raise Undelivered("http-409", str(error), final=False) from error

        return await self.world.way.go("http-503", arrive, twice=twice)

    async def ask_until_done(self, what: Any, *, twice: bool = True) -> Any:
        while True:
            try:
                return await self.ask(what, twice=twice)
            except Undelivered:
                await asyncio.sleep(60)

    async def run(self) -> None:
        """For ever."""
        raise NotImplementedError

    async def pause(self, seconds: float) -> None:
        """Shorter at the end, when nothing goes wrong any more."""
        await asyncio.sleep(self.rng.expovariate(1 / seconds) if not self.world.ending else 20)

    async def has_all(self) -> bool:
        """All that is in its feed, and all that belongs there is."""
        tables = self.hub.feeds.tables
        whole = tables.position == await self.hub.memory.head()
        return whole and self.mark.sequence == len(tables.entries.get(self.name, []))

    @property
    def entries(self) -> list[Entry]:
        return [read(body).data for _, body in sorted(self.effects.items())]


class PageReader(Reader):
    kind = "pages"

    async def run(self) -> None:
        while True:
            if self.happens(0.02):
                self.restore()
            try:
                await self._turn_pages()
            except Undelivered:
                await self.pause(30)
            except FellOver:
                await self.pause(600)
            await self.pause(600)

    async def _turn_pages(self) -> None:
        while True:
            limit, wait_s = self.rng.choice((1, 7, 500)), self.rng.choice((0, 0, 30))
            mark, feeds = self.mark, self.hub.feeds
            page = await self.ask(
                lambda: feeds.page(self.name, mark.sequence, mark.hash, limit, wait_s)  # noqa: B023 - asked at once
            )
            items = msgspec.json.decode(page, type=_Page).items
            for each in items:
                self.take(rendered(each))
            if len(items) < limit:
                return


class _Page(msgspec.Struct):
    items: list[CloudEvent]


class StreamReader(Reader):
    kind = "stream"

    async def run(self) -> None:
        while True:
            if self.happens(0.05):
                self.restore()
            with suppress(Undelivered, FellOver):
                await self._follow()
            await self.pause(120)

    async def _follow(self) -> None:
        """One connection, until something breaks it."""
        feeds, mark = self.hub.feeds, self.mark
        gone = asyncio.Event()
        ends_at = self.world.loop.time() + self.rng.expovariate(1 / 3600)
        failed: list[Exception] = []

        async def send(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                return
            if self.happens(0.02) or self.world.loop.time() > ends_at:
                gone.set()
                cut = self.rng.randrange(len(message["body"]) + 1)
                self._frames(message["body"][:cut], failed)
                raise OSError("broken pipe")
            if self.happens(0.02):
                await asyncio.sleep(self.rng.uniform(0, 40))
            self._frames(message["body"], failed)
            if failed:
                gone.set()
                raise OSError("the reader has gone")

        async def receive() -> Mapping[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        await self.ask(lambda: feeds.stream(self.name, mark.sequence, mark.hash, send, receive))
        if failed:
            raise failed[0]

    def _frames(self, body: bytes, failed: list[Exception]) -> None:
        """Whole ones count: what is cut is no event."""
        for frame in body.split(b"\n\n")[:-1]:
            fields = dict(line.split(b": ", 1) for line in frame.split(b"\n"))
            if b"id" in fields and not failed:
                try:
                    self.take(fields[b"data"])
                except FellOver as fall:
                    failed.append(fall)


class PushedReader(Reader):
    kind = "pushed"

    def __init__(self, world: Any, hub: Hub, name: str, rng: Random) -> None:
        super().__init__(world, hub, name, rng)
        self.keys: list[str] = []
        self.up = True
        self.unsigned = self.gaps = 0
        self._rewinding: asyncio.Task | None = None
        self._resuming: asyncio.Task | None = None
        self._rotating: asyncio.Task | None = None

    async def run(self) -> None:
        while True:
            await self.pause(1800)
            if self.happens(0.3):
                await self._rotate()
            if self.happens(0.3):
                self.restore()
                await self._rewind()

    async def _rotate(self) -> None:
        """Whoever lost the answer asks for another: two keys sign at a time, and both may be unknown."""
        key = await self.ask_until_done(lambda: self.hub.feeds.rotate_key(self.name), twice=False)
        self.keys.insert(0, key)

    async def _rewind(self) -> None:
        """Asked once each: an old wish that comes again late would leave entries out."""
        sequence, rewind = self.mark.sequence, self.hub.feeds.rewind
        await self.ask_until_done(lambda: rewind(self.name, sequence), twice=False)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """As its web server."""
        if not self.up:
            raise Undelivered("not-reached", "nobody answers", final=False)
        try:
            must_be_signed(headers, body, self._secrets(), self.hub._clock())
        except Unverified:
            self.unsigned += 1
            self._rotating = self._begin(self._rotating, self._rotate)
            return 401
        if self.happens(0.003):
            self._resuming = self._begin(self._resuming, self._gone_for_a_while)
            return 410
        sequence = read(body).data.sequence
        if sequence > self.mark.sequence + 1:
            # Its place is an older one: the hub does not know that yet.
            self.gaps += 1
            assert self.backups or self.crashes, "an entry was left out"
            self._rewinding = self._begin(self._rewinding, self._rewind)
            return 409
        try:
            self.take(body)
        except FellOver:
            self.up = False
            self.world.loop.call_later(self.rng.uniform(1, 900), self._rise)
            return 500
        return 204

    def _secrets(self) -> list[bytes]:
        return [base64.b64decode(each.removeprefix(SECRET_PREFIX)) for each in self.keys]

    def _rise(self) -> None:
        self.up = True

    async def _gone_for_a_while(self) -> None:
        await asyncio.sleep(self.rng.uniform(60, 3600))
        await self.ask_until_done(lambda: self.hub.feeds.resume(self.name))

    def _begin(self, under_way: asyncio.Task | None, what: Callable) -> asyncio.Task:
        """Once at a time."""
        if under_way is not None and not under_way.done():
            return under_way
        return self.world.loop.create_task(self.world.watched(what()))

    async def has_all(self) -> bool:
        place = self.hub.feeds.places[self.name]
        return await super().has_all() and place.acknowledged == self.mark.sequence


KINDS: tuple[type[Reader], ...] = (PageReader, StreamReader, PushedReader)
