"""Spells and queues, folded by the runner from a real log."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.lifecycle import Status
from domain.vocabulary import Visibility
from projections.queues import queue, queue_counts
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SPELLS = """
    SELECT seq, status, unit, nullif(to_at, 'infinity') - from_at, from_position, to_position
      FROM view.spell WHERE number = %s ORDER BY seq
"""
ENDLESS = 2**63 - 1


async def test_each_period_in_which_nothing_changed_is_one_spell(database, clock):
    async with stored(database) as store, projecting(database) as projector:
        # given
        with by():
            ticket = opened(1, vo="atlas")
        for act in (
            lambda: ticket.assign("NGI_DE"),
            ticket.start_work,
            lambda: ticket.comment("found it", Visibility.INTERNAL),
            lambda: ticket.take(UUID(int=9)),
            lambda: ticket.solve("replaced the disk"),
            ticket.verify,
        ):
            clock.forward(timedelta(hours=1))
            with by():
                act()

        # when
        await save(store, ticket)
        await caught_up(projector, store)

        # then
        hour = timedelta(hours=1)
        async with asking(database) as connection:
            spells = await (await connection.execute(SPELLS, [1])).fetchall()
        assert spells == [
            (1, "new", "TPM", hour, 1, 2),
            (2, "assigned", "NGI_DE", hour, 2, 3),
            (3, "in progress", "NGI_DE", 2 * hour, 3, 5),
            (4, "in progress", "NGI_DE", hour, 5, 6),
            (5, "solved", "NGI_DE", hour, 6, 7),
            (6, "verified", "NGI_DE", None, 7, ENDLESS),
        ]


async def test_the_queue_of_a_unit_holds_its_open_tickets_most_urgent_first_then_waiting_longest(
    database, clock
):
    async with stored(database) as store, projecting(database) as projector:
        # given
        for number, priority in enumerate(["urgent", "top priority", "urgent", "less urgent"], 1):
            with by():
                ticket = opened(number, f"problem {number}", priority=priority)
                ticket.assign("NGI_FR" if number == 4 else "NGI_DE")
            await save(store, ticket)
            clock.forward(timedelta(minutes=1))
        await caught_up(projector, store)

        # when
        async with asking(database) as connection:
            first = await queue(connection, unit="NGI_DE", limit=2)
            second = await queue(connection, unit="NGI_DE", limit=2, cursor=first.next)
            counts = await queue_counts(connection)

        # then
        assert [row.number for row in first.items] == [2, 1]
        assert [row.subject for row in second.items] == ["problem 3"]
        assert second.next is None
        assert [(each.unit, each.status, each.tickets) for each in counts] == [
            ("NGI_DE", "assigned", 3),
            ("NGI_FR", "assigned", 1),
        ]


async def test_a_queue_as_of_a_moment_is_what_it_was_then(database, clock):
    async with stored(database) as store, projecting(database) as projector:
        # given
        with by():
            ticket = opened(1)
        await save(store, ticket)
        clock.forward(timedelta(hours=1))
        with by():
            ticket.assign("NGI_DE")
        await save(store, ticket)
        clock.forward(timedelta(hours=1))
        with by():
            ticket.solve("done")
        await save(store, ticket)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:

            async def numbers(**question) -> list[int]:
                return [row.number for row in (await queue(connection, **question)).items]

            for as_of, tpm, germany in (
                (START - timedelta(minutes=1), [], []),
                (START, [1], []),
                (START + timedelta(minutes=61), [], [1]),
                (START + timedelta(hours=2), [], []),
                (1, [1], []),
                (2, [], [1]),
                (3, [], []),
                (None, [], []),
            ):
                assert await numbers(unit="TPM", as_of=as_of) == tpm, as_of
                assert await numbers(unit="NGI_DE", as_of=as_of) == germany, as_of
            assert await numbers(unit="NGI_DE", statuses={Status.SOLVED}) == [1]


async def test_a_projector_that_starts_again_goes_on_from_the_rows_that_were_written(
    database, clock
):
    async with stored(database) as store:
        with by():
            ticket = opened(1)
        await save(store, ticket)
        async with projecting(database) as projector:
            await caught_up(projector, store)
        clock.forward(timedelta(hours=1))
        with by():
            ticket.assign("NGI_DE")
        await save(store, ticket)

        # when
        async with projecting(database) as projector:
            await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            spells = await (await connection.execute(SPELLS, [1])).fetchall()
        assert spells == [
            (1, "new", "TPM", timedelta(hours=1), 1, 2),
            (2, "assigned", "NGI_DE", None, 2, ENDLESS),
        ]
