"""How we measure: ours and the baseline in turn, on one server, in one run.

A ratio of two medians of the same run survives a noisy machine; the processor time per unit of work, of
this process and of all server processes, stands beside it and hardly depends on who else is busy.
The server is the one that the program starts by itself, with the settings it always has: every commit is flushed.
"""

import asyncio
import gc
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psutil
import psycopg
from msgspec import Struct, field
from psycopg import sql

from adapters.store.embedded import EmbeddedServer
from adapters.store.engine import PostgresStore
from adapters.store.migrate import migrate

ROUNDS = 5
EVENTS_COLUMNS = "position, originator_version, recorded_at, originator_id, topic, state"

Work = Callable[[], Awaitable[int]]
"""Does something that is measured; how many units of it."""
Prepare = Callable[[], Awaitable[None]]


class Skipped(Exception):
    """What the benchmark needs is not here."""


class Cost(Struct, frozen=True):
    """Medians of one side."""

    per_s: float
    client_us: float
    """Processor time of this process per unit of work."""
    server_us: float
    """Of all processes of the server."""


class Result(Struct, kw_only=True, omit_defaults=True):
    """One line of the output. ``ours`` and ``baseline`` are medians in ``unit``."""

    name: str
    ours: float
    baseline: float
    baseline_is: str
    unit: str
    ratio: float
    target: float
    met: bool
    """Whether the ratio reaches the target."""
    ours_cpu_us: tuple[float, float] = (0.0, 0.0)
    """Per unit of work: of this process, of the server."""
    baseline_cpu_us: tuple[float, float] = (0.0, 0.0)
    rounds: int = ROUNDS
    gates: dict[str, bool] = field(default_factory=dict)
    """What must hold whatever the speed: the exit code says whether it did."""
    note: str = ""


class Side(Struct):
    """One of the two that are compared."""

    work: Work
    prepare: Prepare | None = None
    """Before each round, not measured."""
    samples: list[Cost] = field(default_factory=list)

    def median(self) -> Cost:
        return Cost(
            *(statistics.median(column) for column in zip(*map(_tuple, self.samples), strict=True))
        )


class Bench:
    """A running server and the size of the work: ``quick`` proves that it runs, not how fast."""

    def __init__(self, server: EmbeddedServer, folder: Path, *, quick: bool) -> None:
        self.server = server
        self.folder = folder
        self.quick = quick
        self.rounds = 2 if quick else ROUNDS
        self.programs: list[int] = []
        """Processes whose time counts with ours: the servers that a benchmark asks."""
        self._databases = 0

    def size(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    async def database(self, *, migrated: bool = True) -> str:
        """The connection string of a fresh database."""
        self._databases += 1
        name = f"bench_{self._databases}"
        with psycopg.connect(self.server.dsn(database="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if migrated:
            await migrate(self.server.dsn(database=name))
        return self.server.dsn(database=name)

    @asynccontextmanager
    async def store(self, conninfo: str = "", **options: int) -> AsyncGenerator[PostgresStore]:
        async with await PostgresStore.open(conninfo or await self.database(), **options) as store:
            yield store

    def library(self, conninfo: str) -> dict[str, str]:
        """The environment in which the ``eventsourcing`` library uses that database."""
        given = psycopg.conninfo.conninfo_to_dict(conninfo)
        return {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": str(given["dbname"]),
            "POSTGRES_HOST": str(given["host"]),
            "POSTGRES_PORT": str(given["port"]),
            "POSTGRES_USER": str(given["user"]),
            "POSTGRES_PASSWORD": "unused",
            "POSTGRES_POOL_SIZE": "32",
            "POSTGRES_MAX_OVERFLOW": "8",
        }

    async def compare(
        self, name: str, ours: Side, baseline: Side, *,
        baseline_is: str, unit: str, target: float, note: str = "",
    ) -> Result:  # fmt: skip
        """Both in turn, changing who begins; one round to warm up."""
        for turn in range(-1, self.rounds):
            sides = (ours, baseline) if turn % 2 else (baseline, ours)
            for side in sides:
                if side.prepare is not None:
                    await side.prepare()
                cost = await self._measured(side.work)
                if turn >= 0:
                    side.samples.append(cost)
        mine, theirs = ours.median(), baseline.median()
        ratio = mine.per_s / theirs.per_s
        return Result(
            name=name, ours=figure(mine.per_s), baseline=figure(theirs.per_s), baseline_is=baseline_is,
            unit=unit, ratio=figure(ratio), target=target, met=ratio >= target, rounds=self.rounds, note=note,
            ours_cpu_us=(figure(mine.client_us), figure(mine.server_us)),
            baseline_cpu_us=(figure(theirs.client_us), figure(theirs.server_us)),
        )  # fmt: skip

    async def _measured(self, work: Work) -> Cost:
        gc.collect()
        server, client, since = self._server_s(), self._client_s(), time.perf_counter()
        count = await work()
        elapsed = time.perf_counter() - since
        client, server = self._client_s() - client, self._server_s() - server
        return Cost(count / elapsed, client / count * 1e6, server / count * 1e6)

    def _client_s(self) -> float:
        programs = (psutil.Process(pid).cpu_times() for pid in self.programs)
        return time.process_time() + sum(spent.user + spent.system for spent in programs)

    def _server_s(self) -> float:
        """Processor seconds of all server processes, also of those that have ended."""
        assert self.server.pid is not None
        postmaster = psutil.Process(self.server.pid)
        ended = postmaster.cpu_times()
        total = ended.user + ended.system + ended.children_user + ended.children_system
        for child in postmaster.children(recursive=True):
            try:
                spent = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += spent.user + spent.system
        return total


@contextmanager
def bench(*, quick: bool) -> Iterator[Bench]:
    """A server of its own, with the settings that the program gives it, removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="ticketledger-bench-"))
    folder.chmod(0o711)  # the account of the server passes through
    try:
        with EmbeddedServer.start(folder / "data") as server:
            yield Bench(server, folder, quick=quick)
    finally:
        shutil.rmtree(folder)


def copy_events(
    conninfo: str, rows: Iterable[Sequence[object]], table: str = "ledger.event"
) -> int:
    """Put rows into an event table in the fastest way there is; how many."""
    count = 0
    statement = f"COPY {table} ({EVENTS_COLUMNS}) FROM STDIN (FORMAT binary)"
    with psycopg.connect(conninfo) as connection, connection.cursor().copy(statement) as copy:
        copy.set_types(["int8", "int8", "timestamptz", "uuid", "text", "bytea"])
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def analyze(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


async def together(callers: int, each: Callable[[int], Awaitable[int]]) -> int:
    """So many at the same time; the sum of what they return."""
    return sum(await asyncio.gather(*(each(caller) for caller in range(callers))))


def figure(value: float) -> float:
    """Four digits: more would pretend."""
    return float(f"{value:.4g}")


def machine() -> str:
    """What it ran on."""
    memory_gb = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} processors ({platform.machine()}), {memory_gb:.0f} GB, Python {platform.python_version()}"


def _tuple(cost: Cost) -> tuple[float, float, float]:
    return cost.per_s, cost.client_us, cost.server_us
