"""Many processes on one log, and maintenance beside them."""

import asyncio
import json
import sys
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.store.engine import PostgresStore
from tests.storing import one

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("racing_writer.py")
PROCESSES = 8


async def start(program: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )


async def test_a_tailing_reader_skips_nothing_while_eight_processes_write_and_roll_back(
    database: str,
):
    writers = [
        await start(WRITER, database, str(seed), "4")
        for seed in range(PROCESSES)
    ]  # fmt: skip
    results = asyncio.gather(*(writer.communicate() for writer in writers))

    seen = []
    async with await PostgresStore.open(database) as store:
        while True:
            ended = results.done()
            page = await store.log(seen[-1].position if seen else 0, 500)
            seen += page
            if ended and not page:
                break
            await asyncio.sleep(0)

    told = [json.loads(output) for output, _ in await results]
    assert [each.position for each in seen] == list(range(1, len(seen) + 1))
    assert [each.recorded_at for each in seen] == sorted(each.recorded_at for each in seen)
    positions = [
        position
        for process in told
        for first, last in process["told"]
        for position in range(first, last + 1)
    ]
    assert sorted(positions) == [each.position for each in seen]
    heads: dict = {}
    for each in seen:
        event = each.event
        assert event.originator_version == heads.get(event.originator_id, 0) + 1
        heads[event.originator_id] = event.originator_version
    assert all(process["told"] for process in told)
    assert sum(process["conflicts"] for process in told) > 0


# -- maintenance -----------------------------------------------------------------------------------------

# Each is made to last as long as on a large table.
MAINTENANCE = {
    "vacuum": (
        "SET vacuum_cost_delay = '20ms'; SET vacuum_cost_limit = 20",
        "VACUUM (FREEZE) ledger.event",
    ),
    "analyze": (
        "SET vacuum_cost_delay = '20ms'; SET vacuum_cost_limit = 20",
        "ANALYZE ledger.event",
    ),
    "index": (
        """
        CREATE FUNCTION slow(bytea) RETURNS int IMMUTABLE LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_sleep(0.001); RETURN 1; END'
        """,
        "CREATE INDEX CONCURRENTLY ON ledger.event (public.slow(state)) WHERE position <= 500",
    ),
}


@pytest.fixture
async def filled(database: str) -> str:
    """Give a database with 10,000 events, enough for maintenance to last a second."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(
            "SELECT ledger.append(array_agg(gen_random_uuid()), array_agg(1::bigint), array_agg('t'::text),"
            " array_agg(decode(repeat('ab', 500), 'hex'))) FROM generate_series(1, 10000)"
        )
    return database


@pytest.mark.parametrize("kind", MAINTENANCE)
async def test_writes_go_on_during_maintenance(filled: str, kind: str):
    loop = asyncio.get_running_loop()
    prepare, maintain = MAINTENANCE[kind]
    async with (
        await PostgresStore.open(filled) as store,
        await psycopg.AsyncConnection.connect(filled, autocommit=True) as connection,
    ):
        await connection.execute(prepare)
        await store.append(one(uuid4(), 1))

        started = loop.time()
        maintenance = asyncio.create_task(connection.execute(maintain))
        slowest = written = 0
        while not maintenance.done():
            before = loop.time()
            await store.append(one(uuid4(), 1))
            slowest, written = max(slowest, loop.time() - before), written + 1
        lasted = loop.time() - started
        await maintenance

    assert lasted > 0.2, "too quick to tell anything"
    assert written > 20
    assert slowest < lasted / 2
    assert slowest < 0.5
