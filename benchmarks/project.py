"""project: follow the log and keep tickets and spells, against the library's runner with the same tables."""

import asyncio

import psycopg
from psycopg.sql import SQL, Identifier

from adapters.store.connection import service_conninfo
from benchmarks.common import Bench, Result, Side, analyze, copy_events
from benchmarks.histories import rows, year
from benchmarks.library_projection import SCHEMA, runner
from domain.aggregate import Event
from projections.runner import Projector
from projections.tickets import Tickets

TICKETS_OF_BASELINE = 250
"""About 1,600 events: it takes the library seconds."""


async def run(bench: Bench) -> list[Result]:
    events = year(bench.size(6_000, 200))
    few = year(bench.size(TICKETS_OF_BASELINE, 20))
    following, library = Following(bench, events), Library(bench, few)
    result = await bench.compare(
        "project", Side(following.work, following.prepare), Side(library.work, library.prepare),
        baseline_is="the library's ProjectionRunner, one transaction an event", unit="events/s", target=25,
    )  # fmt: skip
    result.gates["the same rows"] = await same_rows(bench, few)
    return [result]


class Following:
    """Our runner in a database whose projections are empty."""

    def __init__(self, bench: Bench, events: list[Event]) -> None:
        self._bench, self._events = bench, events
        self.conninfo = ""

    async def prepare(self) -> None:
        self.conninfo = await self._bench.database()
        copy_events(self.conninfo, rows(self._events))
        analyze(self.conninfo)

    async def work(self) -> int:
        await follow(self.conninfo, len(self._events))
        return len(self._events)


class Library:
    """The library's runner, likewise."""

    def __init__(self, bench: Bench, events: list[Event]) -> None:
        self._bench, self._events = bench, events
        self.conninfo = ""

    async def prepare(self) -> None:
        self.conninfo = await self._bench.database()
        await follow(self.conninfo, 0)  # makes the tables that the library's are like
        copy_events(self.conninfo, rows(self._events))
        analyze(self.conninfo)

    async def work(self) -> int:
        await asyncio.to_thread(self._follow)
        return len(self._events)

    def _follow(self) -> None:
        with runner(self.conninfo, self._bench.library(self.conninfo)) as running:
            running.wait(len(self._events), timeout=120)


async def follow(conninfo: str, until: int) -> None:
    """Let our runner keep the tickets up to a position."""
    projector = Projector(service_conninfo(conninfo, "projector"), [Tickets()])
    stop = asyncio.Event()
    running = asyncio.create_task(projector.run(stop))
    try:
        assert await projector.wait_for(until, 120)
    finally:
        stop.set()
        await running


async def same_rows(bench: Bench, events: list[Event]) -> bool:
    """Whether both runners make the same tables of the same log."""
    library = Library(bench, events)
    await library.prepare()
    await library.work()
    await follow(library.conninfo, len(events))
    with psycopg.connect(library.conninfo) as connection:
        for table in Tickets.tables:
            ours, theirs = (Identifier(schema, table.name) for schema in ("view", SCHEMA))
            for one, other in ((ours, theirs), (theirs, ours)):
                query = SQL("SELECT count(*) FROM (TABLE {} EXCEPT TABLE {}) AS more")
                row = connection.execute(query.format(one, other)).fetchone()
                if row != (0,):
                    return False
    return True
