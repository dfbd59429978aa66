"""What a ticket and a queue were at a moment, and what became different."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.errors import TicketNotFound
from replay.history import queue_at, queue_difference, ticket_at, ticket_difference
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored

HOUR = timedelta(hours=1)


async def test_two_moments_of_a_ticket_differ_field_by_field(database, clock):
    async with stored(database) as store:
        # given
        began = clock.now
        with by():
            ticket = opened(1, "no space")
        clock.forward(HOUR)
        with by():
            ticket.assign("NGI_DE")
            ticket.take(UUID(int=9))
        clock.forward(HOUR)
        with by():
            ticket.solve("a new disk")
        await save(store, ticket)

        # when
        difference = await ticket_difference(store, 1, began, began + HOUR)

        # then
        assert {(each.field, each.before, each.after) for each in difference.changes} == {
            ("status", "new", "assigned"),
            ("unit", "TPM", "NGI_DE"),
            ("assignee", None, UUID(int=9)),
            ("status_since", began, began + HOUR),
        }
        assert [each.position for each in difference.events] == [2, 3]
        whole = await ticket_difference(store, 1, began - HOUR)
        assert whole.before is None
        assert whole.after.state["solution"] == "a new disk"
        assert (await ticket_at(store, 1, 1)).state["subject"] == "no space"
        assert (await ticket_difference(store, 1, 4, 4)).changes == []
        with pytest.raises(TicketNotFound):
            await ticket_at(store, 1, began - HOUR)


async def test_two_moments_of_a_queue_differ_by_what_came_went_and_changed(database, clock):
    async with stored(database) as store, projecting(database) as projector:
        # given
        tickets = {}
        for number in (1, 2):
            with by():
                tickets[number] = opened(number)
                tickets[number].assign("NGI_DE")
            await save(store, tickets[number])
        before = clock.now
        clock.forward(HOUR)
        with by():
            tickets[1].solve("done")
            tickets[2].start_work()
            tickets[3] = opened(3)
            tickets[3].assign("NGI_DE")
        await save(store, *tickets.values())
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            difference = await queue_difference(connection, "NGI_DE", before)
            assert [row.number for row in difference.came] == [3]
            assert [row.number for row in difference.went] == [1]
            ((old, new),) = difference.changed
            assert (old.number, old.status, new.status) == (2, "assigned", "in progress")
            assert [row.number for row in await queue_at(connection, "NGI_DE", before)] == [1, 2]
