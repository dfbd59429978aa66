"""The runner: crashes, rivals, failures, waiting."""

import asyncio
import statistics
from typing import ClassVar

import psycopg
import pytest

from adapters.store.connection import service_conninfo
from adapters.store.wakeup import Wakeup
from domain.exchange import Exchange
from domain.ticket import Ticket
from projections.columns import adapt
from projections.conversation_steps import ABOUT, BEGINNINGS, STEPS
from projections.entries import KINDS, Directory
from projections.health import status
from projections.log import page
from projections.positions import Overtaken, places
from projections.projection import Fold, Projection, Rows
from projections.rebuild import rebuild
from projections.registry import ALL
from projections.runner import Projector
from projections.tables import Table
from projections.ticket_page import TicketRow
from projections.tickets import CHANGES, Tickets
from projections.track import Track, take
from tests.projecting import asking, by, caught_up, made, opened, projecting, save, stored


async def live(store, numbers) -> None:
    """Tickets with a little life, each step stored on its own."""
    tickets = []
    for number in numbers:
        with by():
            tickets.append(opened(number, vo="atlas", affected_site="SITE-A"))
        await save(store, tickets[-1])
    for ticket in tickets:
        with by():
            ticket.start_work()
        await save(store, ticket)
    for ticket in tickets:
        with by():
            ticket.solve("done")
        await save(store, ticket)


async def is_sound(database) -> bool:
    done = await rebuild(service_conninfo(database, "check"), switch=False)
    assert all(each.ok for each in done), done
    return True


def test_every_event_of_a_ticket_an_exchange_and_the_directory_has_its_row_in_a_fold():
    assert set(CHANGES) | {Ticket.Opened} == set(Ticket.mutators)
    assert {Exchange.Opened} | set(ABOUT) | set(BEGINNINGS) | set(STEPS) == set(Exchange.mutators)
    entries = {kind.aggregate for kind in KINDS}
    assert set(Directory.topics) == {event for each in entries for event in each.mutators}


async def test_a_runner_that_is_killed_between_batches_is_continued_without_loss_or_doubling(
    database,
):
    async with stored(database) as store:
        await live(store, range(1, 80))
        conninfo = service_conninfo(database, "projector")
        for _ in range(12):
            # when it dies somewhere, also in the middle of a batch
            projector = Projector(conninfo, page_max=10)
            running = asyncio.create_task(projector.run(asyncio.Event()))
            await asyncio.sleep(0.03)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        async with projecting(database, page_max=10) as projector:
            await caught_up(projector, store)
        assert await is_sound(database)


async def test_one_of_two_runners_is_active_and_the_other_takes_over(database):
    async with stored(database) as store, projecting(database) as first:
        await live(store, range(1, 10))
        await caught_up(first, store)
        async with projecting(database) as second:
            # then the one that stands by still knows how far the other one is
            await live(store, range(10, 20))
            await caught_up(second, store)
            assert (first.active, second.active) == (True, False)

            # when the session of the active one dies
            with psycopg.connect(database, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'ticketledger projector'"
                )
            await live(store, range(20, 30))
            await caught_up(first, store)
            await caught_up(second, store)
            assert [first.active, second.active].count(True) == 1
        assert await is_sound(database)


async def test_a_paused_runner_that_was_overtaken_writes_nothing(database):
    async with stored(database) as store:
        await live(store, range(1, 5))
        connection = await psycopg.AsyncConnection.connect(
            service_conninfo(database, "paused"), autocommit=True
        )
        async with connection:
            adapt(connection)
            await made(connection)
            place = (await places(connection))["tickets"]
            paused = Track(Tickets(), place)
            events = await page(connection, 0, 10**9, 3)

            # when another one goes on meanwhile
            async with projecting(database) as projector:
                await caught_up(projector, store)

            # then
            with pytest.raises(Overtaken):
                await paused.take(connection, events)
        assert await is_sound(database)


async def test_of_projections_that_go_together_none_writes_anything_when_one_was_overtaken(
    database,
):
    async with stored(database) as store:
        await live(store, range(1, 5))
        connection = await psycopg.AsyncConnection.connect(
            service_conninfo(database, "paused"), autocommit=True
        )
        async with connection:
            adapt(connection)
            await made(connection)
            tracks = [Track(each, (await places(connection))[each.name]) for each in ALL]
            events = await page(connection, 0, 10**9, 3)

            # when another one moves the last of them on meanwhile
            await connection.execute(
                "UPDATE view.projection SET position = 1 WHERE name = %s", [tracks[-1].name]
            )
            with pytest.raises(Overtaken):
                await take(connection, tracks, events)

            # then
            found = {name: place.position for name, place in (await places(connection)).items()}
            assert found == {each.name: 0 for each in ALL[:-1]} | {ALL[-1].name: 1}
            cursor = await connection.execute("SELECT count(*) FROM view.ticket")
            assert await cursor.fetchone() == (0,)


