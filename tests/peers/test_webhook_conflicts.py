"""Two Ticket Ledgers that change one field at the same time, over webhooks and real databases; an operator overrules."""

from contextlib import asynccontextmanager

import pytest

from domain import commands as c
from domain.conflicts import Side
from domain.errors import NotNow
from domain.exchange import Exchange
from domain.helpdesk import InterfaceState
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority
from projections.conflicts import conflicting
from tests.exchange_scenarios import RULE, by_test
from tests.peers.webhook_scenarios import hub

LONG_S = 60


@pytest.fixture
def two_hubs(database, more_databases):
    """A function to a block with two hubs and a ticket that both know: it began at the first, the other works on it."""
    other = more_databases()

    @asynccontextmanager
    async def connected():
        async with hub(database, "GGUS") as ours, hub(other, "OSG") as theirs:
            await ours.partner("osg", theirs.address("ggus"), ["ROC_US"])
            await theirs.partner("ggus", ours.address("osg"), ["NGI_DE"])
            number = await ours.open_ticket("ROC_US")
            [opened] = await theirs.wait_for(Ticket.Opened)
            await ours.wait_for(Exchange.Linked)
            await ours.settled("osg", number)
            await theirs.settled("ggus", opened.number)
            yield (ours, "osg", number), (theirs, "ggus", opened.number)

    return connected


async def interface(side, state: InterfaceState) -> None:
    hub_, partner, _ = side
    with by_test():
        await hub_.services.exchange.by_hand.set_interface(RULE, partner, state)


async def at_once(*acts) -> None:
    """``acts``: a side and its command. Neither hears of the other's before its own is recorded."""
    for side, _ in acts:
        await interface(side, InterfaceState.PAUSED)
    for (hub_, _, _), command in acts:
        await hub_.execute(command)
    for side, _ in acts:
        await interface(side, InterfaceState.LIVE)
    for (hub_, _, _), _ in acts:
        await hub_.wait_for(Exchange.ConflictFound)
    for (hub_, partner, number), _ in acts:
        await hub_.settled(partner, number)


def reclassify(number: int, value: str) -> c.Command:
    return c.Reclassify(
        number=number, field="priority", value=value, justification=f"It is {value}."
    )


async def ticket_of(side) -> Ticket:
    hub_, _, number = side
    return await hub_.ledger.ticket(number)


async def test_the_origins_value_holds_until_an_operator_overrules_and_the_other_is_told(two_hubs):
    async with two_hubs() as (one, two):
        await at_once(
            (one, reclassify(one[2], "urgent")), (two, reclassify(two[2], "top priority"))
        )
        for side, wins in ((one, "ours"), (two, "theirs")):
            assert (await ticket_of(side)).priority is Priority.URGENT
            [found] = await side[0].events(Exchange.ConflictFound)
            assert (found.field, found.rule, found.wins) == ("priority", "origin@1", wins)
        assert await one[0].texts(Ticket.Commented, "text") == ["It is top priority."]

        ours, partner, number = one
        exchange = await ours.exchange(partner, number)
        head = await ours.store.head()
        assert await ours.services.projector.wait_for(head, LONG_S)
        page = await ours.services.ask(lambda connection: conflicting(connection, helpdesk="osg"))
        [listed] = page.items
        assert (listed.number, listed.conflicts[0].theirs) == (number, "top priority")
        overruling = ours.services.exchange.overruling
        with by_test():
            await overruling.resolve(RULE, exchange.id, "priority", Side.THEIRS, "They know.")
            with pytest.raises(NotNow):
                await overruling.resolve(RULE, exchange.id, "priority", Side.THEIRS, "Again.")
        await two[0].wait_for(Ticket.Reclassified, 3)
        assert (await ticket_of(two)).priority is Priority.TOP_PRIORITY
        assert (await ticket_of(one)).priority is Priority.TOP_PRIORITY
        [resolved] = await ours.events(Exchange.ConflictResolved)
        assert (resolved.wins, resolved.overruled) == ("theirs", True)
        assert resolved.provenance.actor == RULE.name
        assert await ours.services.projector.wait_for(await ours.store.head(), LONG_S)
        page = await ours.services.ask(conflicting)
        assert page.items == []


async def test_both_solve_with_different_texts_and_both_texts_stay_on_both_sides(two_hubs):
    async with two_hubs() as (one, two):
        await at_once(
            (one, c.Solve(number=one[2], solution="Restarted it.")),
            (two, c.Solve(number=two[2], solution="Replaced the disk.")),
        )
        for side, own, others in (
            (one, "Restarted it.", "Replaced the disk."),
            (two, "Replaced the disk.", "Restarted it."),
        ):
            ticket = await ticket_of(side)
            assert ticket.status is Status.SOLVED
            assert await side[0].text(ticket.solution) == own
            assert await side[0].texts(Ticket.Commented, "text") == [others]
            [found] = await side[0].events(Exchange.ConflictFound)
            assert (found.field, found.rule) == ("solution", "both-kept@1")


async def test_a_field_that_is_ours_alone_is_told_the_partner_again(two_hubs):
    async with two_hubs() as (one, two):
        ours, partner, number = one
        with by_test():
            await ours.services.exchange.overruling.set_ownership(
                RULE, partner, {"priority": "ours only"}
            )
        await ours.execute(reclassify(number, "urgent"))
        await two[0].wait_for(Ticket.Reclassified)
        await two[0].settled("ggus", two[2])
        await two[0].execute(reclassify(two[2], "top priority"))
        await two[0].wait_for(Ticket.Reclassified, 3)
        for side in (one, two):
            await side[0].settled(side[1], side[2])
            assert (await ticket_of(side)).priority is Priority.URGENT
            assert await side[0].events(Exchange.ConflictFound) == []
        withheld = [each.withheld for each in await ours.events(Exchange.Applied) if each.withheld]
        assert withheld == [("priority:ours-only@1",)]
