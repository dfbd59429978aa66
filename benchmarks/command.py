"""command: load a ticket of about ten events, comment on it, save; 32 callers. Nothing is kept in memory."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from benchmarks.common import Bench, Result, Side, analyze, copy_events, together
from benchmarks.histories import commented, rows
from benchmarks.library import Tickets
from domain import commands
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.vocabulary import Visibility

CALLERS = 32
COMMENTS = 9
ACTOR = Actor.rule("bench@1")


async def run(bench: Bench) -> list[Result]:
    ours_count, theirs_count = bench.size(40, 4) * CALLERS, bench.size(10, 2) * CALLERS
    conninfo = await bench.database()
    copy_events(
        conninfo, rows([e for n in range(1, ours_count + 1) for e in commented(n, COMMENTS)])
    )
    analyze(conninfo)
    env = bench.library(await bench.database(migrated=False))
    with Tickets(env=env) as app, ThreadPoolExecutor(CALLERS) as threads:
        theirs = [app.open(number, COMMENTS) for number in range(theirs_count)]
        async with bench.store(conninfo) as store:
            ledger = Ledger(store)
            numbers: Iterator[int] = iter(())

            async def prepare() -> None:
                nonlocal ledger, numbers
                ledger, numbers = Ledger(store), iter(range(1, ours_count + 1))

            async def command(_: int) -> int:
                count = 0
                for number in numbers:
                    with acting(Provenance(ACTOR.name, uuid4(), "bench")):
                        comment = commands.Comment(
                            number=number, text="A text of ordinary length.", visibility=Visibility.PUBLIC
                        )  # fmt: skip
                        await ledger.execute(comment, actor=ACTOR)
                    count += 1
                return count

            async def work() -> int:
                return await together(CALLERS, command)

            async def baseline() -> int:
                loop = asyncio.get_running_loop()

                def one(ids: list[UUID]) -> int:
                    for ticket_id in ids:
                        app.comment(ticket_id)
                    return len(ids)

                parts = (theirs[caller::CALLERS] for caller in range(CALLERS))
                done = (loop.run_in_executor(threads, one, part) for part in parts)
                return sum(await asyncio.gather(*done))

            result = await bench.compare(
                "command", Side(work, prepare), Side(baseline),
                baseline_is="the library's Application with 32 threads", unit="commands/s", target=6,
            )  # fmt: skip
    return [result]
