"""The hub that asked is restored from an old backup, and the hub that it asked is ahead: what can come back does."""

from contextlib import ExitStack

from pydantic import SecretStr

from api import restoring
from api.bootstrap import running
from api.settings import Environment, Settings
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority
from replay.verify import verify
from tests.backups import backup
from tests.exchange_scenarios import RULE, by_test
from tests.peers.compared_hubs import Pair, compared, diverging, pair


async def test_a_hub_that_asked_and_forgot_hears_again_what_the_other_knows(
    database, more_databases
):
    other = more_databases()
    with ExitStack() as backups:
        async with pair(database, other) as hubs:
            old = [await hubs.ours.open_ticket("ROC_US", subject=f"old {n}") for n in range(3)]
            there = {number: await hubs.number_there(number) for number in old}
            restored = backups.enter_context(backup(database))  # while both run
            lost = await goes_on(hubs, old, there)
        await is_restored(restored)
        async with pair(restored, other) as hubs:
            ours, theirs = hubs.ours, hubs.theirs
            # Who forgot undoes nothing, whoever compares first: all of it is for a person to decide.
            page = await compared(ours, "osg", repair=True)
            assert {(each[0], each[3]) for each in diverging(page)} == {
                ("forgotten", ""), ("state", ""), ("priority", ""),
            }  # fmt: skip
            await compared(theirs, "ggus", repair=True)
            await ours.wait_for(Ticket.Opened, 5)
            for number in (*there.values(), *lost):
                await theirs.settled("ggus", number)
            for number in old:
                await ours.settled("osg", number)
            await both_have_the_same(hubs, there)

            here, beyond = await hubs.compared(repair=True)
            assert {each[0] for each in diverging(here)} == {"forgotten"}, "nobody tells it again"
            assert diverging(beyond) == []
            assert (here.compared, beyond.compared) == (5, 5)
            for number in old[:2]:
                exchange = await ours.exchange("osg", number)
                assert list(exchange.diverged) == ["forgotten"]
                with by_test():
                    await ours.services.exchange.repairing.settle(
                        RULE, exchange.id, "forgotten", ours=False, reason="Written down."
                    )
            assert diverging(await compared(ours, "osg")) == []
            for each in (ours, theirs):
                assert await each.events(Exchange.Parked, Exchange.MessageRefused) == []
        assert (await verify(restored)).ok


async def is_restored(database: str) -> None:
    settings = Settings(database_url=SecretStr(database), environment=Environment.TEST)
    async with running(settings, work=False) as services:
        with by_test():
            await restoring.leave_out(services, await restoring.planned(services))


async def goes_on(hubs: Pair, old: list[int], there: dict[int, int]) -> list[int]:
    """All that the asker is going to lose. Their tickets of which it will know nothing at all."""
    ours, theirs = hubs.ours, hubs.theirs
    talked, begun, solved = old
    await ours.execute(c.Comment(number=talked, text="said by us, and forgotten"))
    await theirs.execute(c.Comment(number=there[talked], text="said by them"))
    await theirs.execute(c.StartWork(number=there[begun], note="Begun."))
    await ours.execute(
        c.Reclassify(number=begun, field="priority", value="top priority", justification="Now.")
    )
    await theirs.execute(c.Solve(number=there[solved], solution="By them."))
    number = await ours.open_ticket("ROC_US", subject="lost by us")
    lost = await hubs.number_there(number)
    await ours.execute(c.Comment(number=number, text="with words"))
    theirs_lost = await theirs.open_ticket("NGI_DE", subject="theirs, lost by us")
    await ours.wait_for(Ticket.Opened, 5)
    await ours.wait_for(Ticket.Solved)
    await ours.wait_for(Ticket.WorkStarted)
    await ours.wait_for(Ticket.Commented, 3)
    await theirs.wait_for(Ticket.Commented, 3)
    await theirs.wait_for(Ticket.Reclassified)
    for each in (*there.values(), lost, theirs_lost):
        await theirs.settled("ggus", each)
    for each in (*old, number, 5):
        await hubs.number_there(each)
    return [lost, theirs_lost]


async def both_have_the_same(hubs: Pair, there: dict[int, int]) -> None:
    """What they had came back to us, once; nothing happened to theirs."""
    ours, theirs = hubs.ours, hubs.theirs
    expected = (
        (Status.ASSIGNED, Priority.LESS_URGENT), (Status.IN_PROGRESS, Priority.TOP_PRIORITY),
        (Status.SOLVED, Priority.LESS_URGENT),
    )  # fmt: skip
    for (number, number_there), fields in zip(there.items(), expected, strict=True):
        here, beyond = await ours.ledger.ticket(number), await theirs.ledger.ticket(number_there)
        assert (here.status, here.priority) == (beyond.status, beyond.priority) == fields
    for each in (ours, theirs):
        assert sorted(await each.texts(Ticket.Opened, "subject")) == [
            "lost by us", "old 0", "old 1", "old 2", "theirs, lost by us",
        ]  # fmt: skip
        for kind in (Ticket.WorkStarted, Ticket.Solved, Ticket.Reclassified):
            assert len(await each.events(kind)) == 1
    assert await ours.texts(Ticket.Commented, "text") == ["said by them"]
    assert sorted(await theirs.texts(Ticket.Commented, "text")) == [
        "said by them", "said by us, and forgotten", "with words",
    ]  # fmt: skip
    told_anew = await ours.texts(Ticket.Opened, "description")
    assert [each for each in told_anew if "with words" in each], "the whole of it"
