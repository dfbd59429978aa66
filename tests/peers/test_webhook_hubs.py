"""Two Ticket Ledgers that exchange tickets by webhooks."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from adapters.store.secrets import HelpdeskSecrets
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority, Visibility
from tests.exchange_scenarios import by_test
from tests.peers.webhook_scenarios import KEY, OTHER_KEY, hub


@pytest.fixture
def two_hubs(database, more_databases):
    """A function to a block with two hubs: ``ROC_US`` is the other's unit for GGUS, ``NGI_DE`` GGUS's for OSG."""
    other = more_databases()

    @asynccontextmanager
    async def connected():
        async with hub(database, "GGUS") as ours, hub(other, "OSG") as theirs:
            if not await ours.events(Helpdesk.Registered):
                await ours.partner("osg", theirs.address("ggus"), ["ROC_US"])
                await theirs.partner("ggus", ours.address("osg"), ["NGI_DE"])
            yield ours, theirs

    return connected


async def test_a_ticket_goes_to_the_other_hub_is_solved_there_and_comes_back(two_hubs):
    async with two_hubs() as (ours, theirs):
        number = await ours.open_ticket("ROC_US", subject="Übertragung fails")
        [opened] = await theirs.wait_for(Ticket.Opened)
        assert await theirs.text(opened.subject) == "Übertragung fails"
        assert (await theirs.ledger.ticket(opened.number)).unit == "ROC_US"
        assert opened.provenance.origin.hops == (f"GGUS-{number}",), "the way is told"
        await ours.wait_for(Exchange.Linked)
        assert (await ours.exchange("osg", number)).external_id == f"OSG-{opened.number}"
        assert (await theirs.exchange("ggus", opened.number)).external_id == f"GGUS-{number}"

        await ours.execute(c.Comment(number=number, text="since noon"))
        await ours.execute(
            c.Comment(number=number, text="a secret", visibility=Visibility.INTERNAL)
        )
        await theirs.wait_for(Ticket.Commented)
        await theirs.execute(c.Comment(number=opened.number, text="we look"))
        await theirs.execute(c.StartWork(number=opened.number))
        await theirs.execute(c.RequestReply(number=opened.number, question="Which file?"))
        await ours.wait_for(Ticket.ReplyRequested)
        assert (await ours.ledger.ticket(number)).status is Status.WAITING_FOR_REPLY
        await ours.execute(c.RecordReply(number=number, text="All of them."))
        await theirs.wait_for(Ticket.SubmitterReplied)
        await theirs.execute(c.PutOnHold(number=opened.number, reason="A part is on its way."))
        await ours.wait_for(Ticket.PutOnHold)
        await theirs.execute(c.StartWork(number=opened.number, note="It came."))
        await theirs.execute(c.Solve(number=opened.number, solution="Replaced the disk."))
        await ours.wait_for(Ticket.Solved)
        ticket = await ours.ledger.ticket(number)
        assert ticket.status is Status.SOLVED
        assert await ours.text(ticket.solution) == "Replaced the disk."

        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await theirs.wait_for(Ticket.Reopened)
        await theirs.execute(c.FindUnsolvable(number=opened.number, reason="Nobody knows."))
        await ours.wait_for(Ticket.FoundUnsolvable)
        await ours.execute(c.Verify(number=number))
        await ours.settled("osg", number)
        await theirs.settled("ggus", opened.number)
        for each in (ours, theirs):
            assert await each.texts(Ticket.Commented, "text") == (
                ["since noon", "a secret", "we look"] if each is ours else ["since noon", "we look"]
            )
            assert len(await each.events(Ticket.Opened)) == 1, "nothing comes back as a new ticket"
            assert len(await each.events(Ticket.Reopened)) == 1
            assert len(await each.events(Ticket.Solved)) == 1
            assert await each.events(Exchange.Parked, Exchange.MessageRefused) == []
        assert (await theirs.ledger.ticket(opened.number)).status is Status.UNSOLVED


async def test_fields_follow_and_units_that_the_other_does_not_have_are_withheld(two_hubs):
    async with two_hubs() as (ours, theirs):
        number = await ours.open_ticket("ROC_US")
        [opened] = await theirs.wait_for(Ticket.Opened)
        for field, value in (
            ("priority", "top priority"), ("category", "Change Request"), ("issue_type", "Databases"),
            ("vo", "atlas"), ("affected_site", "EXAMPLE-T2"),
        ):  # fmt: skip
            await ours.execute(
                c.Reclassify(number=number, field=field, value=value, justification="Beam time.")
            )
        await theirs.wait_for(Ticket.Reclassified, 5)
        ticket = await theirs.ledger.ticket(opened.number)
        assert ticket.priority is Priority.TOP_PRIORITY
        assert [ticket.particular(name) for name in ("category", "issue_type", "vo", "affected_site")] == [
            "Change Request", "Databases", "atlas", "EXAMPLE-T2",
        ]  # fmt: skip
        await theirs.execute(c.Assign(number=opened.number, unit="NGI_IT", note="Yours."))
        await ours.wait_for(Ticket.Assigned, 2)
        assert (await ours.ledger.ticket(number)).unit == "NGI_IT"
        assert len(await theirs.events(Ticket.Reclassified)) == 5
        assert len(await ours.events(Ticket.Reclassified)) == 5, "no echo"


async def test_while_the_other_hub_is_down_nothing_is_lost_and_nothing_comes_twice(
    database, more_databases
):
    other = more_databases()
    async with hub(database, "GGUS") as ours:
        async with hub(other, "OSG") as theirs:
            port = int(theirs.url.rpartition(":")[2])
        await ours.partner(
            "osg", f"http://127.0.0.1:{port}/api/v1/partners/ggus/events", ["ROC_US"]
        )
        numbers = [await ours.open_ticket("ROC_US", subject=f"ticket {n}") for n in range(5)]
        for number in numbers:
            await ours.execute(c.Comment(number=number, text=f"about {number}"))
        async with hub(other, "OSG") as theirs:
            await theirs.partner("ggus", ours.address("osg"))
            partner = await ours.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "osg"))
            assert partner is not None
            with by_test():
                partner.register("osg", "webhook", ["ROC_US"], address=theirs.address("ggus"))
                await ours.ledger.save(partner)
            await ours.wait_for(Exchange.Linked, 5)
            for number in numbers:
                await ours.settled("osg", number)
            for each in await theirs.events(Ticket.Opened):
                await theirs.settled("ggus", each.number)
            subjects = await theirs.texts(Ticket.Opened, "subject")
            assert sorted(subjects) == [f"ticket {n}" for n in range(5)]
            told = await theirs.texts(Ticket.Opened, "description")
            told += await theirs.texts(Ticket.Commented, "text")
            for number in numbers:
                assert "\n".join(told).count(f"about {number}") == 1, "with the ticket or after it"


async def test_each_side_changes_its_key_while_tickets_flow(two_hubs):
    async with two_hubs() as (ours, theirs):
        number = await ours.open_ticket("ROC_US")
        await theirs.wait_for(Ticket.Opened)
        kept, there = HelpdeskSecrets(ours.store), HelpdeskSecrets(theirs.store)
        await there.keep("ggus", f"in:{OTHER_KEY} in:{KEY} out:{KEY}")
        await ours.execute(c.Comment(number=number, text="with the old key"))
        await theirs.wait_for(Ticket.Commented)
        await kept.keep("osg", f"out:{OTHER_KEY} in:{KEY}")
        await ours.execute(c.Comment(number=number, text="with the new key"))
        await theirs.wait_for(Ticket.Commented, 2)
        await there.keep("ggus", f"in:{OTHER_KEY} out:{KEY}")
        [opened] = await theirs.events(Ticket.Opened)
        await theirs.execute(c.Comment(number=opened.number, text="the way back"))
        await ours.wait_for(Ticket.Commented, 3)


async def test_a_wrong_key_parks_nothing_and_what_waited_goes_when_it_is_right(two_hubs):
    async with two_hubs() as (ours, theirs):
        await HelpdeskSecrets(ours.store).keep("osg", OTHER_KEY)
        await asyncio.sleep(1.2)  # a key is known for a second
        number = await ours.open_ticket("ROC_US")
        [failed, *_] = await ours.wait_for(Exchange.Failed)
        assert failed.code == "unauthorised"
        assert await theirs.events(Exchange.MessageReceived) == []
        await HelpdeskSecrets(ours.store).keep("osg", KEY)
        await theirs.wait_for(Ticket.Opened)
        await ours.settled("osg", number)
        assert await ours.events(Exchange.Parked) == []


async def test_a_partner_that_is_paused_is_still_listened_to(two_hubs):
    async with two_hubs() as (ours, theirs):
        await ours.open_ticket("ROC_US")
        [opened] = await theirs.wait_for(Ticket.Opened)
        await ours.wait_for(Exchange.Linked)
        partner = await ours.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "osg"))
        assert partner is not None
        with by_test():
            partner.set_interface(InterfaceState.PAUSED)
            await ours.ledger.save(partner)
        await theirs.execute(c.Comment(number=opened.number, text="we look"))
        await ours.wait_for(Exchange.MessageReceived, 2)
