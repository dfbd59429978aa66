"""Checkpoints in a database that has none yet."""

import asyncio

from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore


async def test_all_who_ask_first_at_the_same_moment_are_answered(database):
    """Of two sessions that made the table together one failed, and its partner was answered with status 500."""
    async with await PostgresStore.open(database) as store:
        asking = [Checkpoints(store).load(f"some {n}") for n in range(12)]
        assert await asyncio.gather(*asking) == [(0, b"")] * 12


async def test_what_is_saved_before_anybody_asked_is_kept(database):
    async with await PostgresStore.open(database) as store:
        await Checkpoints(store).save("one", 7, b"memory")
        assert await Checkpoints(store).load("one") == (7, b"memory")
        assert await Checkpoints(store).memories("o") == {"ne": b"memory"}
