"""What the two benchmarks of appending share: both sides, for any number of callers."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Self

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment

from adapters.store.engine import PostgresStore
from benchmarks import library
from benchmarks.common import Bench, together
from benchmarks.histories import ticket
from domain.aggregate import Event
from domain.formats import encode
from domain.store import Append, Receipt


class Writing:
    """Our store: events are made before, encoding them is part of the work."""

    store: PostgresStore

    def __init__(self, bench: Bench, *, callers: int, count: int) -> None:
        self._bench, self._callers, self._count = bench, callers, count
        self._chance = random.Random(7)
        self._numbers = 0
        self._waiting: list[list[Event]] = []
        self._receipts: list[Receipt] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.store = await self._stack.enter_async_context(self._bench.store())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def prepare(self) -> None:
        self._waiting = [[] for _ in range(self._callers)]
        for index in range(self._count):
            self._numbers += 1
            opened = next(ticket(self._numbers, self._chance))
            self._waiting[index % self._callers].append(opened)

    async def work(self) -> int:
        return await together(self._callers, self._write)

    async def _write(self, caller: int) -> int:
        for event in self._waiting[caller]:
            self._receipts.append(await self.store.append(Append([event])))
        return len(self._waiting[caller])

    def told_right(self) -> bool:
        """Nobody shares a position, and all of them were told."""
        told = sorted(receipt.position for receipt in self._receipts)
        return told == list(range(1, self._numbers + 1))


class LibraryWriting:
    """The library's recorder, in as many threads as there are callers."""

    def __init__(self, bench: Bench, *, callers: int, count: int) -> None:
        self._bench, self._callers, self._count = bench, callers, count
        self._state = encode(next(ticket(1, random.Random(7))))
        self._waiting: list[list[StoredEvent]] = []

    async def __aenter__(self) -> Self:
        conninfo = await self._bench.database(migrated=False)
        env = Environment("bench", self._bench.library(conninfo))
        self._factory = InfrastructureFactory.construct(env)
        self._recorder = self._factory.application_recorder()
        self._threads = ThreadPoolExecutor(self._callers)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._threads.shutdown()
        self._factory.close()

    async def prepare(self) -> None:
        each = self._count // self._callers
        self._waiting = [library.stored(each, self._state) for _ in range(self._callers)]

    async def work(self) -> int:
        loop = asyncio.get_running_loop()
        done = (
            loop.run_in_executor(self._threads, self._write, events) for events in self._waiting
        )
        return sum(await asyncio.gather(*done))

    def _write(self, events: list[StoredEvent]) -> int:
        for event in events:
            self._recorder.insert_events([event])
        return len(events)


async def dense(store: PostgresStore) -> bool:
    """Whether the positions of the log have no hole."""
    ((dense,),) = await store.rows("SELECT count(*) = coalesce(max(position), 0) FROM ledger.event")
    return bool(dense)
