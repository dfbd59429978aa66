"""Tickets exchanged with a real Request Tracker."""

import asyncio

from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Policy
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority, Visibility
from tests.exchange_scenarios import by_test
from tests.peers.rt_scenarios import custom, prefix, rt_hub


async def test_a_ticket_of_their_unit_goes_to_them_and_comes_back_solved(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket(
            "ROC_DE", subject="Übertragung fails", description="Grüße ✓"
        )
        theirs = await ours.linked_to(number)
        ticket = await supporter.ticket(theirs)
        assert ticket["Subject"] == "Übertragung fails"
        assert ticket["Status"] == "new"
        assert ticket["Requestor"] == [], "nobody is mailed twice"
        assert custom(ticket, "ExternalID") == f"{prefix(database)}-{number}"
        assert custom(ticket, "ExternalURL") == f"https://hub.test/tickets/{number}"
        assert await supporter.texts(theirs, "Create") == ["Grüße ✓"]
        exchange = await ours.rt_exchange(number)
        assert (exchange.external_id, exchange.external_reference) == (str(theirs), f"#{theirs}")
        assert await ours.store.holder("link:rt", str(theirs)) == exchange.id

        await supporter.change(theirs, Status="open")
        await ours.wait_for(Ticket.WorkStarted)
        await supporter.reply(theirs, "Looking at the gatekeeper, später mehr.")
        [commented] = await ours.wait_for(Ticket.Commented)
        assert await ours.text(commented.text) == "Looking at the gatekeeper, später mehr."
        await supporter.reply(theirs, "Restarted it.", Status="resolved")
        await ours.wait_for(Ticket.Solved)
        ticket = await ours.ledger.ticket(number)
        assert ticket.status is Status.SOLVED
        assert await ours.text(ticket.solution) == "Restarted it."
        exchange = await ours.rt_exchange(number)
        assert exchange.remote_state == "resolved"
        [started] = await ours.events(Ticket.WorkStarted)
        assert started.provenance.actor == "helpdesk:rt"
        assert started.provenance.origin.message.startswith("txn:")

        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await ours.quiet(number)
        assert (await supporter.ticket(theirs))["Status"] == "open"
        assert (await supporter.texts(theirs, "Correspond"))[-1] == "Not yet."
        assert (await ours.ledger.ticket(number)).status is Status.REOPENED, "no echo"


async def test_what_is_written_and_changed_here_arrives_there_once_and_does_not_come_back(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(
            c.Comment(number=number, text="public words"),
            c.Comment(number=number, text="secret words", visibility=Visibility.INTERNAL),
            c.Reclassify(
                number=number, field="priority", value="top priority", justification="Beam time."
            ),
            c.PutOnHold(number=number, reason="A spare part is on its way."),
        )
        await ours.execute(c.StartWork(number=number, note="It came."))
        await ours.execute(c.Assign(number=number, unit="ROC_IT"))
        await ours.execute(c.Solve(number=number, solution="Replaced the disk."))
        with by_test():
            await ours.execute(c.Close(number=number))
        await ours.quiet(number)
        ticket = await supporter.ticket(theirs)
        queue = await supporter.ask(f"/queue/{ticket['Queue']['id']}")
        assert (ticket["Status"], ticket["Priority"], queue["Name"]) == ("resolved", "90", "ROC_IT")
        public = await supporter.texts(theirs, "Correspond")
        assert public == [
            "public words", "A spare part is on its way.", "It came.", "Replaced the disk.",
        ]  # fmt: skip
        internal = await supporter.texts(theirs, "Comment")
        assert internal[0] == f"priority at {prefix(database)}: top priority\n\nBeam time."
        assert internal[1] == f"Assigned to ROC_IT at {prefix(database)}."
        assert not any("secret" in text for text in public + internal)
        states = [row["NewValue"] for row in await supporter.transactions(theirs, "Status")]
        assert states == ["open", "stalled", "open", "resolved"], "the first is RT's own doing"
        assert await ours.events(Exchange.MessageReceived) == [], "all of that was ours"


async def test_their_words_for_states_priorities_and_units_become_ours(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await supporter.comment(theirs, "for the desk only")
        await supporter.change(theirs, Priority="80")
        await ours.wait_for(Ticket.Reclassified)
        await supporter.change(theirs, Status="open")
        await supporter.reply(theirs, "Waiting for the vendor.")
        await supporter.change(theirs, Status="stalled")
        [held] = await ours.wait_for(Ticket.PutOnHold)
        assert await ours.text(held.reason) == "Waiting for the vendor."
        await supporter.change(theirs, Status="open")
        await ours.wait_for(Ticket.WorkStarted, 2)
        await supporter.change(theirs, Queue="ROC_IT")
        await ours.wait_for(Ticket.Assigned, 2)
        await supporter.change(theirs, Status="rejected")
        await ours.wait_for(Ticket.FoundUnsolvable)
        await supporter.change(theirs, Status="open")
        await ours.wait_for(Ticket.Reopened)
        ticket = await ours.ledger.ticket(number)
        assert (ticket.unit, ticket.priority) == ("ROC_IT", Priority.TOP_PRIORITY)
        entries = await ours.events(Ticket.Commented)
        assert [(await ours.text(e.text), e.visibility) for e in entries] == [
            ("for the desk only", "internal"),
            ("Waiting for the vendor.", "public"),
        ]


async def test_a_ticket_in_their_queue_for_us_is_opened_here_and_they_learn_its_number(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        await ours.polled()
        local = await supporter.open("ROC_DE", "Our own business", Content="Nobody else's.")
        theirs = await supporter.open(
            "To_GGUS", "Gatekeeper down", Content="Since noon.", Requestor="somebody@example.org",
            CustomFields={"AffectedSite": "EXAMPLE-T2"}, Priority="60",
        )  # fmt: skip
        [opened] = await ours.wait_for(Ticket.Opened)
        assert await ours.text(opened.subject) == "Gatekeeper down"
        assert await ours.text(opened.description) == "Since noon."
        assert opened.submitter is not None
        assert opened.particulars.priority == "very urgent"
        assert opened.particulars.affected_site == "EXAMPLE-T2"
        await ours.quiet(opened.number)
        ticket = await supporter.ticket(theirs)
        assert custom(ticket, "ExternalID") == f"{prefix(database)}-{opened.number}"
        assert custom(ticket, "ExternalURL").endswith(f"/{opened.number}")
        await ours.execute(c.RequestReply(number=opened.number, question="Which one?"))
        await ours.quiet(opened.number)
        assert (await supporter.ticket(theirs))["Status"] == "stalled"
        await supporter.reply(theirs, "The second one.")
        await ours.wait_for(Ticket.Commented)
        assert custom(await supporter.ticket(local), "ExternalID") == ""
        received = await ours.events(Exchange.MessageReceived)
        assert len({each.originator_id for each in received}) == 1, "what is local stays there"


async def test_closing_only_tells_and_hears_beginning_and_end(database, request_tracker, supporter):
    async with rt_hub(database, request_tracker, policy=Policy.CLOSING_ONLY) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(c.Comment(number=number, text="ours alone"))
        await supporter.reply(theirs, "theirs alone")
        [ignored] = await ours.wait_for(Exchange.Ignored)
        assert ignored.withheld == ("Comment:closing-only",)
        await supporter.change(theirs, Status="resolved")
        await ours.wait_for(Ticket.Solved)
        assert await supporter.texts(theirs, "Correspond") == ["theirs alone"]


async def test_what_they_decided_before_ours_came_there_is_put_right_there_when_we_hear_of_it(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker, poll_every_s=3600) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.rest()
        looks = ours.parts.worker.pollers.health
        looks.clear()
        ours.work()
        async with asyncio.timeout(60):
            while not ("rt" in looks and looks["rt"].next_at):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        await supporter.reply(theirs, "Restarted it.", Status="resolved")
        await ours.execute(c.StartWork(number=number, note="Looking at it."))
        await ours.quiet(number)
        assert (await supporter.ticket(theirs))["Status"] == "open", "we had not heard of the end"
        await ours.rest()
        ours.work()
        await ours.wait_for(Exchange.Confirmed)
        await ours.quiet(number)
        assert (await ours.ledger.ticket(number)).status is Status.SOLVED
        assert (await supporter.ticket(theirs))["Status"] == "resolved"
        said = (await supporter.texts(theirs, "Comment"))[-1]
        assert said == f"Changes crossed; at {prefix(database)} the ticket is solved."
        await ours.rest()
        ours.work()
        await ours.quiet(number)
        assert len(await ours.events(Exchange.Confirmed)) == 1, "what we put right is no news"
