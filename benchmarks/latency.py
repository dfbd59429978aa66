"""latency: from the moment in which a change is committed until its bytes stand at the partner's socket.

Two ways at once, to another program: a stream of the feed, and signed webhooks. Changes come one by one, with
pauses by chance, while everything of the service runs. Both programs look at the same clock of the machine.
"""

import asyncio
import random
import sys
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from pydantic import SecretStr

from api.app import create_app
from api.bootstrap import running
from api.cli.serving import spare_collections
from api.joining import JoiningProtocol
from api.settings import Environment, Settings
from benchmarks.common import Bench, Result, figure
from benchmarks.feed import TEXT, prepared, served
from domain.provenance import Provenance, acting
from domain.vocabulary import Visibility
from projections import feed_pages

MEDIAN_MS: Final = 50.0
P99_MS: Final = 500.0
BARS_MS: Final = (2, 5, 10, 20, 50, 100, 200, 500, 1000)

PARTNER: Final = r"""
import asyncio, re, sys, time

HEAD = re.compile(rb"content-length: (\d+)", re.I)


async def pushed(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            at = time.monotonic()
            body = await reader.readexactly(int(HEAD.search(head)[1]))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            print("push", int(re.search(rb'"sequence":"(\d+)"', body)[1]), at, flush=True)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port, request):
    server = await asyncio.start_server(pushed, "127.0.0.1", 0)
    print("ready", server.sockets[0].getsockname()[1], 0, flush=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    while line := await reader.readline():
        if line.startswith(b"id: "):
            print("stream", int(line[4:]), time.monotonic(), flush=True)


asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


class _Partner:
    """When each entry came, by the way it came and its sequence."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._lines = process.stdout
        self.came: dict[str, dict[int, float]] = {"stream": {}, "push": {}}

    async def line(self) -> tuple[str, int, float]:
        way, number, at = (await self._lines.readline()).split()
        return way.decode(), int(number), float(at)

    async def collect(self, last: int) -> None:
        """Until the last entry has come both ways."""
        async with asyncio.timeout(60):
            while any(last not in came for came in self.came.values()):
                way, sequence, at = await self.line()
                self.came[way][sequence] = at


async def run(bench: Bench) -> list[Result]:
    count = bench.size(400, 10)
    settings = Settings(
        database_url=SecretStr(await bench.database()), environment=Environment.TEST,
        allow_private_partners=True,
    )  # fmt: skip
    async with running(settings) as services, served(create_app(services), JoiningProtocol) as port:
        ticket, token = await prepared(services)
        request = f"GET /api/v1/feeds/osg/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        async with _partner(port, request) as partner:
            _, sink, _ = await partner.line()
            with acting(Provenance("helpdesk:osg", ticket.id, "bench")):
                await services.feed_pushing.subscribe("osg", f"http://127.0.0.1:{sink}/feed", 0)
            assert await services.projector.wait_for(await services.store.head(), 10)
            before = (await services.ask(lambda each: feed_pages.state(each, "osg"))).last
            await partner.collect(before)
            chance = random.Random(7)
            spare_collections()
            committed: list[float] = []
            for _ in range(count):
                with acting(Provenance("user:bench", ticket.id, "bench")):
                    ticket.comment(TEXT, Visibility.PUBLIC)
                await services.ledger.save(ticket)
                committed.append(time.monotonic())
                await asyncio.sleep(chance.uniform(0.005, 0.05))
            await partner.collect(before + count)
    return [
        _result(
            f"latency-{way}",
            [(came[before + place] - at) * 1000 for place, at in enumerate(committed, 1)],
        )
        for way, came in partner.came.items()
    ]


def _result(name: str, waits_ms: Sequence[float]) -> Result:
    waits = sorted(max(each, 0.0) for each in waits_ms)
    median, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    return Result(
        name=name, ours=figure(median), baseline=MEDIAN_MS, baseline_is="the longest that is allowed", unit="ms",
        ratio=figure(MEDIAN_MS / median), target=1, met=median <= MEDIAN_MS and p99 <= P99_MS, rounds=1,
        note=f"p99 {figure(p99)} ms (at most {P99_MS:g}), longest {figure(waits[-1])} ms; {histogram(waits)}",
    )  # fmt: skip


def histogram(waits_ms: Sequence[float]) -> str:
    """How many of so many, sorted, took up to which time, until all are in."""
    told: list[str] = []
    for bar in BARS_MS:
        within = bisect_right(waits_ms, bar)
        told.append(f"{within} within {bar} ms")
        if within == len(waits_ms):
            break
    return f"of {len(waits_ms)}: " + ", ".join(told)


@asynccontextmanager
async def _partner(port: int, request: str) -> AsyncGenerator[_Partner]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARTNER, str(port), request, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield _Partner(process)
    finally:
        process.kill()
        await process.wait()
