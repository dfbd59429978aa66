"""sla: all service level statistics of the imported year, from spells and folded naively from events."""

from collections import defaultdict
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

        async def work() -> int:
            async with store.pool.connection() as connection:
                report = await statistics(connection, rules, begin=BEGIN, end=END, as_of=END, by=BY)
            ours[:] = report.tables
            return 1

        async def baseline() -> int:
            streams: dict[UUID, list[Event]] = defaultdict(list)
            position = 0
            while page := await store.log(position, 1_000):
                position = page[-1].position
                for each in page:
                    if ticket_number(each.event.originator_id) is not None:
                        streams[each.event.originator_id].append(each.event)
            events = (event for stream in streams.values() for event in stream)
            tables = naive_tables(events, rules.levels, BEGIN, END, END, [(), *BY])
            theirs[:] = [Table(by, groups) for by, groups in tables]
            return 1

        result = await bench.compare(
            "sla", Side(work), Side(baseline),
            baseline_is="every ticket replayed, the calendar walked day by day", unit="reports/s", target=10,
        )  # fmt: skip
    result.gates["equal to the last digit"] = ours == theirs
    return [result]
