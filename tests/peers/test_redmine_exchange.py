"""Tickets exchanged with a real Redmine."""

import pytest

from adapters.helpdesks.redmine.courier import RedmineCourier
from adapters.helpdesks.redmine.observer import RedmineObserver
from adapters.helpdesks.redmine.words import WORDS
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Policy
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority, Visibility
from tests.exchange_scenarios import by_test
from tests.peers.redmine_scenarios import (
    STATES,
    Desk,
    custom,
    message,
    opening,
    redmine_hub,
    session_of,
)

pytestmark = pytest.mark.timeout(900)
"""To start Redmine is part of the first test, on however busy a machine."""


async def test_a_ticket_of_their_unit_goes_to_them_and_comes_back_solved(
    database, redmine, analyst
):
    async with redmine_hub(database, redmine) as ours:
        ours.work()
        number = await ours.open_ticket(
            "ROC_DE", subject="Übertragung fails", description="Grüße ✓"
        )
        theirs = await ours.linked_to(number)
        issue = await analyst.issue(theirs)
        assert (issue["subject"], issue["description"]) == ("Übertragung fails", "Grüße ✓")
        assert (issue["status"]["name"], issue["project"]["name"]) == ("New", "ROC_DE")
        assert custom(issue, "ExternalID") == f"{ours.name}-{number}"
        assert custom(issue, "ExternalURL") == f"https://hub.test/tickets/{number}"
        exchange = await ours.about(number)
        assert (exchange.external_id, exchange.external_reference) == (str(theirs), f"#{theirs}")

        await analyst.change(theirs, status="In Progress")
        await ours.wait_for(Ticket.WorkStarted, seconds=60)
        await analyst.note(theirs, "Looking at the gatekeeper, später mehr.")
        [commented] = await ours.wait_for(Ticket.Commented, seconds=60)
        assert await ours.text(commented.text) == "Looking at the gatekeeper, später mehr."
        await analyst.note(theirs, "Restarted it.", status="Resolved")
        await ours.wait_for(Ticket.Solved, seconds=60)
        ticket = await ours.ledger.ticket(number)
        assert ticket.status is Status.SOLVED
        assert await ours.text(ticket.solution) == "Restarted it."
        assert (await ours.about(number)).remote_state == "Resolved"
        [started] = await ours.events(Ticket.WorkStarted)
        assert started.provenance.actor == "helpdesk:redmine"
        assert started.provenance.origin.message.startswith("journal:")

        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await ours.quiet(number)
        assert (await analyst.issue(theirs))["status"]["name"] == "In Progress"
        assert (await analyst.notes(theirs))[-1] == "Not yet."
        assert (await ours.ledger.ticket(number)).status is Status.REOPENED, "no echo"


