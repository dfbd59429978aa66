"""What the database itself refuses, and how it comes into being."""

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.store.connection import connect, service_conninfo
from adapters.store.engine import PostgresStore
from adapters.store.migrate import Migration, MigrationRefused, bundled, migrate
from domain.errors import StoreUnavailable
from tests.storing import one

ROOT = Path(__file__).parents[2]
APPEND = "SELECT ledger.append(ARRAY[gen_random_uuid()], ARRAY[%s::bigint], ARRAY['t'], ARRAY['x'::bytea])"
CHANGES = [
    "UPDATE ledger.event SET topic = 'another'",
    "DELETE FROM ledger.event",
    "TRUNCATE ledger.event",
]


# -- roles -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        *CHANGES,
        "UPDATE ledger.content SET body = ''",
        "DELETE FROM ledger.claim",
        "UPDATE ledger.claim SET key = ''",
        "UPDATE ledger.answer SET body = ''",
        "TRUNCATE ledger.content",
        "DROP TABLE ledger.event",
        "ALTER TABLE ledger.event DISABLE TRIGGER event_is_final",
        "CREATE TABLE ledger.mine (number int)",
        "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
        "DELETE FROM ledger.migration",
        "SELECT setval('ledger.ticket_number', 1)",
        "SET session_replication_role = replica",
    ],
)
async def test_the_service_cannot_change_what_was_stored(database: str, statement: str):
    async with await PostgresStore.open(database) as store:
        await store.append(one(uuid4(), 1))
    async with await connect(service_conninfo(database, "test")) as service:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await service.execute(statement)


async def test_the_service_makes_its_own_views(database: str):
    async with await connect(service_conninfo(database, "test")) as service:
        await service.execute("CREATE TABLE view.mine (number int)")
        await service.execute("DROP TABLE view.mine")


@pytest.mark.parametrize("before", ["", "SET session_replication_role = replica; "])
@pytest.mark.parametrize("statement", CHANGES)
async def test_even_the_owner_cannot_change_an_event(database: str, statement: str, before: str):
    async with await connect(database) as owner:
        await owner.execute(APPEND, [1])
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed or removed"):
            await owner.execute(before + statement, prepare=False)
        cursor = await owner.execute("SELECT topic FROM ledger.event")
        assert await cursor.fetchall() == [("t",)]


async def test_a_gap_in_a_stream_is_refused_by_the_database_itself(database: str):
    async with await connect(database) as owner:
        with pytest.raises(psycopg.errors.UniqueViolation, match="does not follow"):
            await owner.execute(APPEND, [2])


async def test_a_database_without_a_ledger_is_named_as_such(database: str, bare_database: str):
    with pytest.raises(StoreUnavailable, match="migrate it first"):
        await PostgresStore.open(bare_database)


# -- migrations ------------------------------------------------------------------------------------------


PROGRAM = """
import asyncio, sys
from uuid import uuid4
from adapters.store.engine import PostgresStore
from adapters.store.migrate import migrate
from tests.storing import one

async def main(conninfo):
    await migrate(conninfo)
    async with await PostgresStore.open(conninfo) as store:
        await store.append(one(uuid4(), 1))

asyncio.run(main(sys.argv[1]))
"""


async def test_eight_processes_start_at_once_on_an_empty_database(bare_database: str):
    for _ in range(2):  # and once more on the database that is there by then
        processes = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", PROGRAM, bare_database, env={"PYTHONPATH": str(ROOT)}
            )
            for _ in range(8)
        ]
        assert [await process.wait() for process in processes] == [0] * 8
    async with await PostgresStore.open(bare_database) as store:
        assert await store.head() == 16


async def applied(conninfo: str) -> list[str]:
    async with await connect(conninfo) as connection:
        cursor = await connection.execute("SELECT name FROM ledger.migration ORDER BY version")
        return [name for (name,) in await cursor.fetchall()]


async def test_migrating_again_changes_nothing(database: str):
    await migrate(database)
    assert await applied(database) == [migration.name for migration in bundled()]


async def test_an_edited_migration_is_refused(database: str):
    first, *rest = bundled()
    edited = Migration(first.version, first.name, first.body + b"\n")
    with pytest.raises(MigrationRefused, match="0001_ledger was edited"):
        await migrate(database, [edited, *rest])


async def test_a_database_newer_than_the_program_is_refused(database: str):
    await migrate(database, [*bundled(), Migration(len(bundled()) + 1, "later", b"SELECT 1")])
    with pytest.raises(MigrationRefused, match="needs a newer program"):
        await migrate(database)


async def test_a_migration_that_fails_leaves_nothing_and_can_be_repaired(database: str):
    number = len(bundled()) + 1
    broken = Migration(number, "broken", b"CREATE TABLE ledger.half (number int); SELECT 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(database, [*bundled(), broken])
    assert await applied(database) == [migration.name for migration in bundled()]

    whole = Migration(number, "whole", b"CREATE TABLE ledger.half (number int)")
    await migrate(database, [*bundled(), whole])
    assert (await applied(database))[-1] == "whole"
