"""import: the whole incident log through the domain, against COPY of the rows that come of it."""

from typing import Any

import psycopg

from adapters.archives.incident_import import bring_in
from adapters.archives.incident_log import STATUS
from adapters.archives.incident_rows import read
from benchmarks.common import EVENTS_COLUMNS, Bench, Result, Side, copy_events
from benchmarks.incidents import incident_log


async def run(bench: Bench) -> list[Result]:
    path = incident_log(bench)
    ours = theirs = ""
    rows: list[tuple[Any, ...]] = []
    counts: set[int] = set()

    async def prepare() -> None:
        nonlocal ours
        ours = await bench.database()

    async def work() -> int:
        async with bench.store(ours) as store:
            done = await bring_in(store, read(path, STATUS))
        counts.add(done.events)
        return done.events

    async def prepare_copy() -> None:
        nonlocal theirs
        if not rows:
            await prepare()
            await work()
            with psycopg.connect(ours) as connection:
                cursor = connection.cursor(binary=True)
                rows.extend(
                    cursor.execute(f"SELECT {EVENTS_COLUMNS} FROM ledger.event ORDER BY position")
                )
        theirs = await bench.database()

    async def copy() -> int:
        return copy_events(theirs, rows)

    result = await bench.compare(
        "import", Side(work, prepare), Side(copy, prepare_copy),
        baseline_is="COPY of the same rows into the event table", unit="events/s", target=0.08,
    )  # fmt: skip
    result.gates["every run recorded the same number of events"] = len(counts) == 1
    return [result]