async def test_what_is_written_and_changed_here_arrives_there_once_and_does_not_come_back(
    database, redmine, analyst
):
    async with redmine_hub(database, redmine) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(
            c.Comment(number=number, text="public *words* & #1 <b>markup</b>"),
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
        issue = await analyst.issue(theirs)
        now = tuple(issue[name]["name"] for name in ("status", "priority", "project"))
        assert now == ("Closed", "Immediate", "ROC_IT")
        public = await analyst.notes(theirs)
        assert public == [
            "public *words* & #1 <b>markup</b>", "A spare part is on its way.", "It came.", "Replaced the disk.",
        ]  # fmt: skip
        internal = await analyst.notes(theirs, public=False)
        assert internal[0] == f"priority at {ours.name}: top priority\n\nBeam time."
        assert internal[1] == f"Assigned to ROC_IT at {ours.name}."
        assert not any("secret" in text for text in public + internal)
        wanted = ["Feedback", "In Progress", "Resolved", "Closed"]
        assert await analyst.steps(theirs) == [str(STATES[name]) for name in wanted]
        assert await ours.events(Exchange.MessageReceived) == [], "all of that was ours"


async def test_their_words_for_states_priorities_and_units_become_ours(database, redmine, analyst):
    async with redmine_hub(database, redmine) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await analyst.note(theirs, "for the desk only", private_notes=True)
        await analyst.change(theirs, priority="Immediate")
        await ours.wait_for(Ticket.Reclassified, seconds=60)
        await analyst.change(theirs, status="In Progress")
        await analyst.note(theirs, "Which one is it?")
        await analyst.change(theirs, status="Feedback")
        [asked] = await ours.wait_for(Ticket.ReplyRequested, seconds=60)
        assert await ours.text(asked.question) == "Which one is it?"
        await analyst.note(theirs, "Never mind.", status="In Progress", project="ROC_IT")
        await ours.wait_for(Ticket.WorkStarted, 2, seconds=60)
        await ours.wait_for(Ticket.Assigned, 2, seconds=60)
        await analyst.change(theirs, status="Rejected")
        [unsolvable] = await ours.wait_for(Ticket.FoundUnsolvable, seconds=60)
        assert await ours.text(unsolvable.solution) == "Never mind."
        await analyst.note(theirs, "No, wait.", status="In Progress")
        [reopened] = await ours.wait_for(Ticket.Reopened, seconds=60)
        assert await ours.text(reopened.comment) == "No, wait."
        await analyst.change(theirs, status="Resolved")
        [solved] = await ours.wait_for(Ticket.Solved, seconds=60)
        silent = "The partner's state is 'Resolved'; it wrote no public text with that."
        assert await ours.text(solved.solution) == silent, "why it was reopened is no solution"
        ticket = await ours.ledger.ticket(number)
        assert (ticket.unit, ticket.priority) == ("ROC_IT", Priority.TOP_PRIORITY)
        entries = await ours.events(Ticket.Commented)
        assert [(await ours.text(e.text), e.visibility) for e in entries] == [
            ("for the desk only", "internal"),
            ("Which one is it?", "public"),
            ("Never mind.", "public"),
        ]


async def test_an_issue_in_their_project_for_us_is_opened_here_and_they_learn_its_number(
    database, redmine, analyst
):
    async with redmine_hub(database, redmine) as ours, Desk(redmine, "customer") as customer:
        ours.work()
        await ours.polled()
        local = await analyst.open("ROC_DE", "Our own business", description="Nobody else's.")
        theirs = await customer.open(
            "To_GGUS", "Gatekeeper down", description="Since noon.", AffectedSite="EXAMPLE-T2",
            priority="Urgent",
        )  # fmt: skip
        [opened] = await ours.wait_for(Ticket.Opened, seconds=60)
        assert await ours.text(opened.subject) == "Gatekeeper down"
        assert await ours.text(opened.description) == "Since noon."
        assert opened.submitter is not None
        assert opened.particulars.priority == "very urgent"
        assert opened.particulars.affected_site == "EXAMPLE-T2"
        await ours.quiet(opened.number)
        issue = await analyst.issue(theirs)
        assert custom(issue, "ExternalID") == f"{ours.name}-{opened.number}"
        assert custom(issue, "ExternalURL").endswith(f"/{opened.number}")
        await ours.execute(c.RequestReply(number=opened.number, question="Which one?"))
        await ours.quiet(opened.number)
        assert (await analyst.issue(theirs))["status"]["name"] == "Feedback"
        await customer.note(theirs, "The second one.", status="In Progress")
        await ours.wait_for(Ticket.SubmitterReplied, seconds=60)
        assert await ours.events(Ticket.WorkStarted) == [], "the reply says so"
        assert custom(await analyst.issue(local), "ExternalID") == ""
        received = await ours.events(Exchange.MessageReceived)
        assert len({each.originator_id for each in received}) == 1, "what is local stays there"


async def test_an_issue_moved_to_the_project_for_us_is_opened_here(database, redmine, analyst):
    async with redmine_hub(database, redmine) as ours:
        ours.work()
        await ours.polled()
        theirs = await analyst.open("ROC_DE", "Not ours", description="Since noon.")
        await analyst.note(theirs, "For the hub, I think.", project="To_GGUS")
        [opened] = await ours.wait_for(Ticket.Opened, seconds=60)
        assert (await ours.text(opened.description)).startswith("Since noon.")
        await ours.quiet(opened.number)
        assert await analyst.with_our_number(f"{ours.name}-{opened.number}") == [theirs]


async def test_closing_only_tells_and_hears_beginning_and_end(database, redmine, analyst):
    async with redmine_hub(database, redmine, policy=Policy.CLOSING_ONLY) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(c.Comment(number=number, text="ours alone"))
        await analyst.note(theirs, "theirs alone")
        [ignored] = await ours.wait_for(Exchange.Ignored, seconds=60)
        assert ignored.withheld == ("Comment:closing-only",)
        await analyst.change(theirs, status="Resolved")
        await ours.wait_for(Ticket.Solved, seconds=60)
        assert await analyst.notes(theirs) == ["theirs alone"]


async def test_who_looks_sees_their_issues_as_they_are_now_and_what_of_ours_arrived(
    redmine, analyst, admin
):
    session = session_of(redmine)
    courier, observer = RedmineCourier(session, WORDS), RedmineObserver(session, "T71", WORDS)
    theirs = (await courier.deliver(opening(71))).external_id
    change = message(
        71, "said", external_id=theirs, set={"status": "In Progress"}, hops=["NGI-3", "T71-71"]
    )
    await courier.deliver(change)
    await analyst.change(theirs, project="ROC_IT", priority="Low")
    other = str(await analyst.open("ROC_DE", "of others", ExternalID="XYZ-9"))
    gone = str(await analyst.open("ROC_DE", "gone"))
    await admin.say("DELETE", f"/issues/{gone}.json")
    [seen, foreign, deleted] = await observer.look([theirs, other, gone])
    assert (seen.number, seen.state, seen.priority, seen.unit) == (
        71,
        "In Progress",
        "Low",
        "ROC_IT",
    )
    assert seen.messages == {"<open-71@hub.test>", "<said@hub.test>"}
    assert (foreign.number, foreign.messages, foreign.gone) == (0, frozenset(), False)
    assert deleted.gone
    await session.close()
