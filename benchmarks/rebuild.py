"""rebuild: the same tables from nothing, beside the live ones, compared with them and put in their place."""

from adapters.store.connection import service_conninfo
from benchmarks.common import Bench, Result, Side, analyze, copy_events
from benchmarks.histories import rows, year
from benchmarks.project import TICKETS_OF_BASELINE, Library, follow
from projections.rebuild import rebuild
from projections.tickets import Tickets


async def run(bench: Bench) -> list[Result]:
    events = year(bench.size(12_000, 200))
    conninfo = await bench.database()
    copy_events(conninfo, rows(events))
    await follow(conninfo, len(events))
    analyze(conninfo)
    right: list[bool] = []

    async def work() -> int:
        done = await rebuild(service_conninfo(conninfo, "rebuild"), [Tickets.name])
        right.append(all(each.ok and each.position == len(events) for each in done))
        return len(events)

    library = Library(bench, year(bench.size(TICKETS_OF_BASELINE, 20)))
    result = await bench.compare(
        "rebuild", Side(work), Side(library.work, library.prepare),
        baseline_is="the library's ProjectionRunner, one transaction an event", unit="events/s", target=80,
    )  # fmt: skip
    result.gates["the live tables were the same"] = all(right)
    return [result]
