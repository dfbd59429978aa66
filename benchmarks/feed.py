"""feed: events that live consumers follow, from the log to their sockets; one event at a time.

The baseline has the same number of consumers at the same web server and writes bytes that are ready. Ours has its
connections as the program serves them, the baseline has the web server's own.
The writer and the readers are other programs, so the processor time counted here is the server's alone.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import uvicorn
from msgspec import structs
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.store.engine import PostgresStore
from api.app import create_app
from api.bootstrap import Services, running
from api.cli.serving import spare_collections
from api.joining import JoiningProtocol
from api.settings import Environment, Settings
from benchmarks.common import Bench, Result, Side, figure
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import named_id, random_id, ticket_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.ticket import Ticket
from domain.vocabulary import Visibility

READER = """
import selectors, socket, sys
port, count, request = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
chosen = selectors.DefaultSelector()
for _ in range(count):
    each = socket.create_connection(("127.0.0.1", port))
    each.sendall(request)
    each.setblocking(False)
    chosen.register(each, selectors.EVENT_READ)
seen = 0
while True:
    for key, _ in chosen.select():
        piece = key.fileobj.recv(1 << 20)
        if not piece:
            sys.exit()
        seen += piece.count(b"\\ndata: ") + piece.startswith(b"data: ")
        if seen % count == 0:
            print(seen, flush=True)
"""
TEXT = "The transfer fails again since this morning; the log says the disk is full."


async def run(bench: Bench) -> list[Result]:
    consumers, events = bench.size(200, 10), bench.size(100, 5)
    settings = Settings(
        database_url=SecretStr(await bench.database()), environment=Environment.TEST
    )
    async with running(settings) as services:
        _, token = await prepared(services)
        async with (
            _writer(services.conninfo) as writer,
            served(create_app(services), JoiningProtocol) as ours,
            _Bare().served() as (bare, port),
        ):
            with services.feed_hub.following("osg") as channel:
                await services.feed_hub.ready(channel)

                async def emit() -> None:
                    after = channel.last
                    writer.write(b"\n")
                    assert await channel.wait(after, 30)

                await emit()
                line = channel.since(channel.last - 1)

                async def emit_bare() -> None:
                    bare.write(line)
                    await asyncio.sleep(0)

                path = f"/api/v1/feeds/osg/stream?after={channel.last}"
                async with (
                    _readers(ours, consumers, _request(path, token)) as mine,
                    _readers(port, consumers, _request("/", "")) as theirs,
                ):
                    await asyncio.sleep(1)  # all have connected
                    spare_collections()

                    async def work() -> int:
                        return await _delivered(mine, consumers, events, emit)

                    async def baseline() -> int:
                        return await _delivered(theirs, consumers, events, emit_bare)

                    result = await bench.compare(
                        "feed", Side(work), Side(baseline),
                        baseline_is="writing ready bytes", unit="deliveries/s", target=0.5,
                    )  # fmt: skip
    cpu = figure(result.baseline_cpu_us[0] / result.ours_cpu_us[0])
    note = f"ratio of processor time per delivery, {consumers} consumers; folding and reading of each event included, its writing not"
    return [structs.replace(result, ratio=cpu, met=cpu >= result.target, note=note)]


async def _delivered(
    readers: "_Readers", consumers: int, events: int, emit: Callable[[], Awaitable[None]]
) -> int:
    before = readers.seen
    for number in range(1, events + 1):
        await emit()
        await readers.reached(before + consumers * number)
    return consumers * events


async def prepared(services: Services) -> tuple[Ticket, str]:
    partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
    ticket = Ticket(ticket_id(1))
    exchange = Exchange(random_id())
    with acting(Provenance("rule:bench@1", random_id(), "bench")):
        partner.register("osg", "osg_mail")
        partner.set_policy(Policy.FULL)
        ticket.open(1, subject="Transfers fail")
        exchange.open("osg", 1)
    for each in (partner, ticket, exchange):
        await services.ledger.save(each)
    _, token = await services.tokens.create_for_helpdesk("osg", timedelta(hours=1))
    return ticket, token


def _request(path: str, token: str) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"


class _Readers:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen = 0

    async def reached(self, count: int) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while self.seen < count:
                self.seen = int(await self._process.stdout.readline())


@asynccontextmanager
async def _readers(port: int, count: int, request: str) -> AsyncGenerator[_Readers]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, str(port), str(count), request,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield _Readers(process)
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def _writer(conninfo: str) -> AsyncGenerator[asyncio.StreamWriter]:
    """Another program that adds a comment for each line it gets."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.feed", conninfo, stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    yield process.stdin
    process.stdin.close()
    await process.wait()


async def write(conninfo: str) -> None:
    async with await PostgresStore.open(conninfo) as store:
        ledger = Ledger(store)
        ticket = await ledger.ticket(1)
        while await asyncio.to_thread(sys.stdin.readline):
            with acting(Provenance("user:bench", random_id(), "bench")):
                ticket.comment(TEXT, Visibility.PUBLIC)
            await ledger.save(ticket)


@asynccontextmanager
async def served(app, protocol: type[asyncio.Protocol] = HttpToolsProtocol) -> AsyncGenerator[int]:
    """At a port of its own; ours with the protocol that ``serve`` has."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off",
                       timeout_graceful_shutdown=1, http=protocol)
    )  # fmt: skip
    serving = asyncio.create_task(server._serve(None))
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


class _Bare:
    """An application that writes what it is given to all who are there."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[tuple["_Bare", int]]:
        async with served(self) as port:
            yield self, port

    def write(self, body: bytes) -> None:
        for each in self._queues:
            each.put_nowait(body)

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await send({
            "type": "http.response.start", "status": 200,
            "headers": [(b"content-type", b"text/event-stream")],
        })  # fmt: skip
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._queues.add(queue)
        watching = asyncio.ensure_future(receive())
        watching.add_done_callback(lambda _: queue.put_nowait(b""))
        await receive()
        while body := await queue.get():
            await send({"type": "http.response.body", "body": body, "more_body": True})
        self._queues.discard(queue)


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1]))
