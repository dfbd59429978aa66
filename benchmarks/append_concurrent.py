"""append-concurrent: 32 callers at once, each command one event."""

from benchmarks.common import Bench, Result, Side
from benchmarks.writing import LibraryWriting, Writing, dense


async def run(bench: Bench) -> list[Result]:
    ours = Writing(bench, callers=32, count=bench.size(12_800, 640))
    theirs = LibraryWriting(bench, callers=32, count=bench.size(640, 64))
    async with ours, theirs:
        result = await bench.compare(
            "append-concurrent", Side(ours.work, ours.prepare), Side(theirs.work, theirs.prepare),
            baseline_is="the library's PostgreSQL recorder with 32 threads", unit="events/s", target=15,
        )  # fmt: skip
        result.gates["positions are dense"] = await dense(ours.store)
        result.gates["every caller was told its own position"] = ours.told_right()
    return [result]
