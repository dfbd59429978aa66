"""sla: all service level statistics of the imported year, from spells and folded naively from events."""

import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from adapters.archives.incident_import import bring_in
from adapters.archives.incident_log import STATUS
from adapters.archives.incident_rows import read
from benchmarks.common import Bench, Result, Side, analyze
from benchmarks.incidents import incident_log
from benchmarks.naive_levels import naive_tables
from benchmarks.project import follow
from domain.aggregate import Event
from domain.identifiers import ticket_number
from domain.ledger import Ledger
from domain.publications import in_force
from projections.level_figures import Dimension
from projections.levels import Table, statistics

BEGIN, END = datetime(2016, 2, 1, tzinfo=UTC), datetime(2017, 3, 1, tzinfo=UTC)
BY: list[tuple[Dimension, ...]] = [("unit",), ("site",), ("vo",), ("month",), ("priority",)]


async def run(bench: Bench) -> list[Result]:
    conninfo = await bench.database()
    ours: list[Table] = []
    theirs: list[Table] = []
    async with bench.store(conninfo) as store:
        await bring_in(store, read(incident_log(bench), STATUS))
        head = await store.head()
        await follow(conninfo, head)
        analyze(conninfo)
        rules = await in_force(store)
        numbers = [number for (number,) in await store.rows("SELECT number FROM view.ticket")]

        async def work() -> int:
            async with store.pool.connection() as connection:
                report = await statistics(connection, rules, begin=BEGIN, end=END, as_of=END, by=BY)
            ours[:] = report.tables
            return 1

        async def baseline() -> int:
            """One ticket after the other, as the program replays a single one."""
            ledger, events = Ledger(store), []
            for number in numbers:
                events += [recorded.event for recorded in await ledger.history(number)]
            return fold(events)

        async def one_scan() -> int:
            """Faster: the log read once, in pages, and sorted into tickets in memory."""
            streams: dict[UUID, list[Event]] = defaultdict(list)
            position = 0
            while page := await store.log(position, 1_000):
                position = page[-1].position
                for each in page:
                    if ticket_number(each.event.originator_id) is not None:
                        streams[each.event.originator_id].append(each.event)
            return fold(event for stream in streams.values() for event in stream)

        def fold(events: Iterable[Event]) -> int:
            tables = naive_tables(events, rules.levels, BEGIN, END, END, [(), *BY])
            theirs[:] = [Table(by, groups) for by, groups in tables]
            return 1

        result = await bench.compare(
            "sla", Side(work), Side(baseline),
            baseline_is="every ticket replayed, the calendar walked day by day", unit="reports/s", target=10,
        )  # fmt: skip
        began = time.perf_counter()
        await one_scan()
        scan_s = time.perf_counter() - began
        result.note = (
            f"{scan_s * result.ours:.3g} times as fast as the same fold after one scan of the log"
        )
    result.gates["equal to the last digit"] = ours == theirs
    return [result]
