"""Two Ticket Ledgers look at each other's tickets: what a message lost or a backup forgot is found and put right."""

from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority
from tests.exchange_scenarios import RULE, by_test
from tests.peers.compared_hubs import compared, copied, diverging, forgetful, pair


async def test_hubs_that_agree_find_nothing_and_know_when_their_tickets_were_made(
    database, more_databases
):
    async with pair(database, more_databases()) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        number = await ours.open_ticket("ROC_US")
        there = await hubs.number_there(number)
        await ours.execute(c.Comment(number=number, text="since noon"))
        await theirs.execute(c.StartWork(number=there), c.Solve(number=there, solution="Done."))
        await ours.wait_for(Ticket.Solved)
        back = await theirs.open_ticket("NGI_DE")
        await ours.wait_for(Ticket.Opened, 2)
        await theirs.wait_for(Exchange.Linked, 2)
        for each in (number, 2):
            await hubs.number_there(each)
        here, beyond = await hubs.compared()
        assert (diverging(here), diverging(beyond)) == ([], [])
        assert (here.compared, beyond.compared) == (2, 2)
        for at, name, of, mine in (
            (ours, "osg", theirs, (number, there)), (theirs, "ggus", ours, (back, 2)),
        ):  # fmt: skip
            exchange = await at.exchange(name, mine[0])
            assert exchange.opened_at == (await of.ledger.ticket(mine[1])).opened_at


async def test_what_a_message_lost_is_found_listed_and_put_right(database, more_databases):
    async with pair(database, more_databases()) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        number, untouched = [await ours.open_ticket("ROC_US") for _ in range(2)]
        there = await hubs.number_there(number)
        await hubs.number_there(untouched)
        async with forgetful(ours, "osg", ["ROC_US"], theirs.address("ggus")):
            await ours.execute(c.Comment(number=number, text="lost"))
            await ours.execute(
                c.Reclassify(number=number, field="priority", value="top priority", justification="Now.")
            )  # fmt: skip
            await ours.settled("osg", number)
        page = await compared(ours, "osg")
        assert page.compared == 2
        assert [each[0] for each in diverging(page)] == ["messages", "priority"]
        exchange = await ours.exchange("osg", number)
        assert list(exchange.diverged) == ["messages", "priority"]

        repaired = await compared(ours, "osg", repair=True)
        assert next(each[3] for each in diverging(repaired)) == "repeat"
        await theirs.wait_for(Ticket.Reclassified)
        await hubs.number_there(number)
        assert await theirs.texts(Ticket.Commented, "text") == ["lost"]
        assert (await theirs.ledger.ticket(there)).priority is Priority.TOP_PRIORITY
        here, beyond = await hubs.compared()
        assert (diverging(here), diverging(beyond)) == ([], [])
        assert here.converged == 2
        assert (await ours.exchange("osg", number)).diverged == {}


async def test_what_they_did_and_could_not_tell_is_for_a_person_to_decide(database, more_databases):
    async with pair(database, more_databases()) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        number = await ours.open_ticket("ROC_US")
        there = await hubs.number_there(number)
        async with forgetful(theirs, "ggus", ["NGI_DE"], ours.address("osg")):
            await theirs.execute(c.PutOnHold(number=there, reason="A part is on its way."))
            await theirs.settled("ggus", there)
        page = await compared(ours, "osg", repair=True)
        assert diverging(page) == [("state", "assigned", "on hold", "")]
        assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED, "no message said so"
        stream = (await ours.exchange("osg", number)).id
        with by_test():
            await ours.services.exchange.repairing.settle(
                RULE, stream, "state", ours=False, reason="They said so by phone."
            )
        assert (await ours.ledger.ticket(number)).status is Status.ON_HOLD
        here, beyond = await hubs.compared(repair=True)
        assert diverging(here) == []
        assert [each[0] for each in diverging(beyond)] == ["messages"]
        await hubs.number_there(number)
        assert len(await ours.events(Ticket.PutOnHold)) == 1


async def test_a_hub_restored_from_an_old_backup_gets_everything_again_and_nothing_wrong(
    database, more_databases
):
    other = more_databases()
    async with pair(database, other) as hubs:
        old = [await hubs.ours.open_ticket("ROC_US", subject=f"old {n}") for n in range(3)]
        there = {number: await hubs.number_there(number) for number in old}
        await hubs.ours.execute(c.StartWork(number=old[1]))
        await hubs.theirs.wait_for(Ticket.WorkStarted)
        await hubs.number_there(old[1])
    backup = copied(other, "hub_backup")

    async with pair(database, other) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        await ours.execute(c.Comment(number=old[0], text="after the backup"))
        await theirs.wait_for(Ticket.Commented)
        await theirs.execute(c.StartWork(number=there[old[2]], note="Begun."))
        await ours.wait_for(Ticket.WorkStarted, 2)
        await theirs.execute(c.Solve(number=there[old[1]], solution="By them."))
        await ours.wait_for(Ticket.Solved)
        lost = await ours.open_ticket("ROC_US", subject="lost there")
        await hubs.number_there(lost)
        theirs_lost = await theirs.open_ticket("NGI_DE", subject="lost, theirs")
        await ours.wait_for(Ticket.Opened, 5)
        await theirs.wait_for(Exchange.Linked, 5)
        for number in (*old, lost, 5):
            await hubs.number_there(number)
        assert (await ours.exchange("osg", 5)).external_id == f"OSG-{theirs_lost}"

    copied(backup, other.partition("dbname=")[2].split()[0])
    async with pair(database, other) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        # Life went on there: the numbers of lost tickets are given to others.
        strange = await theirs.open_ticket("NGI_IT", subject="nothing to do with GGUS")
        wanted = await theirs.open_ticket("NGI_DE", subject="a new one for GGUS")
        assert (strange, wanted) == (4, theirs_lost), "the trap is set"
        await ours.wait_for(Exchange.Unlinked)
        again = (await ours.wait_for(Ticket.Opened, 6))[-1].number
        await ours.execute(c.Comment(number=lost, text="about what they lost"))
        await ours.settled("osg", lost)

        # Who forgot does not undo what the other remembers.
        await compared(theirs, "ggus", repair=True)
        await hubs.number_there(old[1])
        ticket = await ours.ledger.ticket(old[1])
        assert (ticket.status, ticket.version) == (Status.SOLVED, 4)

        page = await compared(ours, "osg", repair=True)
        assert {each[0] for each in diverging(page)} >= {"ticket", "messages", "state"}
        await ours.wait_for(Exchange.Unlinked, 2)
        for number in (*old, lost, 5, again):
            await hubs.number_there(number)
        here, beyond = await hubs.compared()
        assert (diverging(here), diverging(beyond)) == ([], [])
        assert (here.compared, beyond.compared) == (6, 6)

        assert (await theirs.ledger.ticket(there[old[1]])).status is Status.SOLVED
        assert (await theirs.ledger.ticket(there[old[2]])).status is Status.IN_PROGRESS
        subjects = await theirs.texts(Ticket.Opened, "subject")
        assert sorted(subjects) == sorted([
            "old 0", "old 1", "old 2", "nothing to do with GGUS", "a new one for GGUS",
            "lost there", "lost, theirs",
        ])  # fmt: skip
        assert len(await theirs.ledger.history(strange)) == 2, "opened and assigned, no more"
        assert await theirs.texts(Ticket.Commented, "text") == ["after the backup"]
        assert len(await ours.events(Ticket.Opened)) == 6
        assert await ours.events(Exchange.Parked) == []
        assert (await ours.exchange("osg", again)).external_id == f"OSG-{wanted}"
