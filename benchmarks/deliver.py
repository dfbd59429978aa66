"""deliver: entries of a feed pushed as signed webhooks. The baseline posts ready bytes with the same client in a bare loop."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
from pydantic import SecretStr

from adapters.kit.webhook import MEDIA_TYPE
from api.bootstrap import running
from api.settings import Environment, Settings
from benchmarks.common import Bench, Result, Side
from benchmarks.feed import TEXT, prepared
from domain.provenance import Provenance, acting
from domain.vocabulary import Visibility
from projections.feed_pages import rendered


class Sink:
    """Answers 204 to whatever comes, as fast as it can."""

    def __init__(self) -> None:
        self.taken = 0

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[int]:
        """The port."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(size))
                self.taken += 1
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def run(bench: Bench) -> list[Result]:
    count = bench.size(1_000, 40)
    sink = Sink()
    settings = Settings(
        database_url=SecretStr(await bench.database()), environment=Environment.TEST,
        allow_private_partners=True,
    )  # fmt: skip
    async with sink.listening() as port, running(settings, work=False) as services:
        url = f"http://127.0.0.1:{port}/feed"
        services.workers.add("projector", services.projector.run)
        services.workers.start()
        ticket, _ = await prepared(services)
        with acting(Provenance("user:bench", ticket.id, "bench")):
            for _ in range(count):
                ticket.comment(TEXT, Visibility.PUBLIC)
        await services.ledger.save(ticket)
        assert await services.projector.wait_for(await services.store.head(), 10)
        pushing = services.feed_pushing
        with acting(Provenance("helpdesk:osg", ticket.id, "bench")):
            await pushing.subscribe("osg", url, 2)
        (event, *_) = await services.feed_hub.entries("osg", 2, 1)
        body = rendered(event)

        async def rewound() -> None:
            with acting(Provenance("helpdesk:osg", ticket.id, "bench")):
                await pushing.rewind("osg", 2)

        pusher = pushing.pusher(services.feed_hub)

        async def work() -> int:
            until = sink.taken + count
            async with pusher.sending() as out:
                while sink.taken < until:
                    await pusher.push(out, "osg")
            return count

        async def baseline() -> int:
            async with aiohttp.ClientSession() as client:
                for _ in range(count):
                    async with client.post(
                        url, data=body, headers={"Content-Type": MEDIA_TYPE}
                    ) as answer:
                        await answer.read()
            return count

        result = await bench.compare(
            "deliver", Side(work, rewound), Side(baseline),
            baseline_is="bare loop of the client", unit="deliveries/s", target=0.3,
        )  # fmt: skip
    return [result]


@asynccontextmanager
async def sink_beside() -> AsyncGenerator[int]:
    """The port of a sink in another program: its processor time is nobody's."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.deliver", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def _sink() -> None:
    async with Sink().listening() as port:
        print(port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_sink())