async def test_events_that_are_delivered_twice_change_nothing(database):
    async with stored(database) as store, projecting(database) as projector:
        await live(store, range(1, 5))
        await caught_up(projector, store)
        async with asking(database) as connection:
            await connection.execute("UPDATE view.projection SET position = 2, generation = 5")
        await live(store, range(5, 8))
        await caught_up(projector, store)
        assert await is_sound(database)


class Broken(Projection):
    """Cannot go past the first event about a ticket."""

    name: ClassVar = "broken"
    form: ClassVar = 1
    tables: ClassVar = (Table("broken", TicketRow, key=("number",)),)
    topics: ClassVar = (Ticket.Opened,)

    def fold(self) -> Fold:
        return BrokenFold()


class BrokenFold(Fold):
    rows = (Rows(Broken.tables[0]),)

    async def load(self, connection, events, suffix="") -> None:
        """Nothing."""

    def apply(self, events) -> None:
        raise ValueError("this fold cannot read")


async def test_a_broken_projection_stands_still_for_all_to_see_and_holds_up_nobody(database):
    async with stored(database) as store, projecting(database, (*ALL, Broken())) as projector:
        await live(store, [1, 2])
        head = await store.head()
        assert await projector.wait_for(head, 5, [each.name for each in ALL])
        assert not await projector.wait_for(head, 5)
        async with asking(database) as connection:
            healths = {each.name: each for each in await status(connection)}
        assert healths["tickets"].state == "current"
        assert healths["broken"].state == "stalled"
        assert "cannot read" in healths["broken"].error


async def test_a_log_that_grows_without_a_runner_is_catching_up_then_stalled(database, monkeypatch):
    async with stored(database) as store:
        async with projecting(database) as projector:
            await live(store, [1])
            await caught_up(projector, store)
        await live(store, [2])
        async with asking(database) as connection:
            assert {each.state for each in await status(connection)} == {"catching up"}
            monkeypatch.setattr("projections.health.STALLED_AFTER_S", 0.0)
            healths = await status(connection)
            assert {each.state for each in healths} == {"stalled"}
            assert {each.behind for each in healths} == {3}


async def test_the_projector_survives_a_database_session_that_is_killed_under_it(database):
    async with stored(database) as store, projecting(database) as projector:
        for number in range(1, 6):
            await live(store, [number])
            with psycopg.connect(database, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'ticketledger projector'"
                )
        await caught_up(projector, store)
        assert await is_sound(database)


async def test_waiting_for_a_position_that_does_not_come_ends_in_time(database):
    async with stored(database) as store, projecting(database) as projector:
        await live(store, [1])
        await caught_up(projector, store)
        assert not await projector.wait_for(10**6, 0.05)


async def test_reading_your_own_write_takes_a_few_milliseconds(database):
    async with stored(database) as store, Wakeup(database) as wakeup:
        async with projecting(database, wakeup=wakeup) as projector:
            loop, waits = asyncio.get_running_loop(), []
            for number in range(1, 60):
                with by():
                    ticket = opened(number)
                receipt = await save(store, ticket)
                began = loop.time()
                assert await projector.wait_for(receipt.position, 5)
                waits.append(loop.time() - began)
        print(f"read your own write: median {statistics.median(waits) * 1000:.1f} ms, "
              f"longest {max(waits) * 1000:.1f} ms")  # fmt: skip


async def test_catching_up_never_holds_the_event_loop_for_long(database):
    async with stored(database) as store:
        await live(store, range(1, 400))
        loop, longest = asyncio.get_running_loop(), 0.0

        async def watch() -> None:
            nonlocal longest
            before = loop.time()
            while True:
                await asyncio.sleep(0)
                now = loop.time()
                longest, before = max(longest, now - before), now

        async with projecting(database) as projector:
            watching = asyncio.create_task(watch())
            await caught_up(projector, store)
            watching.cancel()
        print(f"longest time without a pause: {longest * 1000:.1f} ms")
        assert longest < 0.5, "far beyond what a busy machine explains"
