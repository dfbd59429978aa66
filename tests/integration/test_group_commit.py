"""The writer on a real server: whose outcome is whose, and what is known after a loss."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from adapters.store import group_commit
from adapters.store.engine import PostgresStore
from adapters.store.migrate import migrate
from adapters.store.parcel import Parcel
from domain.aggregate import Claim
from domain.errors import (
    AlreadyClaimed,
    KeyReplayed,
    Refused,
    StaleVersion,
    StoreUnavailable,
    TooLarge,
)
from domain.store import Answer, Append, Receipt
from tests.conftest import server_folder
from tests.storing import large, one, taken
from tests.wire import wire_to


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(database) as store:
        yield store


async def outcomes(store: PostgresStore, *appends: Append) -> list[Receipt | Refused]:
    return await asyncio.gather(*map(store.append, appends), return_exceptions=True)


# -- whose outcome is whose ------------------------------------------------------------------------------


async def test_commands_that_arrive_together_share_a_transaction(store: PostgresStore):
    receipts = await outcomes(store, *(one(uuid4(), 1) for _ in range(100)))

    assert [receipt.position for receipt in receipts] == list(range(1, 101))
    assert len({receipt.recorded_at for receipt in receipts}) == 1
    assert store.writer.batches == 1


async def test_each_of_a_batch_is_told_its_own_outcome(store: PostgresStore):
    stream, other = uuid4(), uuid4()
    answer = Answer("user:x", "key", b"hash")
    await store.append(one(stream, 1, claims=[Claim("link", "1", stream)], answer=answer))

    told = await outcomes(
        store,
        one(stream, 1),  # somebody was faster
        one(stream, 2),
        one(stream, 2),  # the one before was faster
        one(stream, 3),  # follows an earlier one of the batch
        one(stream, 5),  # leaves a gap
        one(other, 1, claims=[Claim("link", "1", other)]),
        one(other, 1, claims=[Claim("link", "2", other)]),
        one(other, 2, claims=[Claim("link", "2", other)]),  # claimed by the one before
        one(other, 9, answer=answer),  # replayed: that it is stale as well matters less
        one(other, 2),
    )

    assert [type(each) for each in told] == [
        StaleVersion, Receipt, StaleVersion, Receipt, StaleVersion,
        AlreadyClaimed, Receipt, AlreadyClaimed, KeyReplayed, Receipt,
    ]  # fmt: skip
    assert [each.position for each in told if isinstance(each, Receipt)] == [2, 3, 4, 5]
    assert (told[0].actual, told[2].actual, told[4].actual) == (1, 2, 3)
    assert (told[5].holder, told[7].holder) == (stream, other)
    assert store.writer.batches == 2


async def test_versions_in_the_wrong_order_of_arrival_are_not_mended(store: PostgresStore):
    stream = uuid4()
    told = await outcomes(store, one(stream, 2), one(stream, 1))
    assert [type(each) for each in told] == [StaleVersion, Receipt]


async def test_one_that_the_database_cannot_take_does_not_harm_the_others(store: PostgresStore):
    good = [store.append(one(uuid4(), 1)) for _ in range(3)]
    bad = Parcel([uuid4()], [1], ["a topic with a zero \0"], [b"{}"])

    told = await asyncio.gather(
        good[0], store.writer.submit(bad), *good[1:], return_exceptions=True
    )

    assert [type(told[place]) for place in (0, 2, 3)] == [Receipt] * 3
    assert isinstance(told[1], psycopg.DataError)


async def test_a_caller_who_went_away_before_sending_leaves_nothing(store: PostgresStore):
    stream = uuid4()
    patient = [asyncio.create_task(store.append(one(uuid4(), 1))) for _ in range(3)]
    hasty = asyncio.create_task(store.append(one(stream, 1)))
    await asyncio.sleep(0)
    hasty.cancel()

    receipts = await asyncio.gather(*patient)

    assert sorted(receipt.position for receipt in receipts) == [1, 2, 3]
    assert hasty.cancelled()
    assert await store.stream(stream) == []


async def test_a_caller_who_went_away_while_it_was_sent_does_not_harm_the_others(store):
    first = asyncio.create_task(store.append(one(uuid4(), 1)))
    while not store.writer.batches:  # noqa: ASYNC110 - a counter, not an event
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert (await store.append(one(uuid4(), 1))).position == 2


# -- size ------------------------------------------------------------------------------------------------


async def test_ten_megabytes_are_answered_within_two_seconds(store: PostgresStore):
    refused, stored = (
        Append([taken(uuid4(), 1, "x" * 10_000_000)]),
        one(uuid4(), 1, contents=[large(5_000_000), large(5_000_000)]),
    )
    started = time.monotonic()
    told = await outcomes(store, refused, stored, one(uuid4(), 1))

    assert [type(each) for each in told] == [TooLarge, Receipt, Receipt]
    assert time.monotonic() - started < 2


async def test_batches_are_bounded(store: PostgresStore):
    told = await outcomes(
        store,
        *(Append([taken(uuid4(), 1) for _ in range(1000)]) for _ in range(9)),
        *(one(uuid4(), 1, contents=[large(3 << 20)]) for _ in range(5)),
    )
    assert all(isinstance(each, Receipt) for each in told)
    assert store.writer.batches == 3 + 2  # 4000, 4000 and 1000 events; the first of 6 MB goes along


async def test_a_queue_that_is_full_refuses_at_once(store: PostgresStore, monkeypatch):
    monkeypatch.setattr(group_commit, "QUEUE_PARCELS_MAX", 10)
    told = await outcomes(store, *(one(uuid4(), 1) for _ in range(15)))
    assert [type(each) for each in told] == [Receipt] * 10 + [StoreUnavailable] * 5


# -- losses ----------------------------------------------------------------------------------------------


async def kill_backends(database: str, name: str) -> int:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        cursor = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s",
            [f"ticketledger {name}"],
        )
        return len(await cursor.fetchall())


async def test_killed_connections_are_replaced_unnoticed(store: PostgresStore, database: str):
    await store.append(one(uuid4(), 1))
    for _ in range(3):
        assert await kill_backends(database, "writer") == 1
        assert await kill_backends(database, "reader") >= 1
        told = await outcomes(store, *(one(uuid4(), 1) for _ in range(10)))
        assert all(isinstance(each, Receipt) for each in told)
        assert await store.head() == told[-1].position


async def test_a_lost_acknowledgement_is_found_in_the_log(database: str):
    async with wire_to(database) as wire, await PostgresStore.open(wire.conninfo) as store:
        await store.append(one(uuid4(), 1))
        stream, other = uuid4(), uuid4()
        wire.answers_lost = True
        appends = [
            asyncio.create_task(store.append(append))
            for append in (Append([taken(stream, 1), taken(stream, 2)]), one(other, 1))
        ]
        while store.writer.losses == 0:  # noqa: ASYNC110 - a counter, not an event
            await asyncio.sleep(0.001)
        wire.answers_lost = False

        receipts = await asyncio.gather(*appends)

        assert [(each.first_position, each.position) for each in receipts] == [(2, 3), (4, 4)]
        assert await store.head() == 4


async def test_after_a_loss_another_writers_event_is_told_as_a_conflict(database: str):
    stream = uuid4()
    async with (
        await PostgresStore.open(database) as rival,
        wire_to(database) as wire,
        await PostgresStore.open(wire.conninfo) as store,
    ):
        await rival.append(one(stream, 1))
        wire.cut()
        told = await outcomes(store, one(stream, 1), one(stream, 2))
        assert [type(each) for each in told] == [StaleVersion, Receipt]


async def test_a_database_that_is_away_is_told_in_time_and_found_again(database: str, monkeypatch):
    for module in ("group_commit", "engine"):
        monkeypatch.setattr(f"adapters.store.{module}.PATIENCE_S", 0.5)
    async with wire_to(database) as wire, await PostgresStore.open(wire.conninfo) as store:
        socket = Path(psycopg.conninfo.conninfo_to_dict(wire.conninfo)["host"]) / ".s.PGSQL.5432"
        away = socket.with_name("away")
        socket.rename(away)
        wire.cut()

        started = time.monotonic()
        told = await outcomes(store, *(one(uuid4(), 1) for _ in range(5)))
        with pytest.raises(StoreUnavailable):
            await store.head()
        assert time.monotonic() - started < 3
        assert {type(each) for each in told} == {StoreUnavailable}
        assert "cannot be reached" in str(told[0])

        away.rename(socket)
        monkeypatch.setattr(
            "adapters.store.engine.PATIENCE_S", 10.0
        )  # the pool comes back later and later
        assert (await store.append(one(uuid4(), 1))).position == 1
        assert await store.head() == 1


async def test_a_lock_that_is_never_released_is_told_as_unavailable(database: str, monkeypatch):
    monkeypatch.setattr("adapters.store.engine.STATEMENT_S_MAX", 0.3)
    async with (
        await PostgresStore.open(database) as store,
        await psycopg.AsyncConnection.connect(database) as holder,
    ):
        await holder.execute("SELECT pg_advisory_xact_lock(5640100001)")
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            await store.append(one(uuid4(), 1))
        await holder.rollback()
        assert (await store.append(one(uuid4(), 1))).position == 1


async def test_a_frozen_server_does_not_hold_callers_for_ever(database: str, monkeypatch):
    monkeypatch.setattr("adapters.store.engine.STATEMENT_S_MAX", 0.5)
    monkeypatch.setattr(group_commit, "_SILENCE_S_MAX", 1.0)
    async with await PostgresStore.open(database) as store:
        await store.append(one(uuid4(), 1))
        ((pid,),) = await store.rows(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'ticketledger writer'"
            " AND datname = current_database()"
        )
        os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            (told,) = await outcomes(store, one(uuid4(), 1))
            assert time.monotonic() - started < 8
            assert isinstance(told, Receipt | StoreUnavailable)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert isinstance(await store.append(one(uuid4(), 1)), Receipt)


async def test_closing_finishes_what_was_taken_and_takes_no_more(database: str):
    store = await PostgresStore.open(database)
    waiting = asyncio.create_task(store.append(one(uuid4(), 1)))
    await asyncio.sleep(0)
    await store.close()
    assert (await waiting).position == 1
    with pytest.raises(StoreUnavailable):
        await store.append(one(uuid4(), 1))


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(data_dir: Path):
    """Kill -9 in the middle of batches; the server is started again by its supervisor."""
    from adapters.store.embedded import EmbeddedServer

    acknowledged: dict[int, Append] = {}
    refused = 0
    with EmbeddedServer.start(data_dir, bin_dir=server_folder("wheel")) as server:
        await migrate(server.dsn())
        async with await PostgresStore.open(server.dsn()) as store:
            stop = asyncio.get_running_loop().time() + 4

            async def command() -> None:
                nonlocal refused
                stream, version = uuid4(), 1
                while asyncio.get_running_loop().time() < stop:
                    append = one(stream, version)
                    try:
                        receipt = await store.append(append)
                    except StoreUnavailable:
                        refused += 1
                        stream, version = uuid4(), 1
                    else:
                        acknowledged[receipt.position] = append
                        version += 1

            commands = [asyncio.create_task(command()) for _ in range(16)]
            for _ in range(2):
                await asyncio.sleep(1)
                killed = server.pid
                os.kill(killed, signal.SIGKILL)
            await asyncio.gather(*commands)

            log = {each.position: each.event for each in await store.log(0, 1_000_000)}
    assert list(log) == list(range(1, len(log) + 1))
    assert {position: log[position] for position in acknowledged} == {
        position: append.events[0] for position, append in acknowledged.items()
    }
    assert len(log) - len(acknowledged) <= refused
    assert store.writer.losses > 0
    assert len(acknowledged) > 100
