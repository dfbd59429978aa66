"""load: replay a ticket of a thousand events."""

from benchmarks.common import Bench, Result, Side, analyze, copy_events
from benchmarks.histories import commented, rows
from benchmarks.library import Tickets
from domain.ledger import Ledger

EVENTS = 1_000


async def run(bench: Bench) -> list[Result]:
    conninfo = await bench.database()
    copy_events(conninfo, rows(list(commented(1, EVENTS - 1))))
    analyze(conninfo)
    count = bench.size(20, 3)
    library = await bench.database(migrated=False)
    with Tickets(env=bench.library(library)) as app:
        theirs = app.open(1, EVENTS // 2 - 1)  # what it saves in one piece has a limit
        for _ in range(EVENTS // 2):
            app.comment(theirs)
        analyze(library)
        async with bench.store(conninfo) as store:
            ledger = Ledger(store)

            async def work() -> int:
                for _ in range(count):
                    assert (await ledger.ticket(1)).version == EVENTS
                return count

            async def baseline() -> int:
                for _ in range(count // 3):
                    assert app.repository.get(theirs).version == EVENTS
                return count // 3

            result = await bench.compare(
                "load", Side(work), Side(baseline),
                baseline_is="repository.get", unit="loads/s", target=5,
            )  # fmt: skip
    return [result]
