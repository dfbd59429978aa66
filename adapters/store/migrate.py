"""Brings a database to the form this program needs: numbered files, each applied once, never edited.

Any number of processes may start at once: one migrates, the others wait for it.
"""

import asyncio
import hashlib
import re
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from msgspec import Struct

from adapters.store.connection import MIGRATION_LOCK, Connection, connect

SERVER_VERSION_MIN: Final = 15
_WAIT_S_MAX: Final = 300.0
_PAUSE_S: Final = 0.05
_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")

# The lock is polled: a session that waits inside pg_advisory_lock() holds a snapshot, and a migration with
# CREATE INDEX CONCURRENTLY waits for all snapshots. The two would wait for each other.
LOCK: Final = "SELECT pg_try_advisory_lock(%s)"
UNLOCK: Final = "SELECT pg_advisory_unlock(%s)"
ABOUT: Final = (
    "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')"
)
EXISTS: Final = "SELECT to_regclass('ledger.migration') IS NOT NULL"
CREATE: Final = """
    CREATE SCHEMA IF NOT EXISTS ledger;
    CREATE TABLE ledger.migration (
        version     int          NOT NULL PRIMARY KEY,
        name        text         NOT NULL,
        sha256      text         NOT NULL,
        applied_at  timestamptz  NOT NULL DEFAULT clock_timestamp()
    );
"""
APPLIED: Final = "SELECT version, sha256 FROM ledger.migration"
VIEW_IS_MISSING: Final = (
    "SELECT to_regnamespace('view') IS NULL AND to_regclass('ledger.event') IS NOT NULL"
)
VIEW: Final = """
    CREATE SCHEMA IF NOT EXISTS view;
    GRANT USAGE, CREATE ON SCHEMA view TO ticketledger_service;
"""
RECORD: Final = "INSERT INTO ledger.migration (version, name, sha256) VALUES (%s, %s, %s)"


class MigrationRefused(Exception):
    """The database and this program do not belong together; nothing was changed."""


class Migration(Struct, frozen=True):
    version: int
    name: str
    body: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def bundled(folder: Traversable | None = None) -> list[Migration]:
    """The migrations that came with the program, in order. Versions count up from 1 without a hole."""
    folder = folder or resources.files("adapters.store") / "migrations"
    files = sorted(folder.iterdir(), key=lambda file: file.name)
    found = [
        Migration(int(match[1]), match[2], file.read_bytes())
        for file in files
        if (match := _NAME.fullmatch(file.name))
    ]
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    return found


async def migrate(conninfo: str, migrations: list[Migration] | None = None) -> None:
    """Apply what is missing. A database that is up to date is only read.

    ``conninfo`` is that of a user who may create schemas and roles. Raises ``MigrationRefused`` when an
    applied migration was edited, the database is newer than the program, or the server is too old, and
    ``psycopg.Error`` when a migration fails: it then left nothing behind.
    """
    connection = await connect(conninfo)
    try:
        await _must_suit(connection)
        await _wait_for_lock(connection)
        try:
            await _apply(connection, bundled() if migrations is None else migrations)
            await _view(connection)
        finally:
            if not connection.closed:
                await connection.execute(UNLOCK, [MIGRATION_LOCK])
    finally:
        await connection.close()


async def _must_suit(connection: Connection) -> None:
    row = await (await connection.execute(ABOUT)).fetchone()
    assert row is not None
    version, encoding = row
    if version < SERVER_VERSION_MIN:
        raise MigrationRefused(f"PostgreSQL {version} is too old, {SERVER_VERSION_MIN} is needed")
    if encoding != "UTF8":
        raise MigrationRefused(f"the database is in {encoding}, UTF8 is needed")


async def _wait_for_lock(connection: Connection) -> None:
    async with asyncio.timeout(_WAIT_S_MAX):
        # ASYNC110 would have us wait for an event: the lock is another process's, nothing tells us.
        while (await (await connection.execute(LOCK, [MIGRATION_LOCK])).fetchone()) != (True,):  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE_S)


async def _apply(connection: Connection, migrations: list[Migration]) -> None:
    if (await (await connection.execute(EXISTS)).fetchone()) != (True,):
        await connection.execute(CREATE, prepare=False)
    applied: dict[int, str] = dict(await (await connection.execute(APPLIED)).fetchall())
    if applied and max(applied) > len(migrations):
        raise MigrationRefused(
            f"the database is at migration {max(applied)}, this program knows {len(migrations)}:"
            " it needs a newer program"
        )
    for migration in migrations:
        if migration.version in applied:
            if applied[migration.version] != migration.sha256:
                raise MigrationRefused(
                    f"migration {migration.version:04d}_{migration.name} was edited after it had been applied"
                )
            continue
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '5s'")
            await connection.execute(migration.body, prepare=False)
            await connection.execute(RECORD, [migration.version, migration.name, migration.sha256])


async def _view(connection: Connection) -> None:
    """Make room for the projections again, where a backup was made without them: they make their tables themselves."""
    if (await (await connection.execute(VIEW_IS_MISSING)).fetchone()) == (True,):
        await connection.execute(VIEW, prepare=False)
