"""Rebuilding beside the live tables."""

import asyncio
from contextlib import suppress

import psycopg
import pytest

from adapters.store.connection import service_conninfo
from projections.health import status
from projections.queues import queue
from projections.rebuild import RebuildRunning, rebuild
from projections.registry import ALL
from projections.tickets import Tickets
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored


async def some_tickets(store, numbers) -> None:
    for number in numbers:
        with by():
            ticket = opened(number, vo="atlas", affected_site="SITE-A")
            ticket.assign("NGI_DE")
            if number % 2:
                ticket.solve("done")
        await save(store, ticket)


async def test_a_rebuild_of_sound_tables_finds_no_difference_and_takes_their_place(database):
    async with stored(database) as store, projecting(database) as projector:
        await some_tickets(store, range(1, 30))
        await caught_up(projector, store)
        steps = []

        # when
        done = await rebuild(service_conninfo(database, "rebuild"), progress=steps.append)

        # then
        assert [(each.name, each.ok, each.switched) for each in done] == [
            (each.name, True, True) for each in ALL
        ]
        assert {"folding", "indexing", "comparing", "switching"} == {step.step for step in steps}
        await some_tickets(store, range(30, 40))
        await caught_up(projector, store)
        async with asking(database) as connection:
            assert len((await queue(connection, unit="NGI_DE", limit=100)).items) == 19
            left = await connection.execute(
                "SELECT relname FROM pg_class WHERE relname LIKE '%\\_\\_fresh' AND relkind = 'r'"
            )
            assert await left.fetchall() == []


async def test_a_row_that_is_not_as_the_log_says_is_reported_and_put_right(database):
    async with stored(database) as store:
        async with projecting(database) as projector:
            await some_tickets(store, [1, 2, 3])
            await caught_up(projector, store)
        async with asking(database) as connection:
            await connection.execute("UPDATE view.ticket SET unit = 'NGI_FR' WHERE number = 2")
            await connection.execute("DELETE FROM view.spell_over WHERE number = 3 AND seq = 1")

        # when it is only compared, then nothing changes
        conninfo = service_conninfo(database, "rebuild")
        (found,) = await rebuild(conninfo, ["tickets"], switch=False)
        assert not found.ok

        # when
        (found,) = await rebuild(conninfo, ["tickets"])

        # then
        assert [(each.table, each.rows, each.only_live, each.only_fresh) for each in found.differences] == [
            ("ticket", 1, 0, 0), ("spell_over", 1, 0, 1),
        ]  # fmt: skip
        assert '"unit":"NGI_FR"' in found.differences[0].examples[0][0]
        (again,) = await rebuild(conninfo, ["tickets"], switch=False)
        assert again.ok


async def test_a_rebuild_goes_on_while_tickets_are_written_and_read(database):
    async with stored(database) as store, projecting(database) as projector:
        await some_tickets(store, range(1, 300))
        await caught_up(projector, store)
        finished = asyncio.Event()
        seen = []

        async def write() -> None:
            number = 300
            while not finished.is_set():
                await some_tickets(store, [number])
                number += 1

        async def read() -> None:
            async with asking(database) as connection:
                while not finished.is_set():
                    seen.append(len((await queue(connection, unit="NGI_DE", limit=150)).items))

        busy = [asyncio.create_task(write()), asyncio.create_task(read())]

        # when
        for _ in range(3):
            done = await rebuild(service_conninfo(database, "rebuild"))
            assert all(each.ok for each in done), done
        finished.set()
        await asyncio.gather(*busy)

        # then no reader ever found a gap, and the projector goes on by itself
        assert min(seen) >= 149
        await caught_up(projector, store)
        done = await rebuild(service_conninfo(database, "rebuild"), switch=False)
        assert all(each.ok for each in done), done


async def test_two_rebuilds_at_once_are_refused(database):
    conninfo = service_conninfo(database, "rebuild")
    async with stored(database) as store:
        await some_tickets(store, range(1, 50))
        results = await asyncio.gather(rebuild(conninfo), rebuild(conninfo), return_exceptions=True)
    assert sum(isinstance(each, RebuildRunning) for each in results) == 1, results


async def test_tables_of_another_form_are_built_anew_when_the_service_starts(database):
    class Later(Tickets):
        form = Tickets.form + 1

    async with stored(database) as store:
        async with projecting(database) as projector:
            await some_tickets(store, [1, 2])
            await caught_up(projector, store)

        # when
        async with projecting(database, (Later(), *ALL[1:])) as projector:
            await caught_up(projector, store)

            # then
            async with asking(database) as connection:
                row = await connection.execute(
                    "SELECT form, generation FROM view.projection WHERE name = 'tickets'"
                )
                assert await row.fetchone() == (Later.form, 2)
                assert {each.state for each in await status(connection)} == {"current"}


async def test_a_rebuild_that_dies_leaves_the_live_tables_alone(database):
    async with stored(database) as store, projecting(database) as projector:
        await some_tickets(store, range(1, 60))
        await caught_up(projector, store)

        # when
        conninfo = service_conninfo(database, "rebuild that dies")
        dying = asyncio.create_task(rebuild(conninfo))
        async with asking(database) as connection:
            while True:
                row = await (
                    await connection.execute("SELECT to_regclass('view.ticket__fresh') IS NOT NULL")
                ).fetchone()
                if row == (True,) or dying.done():
                    break
        with psycopg.connect(database, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'ticketledger rebuild that dies'"
            )
        with suppress(psycopg.OperationalError):
            await dying

        # then
        done = await rebuild(service_conninfo(database, "rebuild"))
        assert all(each.ok for each in done), done
        async with asking(database) as connection:
            assert len((await queue(connection, unit="NGI_DE")).items) == 29


async def test_an_unknown_projection_is_named(database):
    with pytest.raises(KeyError, match="nonsense"):
        await rebuild(service_conninfo(database, "rebuild"), ["nonsense"])
