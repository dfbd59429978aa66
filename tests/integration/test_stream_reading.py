"""Streams that are read together on a real server: each caller gets its own, all of it, and no one waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, LiteralString
from uuid import UUID, uuid4

import pytest

from adapters.store.engine import PostgresStore
from adapters.store.stream_reading import STREAMS_MAX, WAYS_MAX, StreamReading
from domain.errors import StoreUnavailable
from tests.storing import one


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(database) as store:
        yield store


async def stored(store: PostgresStore, lengths: Sequence[int]) -> list[UUID]:
    """Streams of these lengths, their events mixed in the log."""
    streams = [uuid4() for _ in lengths]
    for version in range(1, max(lengths) + 1):
        await asyncio.gather(
            *(
                store.append(one(stream, version))
                for stream, length in zip(streams, lengths, strict=True)
                if version <= length
            )
        )
    return streams


async def test_each_of_many_who_read_together_gets_its_own_stream(store: PostgresStore):
    lengths = [1 + number % 5 for number in range(3 * STREAMS_MAX + 1)]
    streams = await stored(store, lengths)
    before = store.streams.statements

    histories = await asyncio.gather(*map(store.stream, streams))

    for stream, length, history in zip(streams, lengths, histories, strict=True):
        assert {each.event.originator_id for each in history} == {stream}
        assert [each.event.originator_version for each in history] == [*range(1, length + 1)]
    assert store.streams.statements - before == 4


async def test_what_is_read_together_is_what_is_read_alone(store: PostgresStore):
    streams = await stored(store, [3, 1, 2])

    together = await asyncio.gather(*map(store.stream, streams))

    assert together == [await store.stream(stream) for stream in streams]


async def test_a_stream_without_events_is_empty_among_others(store: PostgresStore):
    (stream,) = await stored(store, [2])

    nothing, history, again, nothing_either = await asyncio.gather(
        store.stream(uuid4()), store.stream(stream), store.stream(stream), store.stream(uuid4())
    )

    assert (nothing, nothing_either) == ([], [])
    assert history == again
    assert len(history) == 2


async def test_what_was_stored_before_reading_is_read_however_busy_the_readers_are(
    store: PostgresStore,
):
    async def write_and_read() -> None:
        stream = uuid4()
        for version in range(1, 6):
            await store.append(one(stream, version))
            assert len(await store.stream(stream)) == version

    await asyncio.gather(*(write_and_read() for _ in range(50)))


async def test_who_went_away_takes_nobody_along(store: PostgresStore):
    streams = await stored(store, [1] * 10)
    readers = [asyncio.create_task(store.stream(stream)) for stream in streams]
    await asyncio.sleep(0)

    readers[3].cancel()
    told = await asyncio.gather(*readers, return_exceptions=True)

    assert isinstance(told.pop(3), asyncio.CancelledError)
    assert all(isinstance(each, list) and len(each) == 1 for each in told)


# -- a database that does not answer as it should ----------------------------------------------------------


async def test_a_refusal_is_told_to_all_who_waited_and_the_next_are_answered():
    refusals = [StoreUnavailable("away")]

    async def ask(_: LiteralString, __: Sequence[Any]) -> list[tuple[Any, ...]]:
        if refusals:
            raise refusals.pop()
        return []

    reading = StreamReading(ask)
    told = await asyncio.gather(*(reading.read(uuid4()) for _ in range(5)), return_exceptions=True)

    assert [type(each) for each in told] == [StoreUnavailable] * 5
    assert await reading.read(uuid4()) == []


async def test_a_statement_that_takes_long_does_not_keep_the_others_waiting():
    slow, answered = uuid4(), asyncio.Event()

    async def ask(_: LiteralString, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        if parameters[0] == slow:
            await answered.wait()
        return []

    reading = StreamReading(ask)
    waits = reading.read(slow)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert WAYS_MAX > 1
    for _ in range(3):
        assert await asyncio.wait_for(reading.read(uuid4()), 5) == []
    assert not waits.done()
    answered.set()
    assert await waits == []


async def test_nobody_waits_for_ever_when_the_loop_is_shut_down():
    async def ask(_: LiteralString, __: Sequence[Any]) -> list[tuple[Any, ...]]:
        raise asyncio.CancelledError

    reading = StreamReading(ask)
    waiting = [reading.read(uuid4()) for _ in range(STREAMS_MAX + 5)]

    told = await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(each, asyncio.CancelledError) for each in told)
