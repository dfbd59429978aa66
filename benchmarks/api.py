"""api: open, comment, read and a page of a queue over HTTP with 8 clients, against a bare FastAPI application."""

import asyncio
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from uuid import uuid4

import psycopg

from adapters.store.engine import PostgresStore
from api.auth import Scope, Tokens
from benchmarks import bare
from benchmarks.common import Bench, Result, Side, analyze, copy_events, together
from benchmarks.histories import rows, waiting, year
from benchmarks.project import follow
from domain.directory import Grant, Person
from domain.identifiers import random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting

CLIENTS = 8
TICKETS = 5_000
WAITING = 200
"""Further tickets, all open and with one unit: its queue is read."""
UNIT = "unit-of-queue"
OURS = (sys.executable, "-c", "from api.cli.main import main; main()")
THEIRS = (sys.executable, "-m", "benchmarks.bare")
TEXT = "A text of ordinary length."
TICKET = {"subject": "Transfers fail", "description": TEXT, "priority": "urgent"}
COMMENT = {"text": TEXT, "visibility": "public"}
NUMBERS = range(1, 401)
"""The tickets that people look at these days."""

Requests = Iterator[bytes]
"""Without end, each ready to be sent."""


async def run(bench: Bench) -> list[Result]:
    ours, theirs = await bench.database(), await bench.database(migrated=False)
    events = [*year(TICKETS), *waiting(TICKETS + 1, WAITING, UNIT)]
    copy_events(ours, rows(events))
    with psycopg.connect(ours) as connection:
        connection.execute("SELECT setval('ledger.ticket_number', %s)", [TICKETS + WAITING])
    await follow(ours, len(events))
    analyze(ours)
    with psycopg.connect(theirs) as connection:
        connection.execute(bare.CREATE)
        connection.execute(bare.FILL, {"tickets": TICKETS, "waiting": WAITING, "unit": UNIT})
    analyze(theirs)
    token = await access(ours)
    count = bench.size(100, 5) * CLIENTS
    with (
        serving((*OURS, "--database-url", ours, "serve", "--port", "0"), bench) as our_port,
        serving((*THEIRS, theirs), bench) as their_port,
        closing(Clients(our_port)) as mine,
        closing(Clients(their_port)) as others,
    ):
        await mine.prepare()
        new_ticket = post("/api/v1/tickets", TICKET, token)
        fresh = [await mine.opened(next(new_ticket)) for _ in range(100)]
        pairs = {
            "open": (new_ticket, post("/tickets", TICKET)),
            "comment": (
                post("/api/v1/tickets/{n}/comments", COMMENT, token, fresh),
                post("/tickets/{n}/comments", COMMENT),
            ),
            "read": (get("/api/v1/tickets/{n}", token), get("/tickets/{n}")),
            "queue": (
                get(f"/api/v1/queue?unit={UNIT}&limit=50", token),
                get(f"/queue?unit={UNIT}"),
            ),
        }
        return [
            await bench.compare(
                f"api-{name}", mine.side(ours_, count), others.side(theirs_, count),
                baseline_is="a bare FastAPI route with one hand-written statement",
                unit="requests/s", target=0.5,
            )
            for name, (ours_, theirs_) in pairs.items()
        ]  # fmt: skip


def post(
    path: str, body: dict[str, str], token: str = "", numbers: Iterable[int] = NUMBERS
) -> Requests:
    return _requests("POST", path, json.dumps(body).encode(), token, numbers)


def get(path: str, token: str = "") -> Requests:
    return _requests("GET", path, b"", token, NUMBERS)


def _requests(method: str, path: str, body: bytes, token: str, numbers: Iterable[int]) -> Requests:
    lines = ["Host: bench.test", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    head = "".join(f"{line}\r\n" for line in lines)
    for number in itertools.cycle(numbers):
        yield f"{method} {path.format(n=number)} HTTP/1.1\r\n{head}\r\n".encode() + body


class Client:
    """One connection that is kept. A client that costs little leaves the processors to the servers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, request: bytes) -> bytes:
        """The body of the answer, which must be a success."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        assert found is not None
        body = await self._reader.readexactly(int(found[1]))
        assert head[9:10] == b"2", (head, body)
        return body

    def close(self) -> None:
        self._writer.close()


class Clients:
    """Connections to one server, made anew for every round: a server ends those that are silent for long."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._made: list[Client] = []

    async def prepare(self) -> None:
        self.close()
        for _ in range(CLIENTS):
            self._made.append(Client(*await asyncio.open_connection("127.0.0.1", self._port)))

    def close(self) -> None:
        while self._made:
            self._made.pop().close()

    def side(self, requests: Requests, count: int) -> Side:
        """So many requests, each client one after the other."""

        async def one(client: int) -> int:
            for _ in range(count // CLIENTS):
                await self._made[client].send(next(requests))
            return count // CLIENTS

        return Side(lambda: together(CLIENTS, one), self.prepare)

    async def opened(self, request: bytes) -> int:
        return int(json.loads(await self._made[0].send(request))["number"])


@contextmanager
def serving(command: tuple[str, ...], bench: Bench) -> Iterator[int]:
    """A server in a process of its own; the port that it says it listens at."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        bench.programs.append(process.pid)
        try:
            assert process.stdout is not None
            found = re.search(r"(\d+)\s*$", process.stdout.readline())
            assert found is not None, "the server did not start"
            yield int(found[1])
        finally:
            bench.programs.remove(process.pid)
            process.terminate()


async def access(conninfo: str) -> str:
    """A token of a new person who may do everything."""
    async with await PostgresStore.open(conninfo) as store:
        person = Person(random_id())
        with acting(Provenance("rule:bench@1", uuid4(), "bench")):
            person.register(name="Bench", mail="bench@example.org")
            person.grant(Grant("admin"))
        await Ledger(store).save(person)
        scopes = frozenset({Scope.READ, Scope.WRITE})
        _, token = await Tokens(store).create(person.id, scopes, timedelta(hours=1))
        return token
