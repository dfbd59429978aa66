"""Hearing of new events: at once, by all who wait, and again after a loss."""

import asyncio
from uuid import uuid4

import psycopg

from adapters.store.engine import PostgresStore
from adapters.store.wakeup import Wakeup
from tests.storing import one
from tests.wire import wire_to


async def now_or_soon(condition, seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def test_what_stood_in_the_log_before_is_told_first(database: str):
    async with await PostgresStore.open(database) as store:
        await store.append(one(uuid4(), 1))
    async with Wakeup(database) as wakeup:
        assert await wakeup.wait(0, timeout=2) == 1


async def test_all_waiters_hear_of_an_event_within_milliseconds(database: str):
    loop = asyncio.get_running_loop()
    async with await PostgresStore.open(database) as store, Wakeup(database) as wakeup:
        await store.append(one(uuid4(), 1))
        await wakeup.wait(0, timeout=2)
        delays = []
        for head in range(1, 21):
            waiters = [asyncio.create_task(wakeup.wait(head, timeout=2)) for _ in range(50)]
            await asyncio.sleep(0)
            await store.append(one(uuid4(), 1))
            appended = loop.time()
            assert await asyncio.gather(*waiters) == [head + 1] * 50
            delays.append(loop.time() - appended)
        assert sorted(delays)[10] < 0.015


async def test_waiting_ends_when_its_time_is_up(database: str):
    async with Wakeup(database) as wakeup:
        assert await wakeup.wait(0, timeout=0.05) == 0
        assert await wakeup.wait(7, timeout=0) == 0


async def kill_listener(database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        cursor = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'ticketledger wakeup'"
        )
        assert await cursor.fetchall() == [(True,)]


async def test_a_killed_listener_is_replaced_within_two_seconds(database: str):
    async with await PostgresStore.open(database) as store, Wakeup(database) as wakeup:
        await store.append(one(uuid4(), 1))
        await wakeup.wait(0, timeout=2)
        for head in (1, 2, 3):
            await kill_listener(database)
            waiter = asyncio.create_task(wakeup.wait(head, timeout=5))
            await store.append(one(uuid4(), 1))  # while nobody listens
            async with asyncio.timeout(2):
                assert await waiter == head + 1
        assert wakeup.connections == 4


async def test_a_notification_that_got_lost_is_made_up_for_by_looking(database: str):
    async with await PostgresStore.open(database) as store, Wakeup(database) as wakeup:
        await wakeup.wait(0, timeout=0.3)
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as owner:
            # An event that nothing announces.
            await owner.execute(
                "INSERT INTO ledger.event VALUES (1, 1, clock_timestamp(), gen_random_uuid(), 't', 'x')"
            )
        async with asyncio.timeout(2):
            assert await wakeup.wait(0, timeout=5) == 1
        assert await store.head() == 1


async def test_a_database_that_was_away_is_heard_again(database: str):
    async with (
        await PostgresStore.open(database) as store,
        wire_to(database) as wire,
        Wakeup(wire.conninfo) as wakeup,
    ):
        assert await now_or_soon(lambda: wakeup.connections == 1, 2)
        wire.cut()
        await store.append(one(uuid4(), 1))
        async with asyncio.timeout(2):
            assert await wakeup.wait(0, timeout=5) == 1


async def test_closing_does_not_wait_for_the_database(bare_database: str):
    """There is no role to take yet: every attempt to connect fails."""
    async with asyncio.timeout(2), Wakeup(bare_database) as wakeup:
        await asyncio.sleep(0.05)
        assert wakeup.head == 0
