"""scan: read the whole log in pages; on neither side the bytes of an event are decoded."""

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment

from adapters.store.engine import LOG
from benchmarks.common import Bench, Result, Side, analyze, copy_events
from benchmarks.histories import rows, year

OUR_PAGE = 1_000
THEIR_PAGE = 500


async def run(bench: Bench) -> list[Result]:
    events = year(bench.size(6_000, 300))
    conninfo, library = await bench.database(), await bench.database(migrated=False)
    copy_events(conninfo, rows(events))
    analyze(conninfo)
    factory = InfrastructureFactory.construct(Environment("bench", bench.library(library)))
    try:
        recorder = factory.application_recorder()
        stored = [StoredEvent(row[3], row[1], row[4], row[5]) for row in rows(events)]  # type: ignore[arg-type]
        for first in range(0, len(stored), 400):
            recorder.insert_events(stored[first : first + 400])
        analyze(library)
        async with bench.store(conninfo) as store:

            async def work() -> int:
                count = position = 0
                while page := await store.rows(LOG, [position, OUR_PAGE]):
                    count, position = count + len(page), page[-1][0]
                return count

            async def baseline() -> int:
                count, start = 0, 1
                while page := recorder.select_notifications(start, THEIR_PAGE):
                    count, start = count + len(page), page[-1].id + 1
                return count

            result = await bench.compare(
                "scan", Side(work), Side(baseline),
                baseline_is=f"select_notifications({THEIR_PAGE})", unit="events/s", target=3,
            )  # fmt: skip
    finally:
        factory.close()
    return [result]
