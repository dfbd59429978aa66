"""One of several workers works at a time."""

import asyncio

import psycopg
import pytest

from adapters.store.alone import alone

LOCK = 4711


class Worker:
    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.begun.set()
        try:
            await stop.wait()
        finally:
            self.ended.set()


async def test_the_second_takes_over_when_the_first_ends(database):
    first, second, stop_first, stop_second = Worker(), Worker(), asyncio.Event(), asyncio.Event()
    one = asyncio.create_task(alone(database, LOCK, first.run, stop_first))
    await asyncio.wait_for(first.begun.wait(), 5)
    two = asyncio.create_task(alone(database, LOCK, second.run, stop_second))
    await asyncio.sleep(0.3)
    assert not second.begun.is_set()
    stop_first.set()
    await one
    await asyncio.wait_for(second.begun.wait(), 5)
    stop_second.set()
    await two


async def test_who_loses_the_connection_stops_to_work(database):
    worker = Worker()
    task = asyncio.create_task(alone(database, LOCK, worker.run, asyncio.Event()))
    await asyncio.wait_for(worker.begun.wait(), 5)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'ticketledger sole worker' AND datname = current_database()"
        )
    await asyncio.wait_for(worker.ended.wait(), 5)
    with pytest.raises(psycopg.OperationalError):
        await task
