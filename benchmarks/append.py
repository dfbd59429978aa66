"""append: one caller after the other, each command one event."""

from benchmarks.common import Bench, Result, Side
from benchmarks.writing import LibraryWriting, Writing, dense


async def run(bench: Bench) -> list[Result]:
    ours = Writing(bench, callers=1, count=bench.size(1_500, 60))
    theirs = LibraryWriting(bench, callers=1, count=bench.size(500, 30))
    async with ours, theirs:
        result = await bench.compare(
            "append", Side(ours.work, ours.prepare), Side(theirs.work, theirs.prepare),
            baseline_is="the library's PostgreSQL recorder", unit="events/s", target=2,
        )  # fmt: skip
        result.gates["positions are dense"] = await dense(ours.store)
    return [result]
