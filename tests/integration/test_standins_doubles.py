"""A write that we gave up, and that takes effect in a product all the same: later, after we wrote again."""

import asyncio
from collections.abc import Callable

from domain import commands as c
from domain.exchange import Exchange
from tests.desk_scenarios import LONG_S
from tests.exchange_scenarios import RULE, by_test
from tests.standins.meeting import compare, connected, nothing_is_wrong, opened
from tests.standins.server import Fault


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG_S):
        while not holds():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.05)


async def test_a_ticket_that_arrives_late_is_ended_and_only_the_first_one_is_ours(
    database, product, site
):
    site.faults = [Fault("late", *product.opens)]
    async with connected(database, product, site) as ours:
        ours.work()
        await ours.polled()
        number, theirs = await opened(ours)
        await site.arrive()
        name = f"GGUS-{number}"
        [late] = set(product.bearing(site, name)) - {theirs}
        await until(lambda: product.bearing(site, name) == [theirs])
        await until(lambda: product.over(site, late))
        assert not product.over(site, theirs)
        await ours.execute(c.Comment(number=number, text="Only there."))
        await ours.quiet(number)
        assert "Only there." in "".join(product.said(site, theirs))
        assert "Only there." not in "".join(product.said(site, late))
        assert (await compare(ours, repair=False)).diverging == []
        await nothing_is_wrong(ours)


async def test_who_compares_ends_a_ticket_that_arrived_late(database, product, site):
    site.faults = [Fault("late", *product.opens)]
    async with connected(database, product, site, poll_every_s=3600) as ours:
        ours.work()
        await ours.polled()
        number, theirs = await opened(ours)
        await site.arrive()
        [late] = set(product.bearing(site, f"GGUS-{number}")) - {theirs}
        assert (await compare(ours, repair=False)).diverging == []
        assert product.bearing(site, f"GGUS-{number}") == [theirs]
        assert product.over(site, late)


async def test_a_ticket_that_cannot_be_taken_back_is_raised_to_an_operator(database, product, site):
    site.faults = [Fault("late", *product.opens)]
    async with connected(database, product, site, poll_every_s=3600) as ours:
        ours.work()
        await ours.polled()
        number, theirs = await opened(ours)
        await site.arrive()
        site.read_only = True
        [found] = (await compare(ours, repair=True)).diverging
        assert (found.number, found.field, found.repair) == (number, "doubled", "")
        assert "repeats it" in found.theirs
        site.read_only = False
        assert (await compare(ours, repair=False)).converged == 1
        assert product.bearing(site, f"GGUS-{number}") == [theirs]


async def test_a_text_that_arrives_late_is_taken_back_or_raised_to_an_operator(
    database, product, site
):
    async with connected(database, product, site) as ours:
        ours.work()
        await ours.polled()
        number, theirs = await opened(ours)
        site.faults = [Fault("late", *product.writes)]
        await ours.execute(c.Comment(number=number, text="Said once."))
        await ours.quiet(number)
        await site.arrive()
        if product.texts_taken_back:
            await until(lambda: "".join(product.said(site, theirs)).count("Said once.") == 1)
            assert (await compare(ours, repair=False)).diverging == []
            return
        first, second = await compare(ours, repair=True), await compare(ours, repair=True)
        [found] = first.diverging
        assert (found.field, found.ours, found.repair) == ("doubled", "once", "")
        assert "repeats" in found.theirs
        assert (first.recorded, second.recorded) == (1, 0)
        with by_test():
            exchange = (await ours.about(number)).id
            repairing = ours.parts.repairing
            await repairing.settle(RULE, exchange, "doubled", ours=False, reason="They know.")
        assert (await compare(ours, repair=True)).diverging == []
        assert "".join(product.said(site, theirs)).count("Said once.") == 2, "never a third"
        assert await ours.events(Exchange.Parked) == []
