"""Tickets exchanged with a stand-in for Jira Cloud that enforces its documentation."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from adapters.helpdesks.jira.connector import JiraConnector
from adapters.helpdesks.jira.courier import JiraCourier
from adapters.helpdesks.jira.documents import DOCUMENTS, Mark, Note, Ours
from adapters.helpdesks.jira.mapping import Jira as JiraAdapter
from adapters.helpdesks.jira.observer import JiraObserver
from adapters.helpdesks.jira.poller import JiraPoller
from adapters.helpdesks.jira.session import LONG_PAGE, Session
from adapters.helpdesks.jira.terms import Terms
from adapters.helpdesks.jira.words import WORDS
from adapters.kit.answers import instant
from adapters.kit.interface import Parcel, Seen
from adapters.kit.retry import Undelivered
from domain import clock
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority, Visibility
from domain.words import Table, Tables
from tests.couriers import everything, killed_after, patiently
from tests.desk_scenarios import DESK, desk_hub
from tests.standins.jira import AGENT, BRIDGE, CUSTOMER, SERVICE, TOKEN, Jira
from tests.standins.server import Fault

_numbers = itertools.count(1000)

# What a service project whose workflow is SERVICE is registered with.
SERVICE_TABLES = Tables(
    states=Table(
        theirs={
            "Open": "assigned", "Work in progress": "in progress", "Waiting for customer": "waiting for reply",
            "Pending": "on hold", "Resolved": "solved", "Canceled": "unsolved",
        },
        ours={
            "new": "Open", "assigned": "Open", "in progress": "Work in progress",
            "waiting for reply": "Waiting for customer", "on hold": "Pending", "reopened": "Work in progress",
            "solved": "Resolved", "unsolved": "Canceled", "verified": "Resolved", "closed": "Resolved",
        },
    ),
)  # fmt: skip


@pytest.fixture
async def jira():
    async with Jira() as standin:
        yield standin


def address(jira: Jira) -> str:
    there = jira.url.replace("://", "://bridge%40example.org@")
    return f"{there}/?project=OPS&type=Task&intake=HUB"


def connected(database, jira, **terms):
    return desk_hub(
        database, JiraAdapter(), JiraConnector(settle_s=0.5), address(jira),
        terms.pop("token", TOKEN), **terms,
    )  # fmt: skip


@asynccontextmanager
async def session_of(jira: Jira):
    session = Session(Terms.of(address(jira)), TOKEN, allow_private=True)
    try:
        yield session
    finally:
        await session.close()


def message(number: int, event: str, external_id: str = "", **more) -> Parcel:
    name = f"GGUS-{number}"
    document = Ours(
        number=number, mark=Mark(external_id=name, event_id=f"{event}.1@hub.test", hops=[name]),
        decided_at=clock.now().isoformat(), note=Note(public=True, text=more.pop("text", "some text")),
        **more,
    )  # fmt: skip
    return Parcel(raw=DOCUMENTS.write(document), external_id=external_id)


def opening(number: int, **more) -> Parcel:
    create = {
        "project": "OPS",
        "issuetype": "Task",
        "summary": "Transfers fail",
        "priority": "Low",
        **more,
    }
    page = f"https://hub.test/tickets/{number}"
    return message(number, f"open{number}", create=create, page=page)


async def test_a_ticket_goes_to_their_unit_is_discussed_solved_and_reopened(database, jira):
    async with connected(database, jira) as ours:
        ours.work()
        text = "Grüße *not bold* {code}\nsecond line\n\nsecond block"
        number = await ours.open_ticket("ROC_DE", subject="Übertragung fails", description=text)
        theirs = await ours.linked_to(number)
        issue = jira.issues[theirs]
        assert (issue["summary"], issue["status"], issue["priority"], issue["component"]) == (
            "Übertragung fails", "To Do", "Low", "ROC_DE",
        )  # fmt: skip
        assert issue["labels"] == [f"GGUS-{number}"]
        assert issue["properties"]["ticketledger.GGUS"]["external_id"] == f"GGUS-{number}"
        [link] = jira.links.values()
        assert link["url"] == f"https://hub.test/tickets/{number}"
        assert (await ours.about(number)).external_reference == issue["key"]

        jira.move(theirs, "In Progress")
        await ours.heard(Ticket.WorkStarted)
        jira.write(theirs, "Looking at it.\nSpäter mehr.")
        [commented] = await ours.heard(Ticket.Commented)
        assert await ours.text(commented.text) == "Looking at it.\n\nSpäter mehr."
        jira.write(theirs, "team only", visibility={"type": "role", "value": "Administrators"})
        internal = (await ours.heard(Ticket.Commented, 2))[1]
        assert internal.visibility == Visibility.INTERNAL.value
        await ours.execute(c.Comment(number=number, text="Thank you."))
        await ours.quiet(number)
        assert jira.texts(theirs, by=BRIDGE) == ["Thank you."]

        jira.write(theirs, "Restarted it.")
        jira.move(theirs, "Done")
        await ours.heard(Ticket.Solved)
        solved = await ours.ledger.ticket(number)
        assert solved.status is Status.SOLVED
        assert await ours.text(solved.solution) == "Restarted it."
        assert (await ours.about(number)).remote_state == "Done"
        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await ours.quiet(number)
        assert issue["status"] == "To Do"
        await ours.execute(c.StartWork(number=number))
        await ours.quiet(number)
        assert issue["status"] == "In Progress"
        await ours.execute(c.Solve(number=number, solution="All good."))
        await ours.quiet(number)
        assert issue["status"] == "Done"
        jira.move(theirs, "In Progress")
        await ours.heard(Ticket.Reopened, 2)
        assert len(await ours.events(Ticket.WorkStarted)) == 2, "no echo"
        assert await ours.events(Exchange.Parked) == []


async def test_a_service_project_has_its_own_states_and_asks_for_a_resolution(database, jira):
    jira.workflow, jira.asks_resolution = dict(SERVICE), ("Resolved", "Canceled")
    async with connected(database, jira, tables=SERVICE_TABLES) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        jira.move(theirs, "Work in progress")
        await ours.heard(Ticket.WorkStarted)
        await ours.execute(c.RequestReply(number=number, question="Which one?"))
        await ours.quiet(number)
        assert jira.issues[theirs]["status"] == "Waiting for customer"
        jira.write(theirs, "The second one.", by=BRIDGE)  # not news: our own account
        await ours.execute(c.RecordReply(number=number, text="The second one."))
        await ours.execute(c.Solve(number=number, solution="Done."))
        await ours.quiet(number)
        assert jira.issues[theirs]["status"] == "Resolved"
        assert await ours.events(Exchange.Parked) == []


async def test_a_status_that_no_transition_leads_to_parks_the_message_with_the_ways_there_are(
    database, jira
):
    jira.workflow = dict(SERVICE)
    async with connected(database, jira, tables=SERVICE_TABLES) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(c.Solve(number=number, solution="At once."))
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "no-transition"
        assert "Canceled, Pending, Work in progress" in await ours.text(parked.detail)
        assert jira.texts(theirs, by=BRIDGE) == ["At once."]


async def test_an_issue_for_us_is_opened_here_and_told_its_number(database, jira):
    jira.skew = timedelta(minutes=-5)
    old = jira.open("HUB", "before our time", "x")
    jira.skew = timedelta()
    async with connected(database, jira) as ours:
        ours.work()
        await ours.polled()
        theirs = jira.open("HUB", "Gatekeeper down", "Since noon.", priority={"name": "High"})
        local = jira.open("OPS", "their own", "x")
        [opened] = await ours.heard(Ticket.Opened)
        assert await ours.text(opened.subject) == "Gatekeeper down"
        assert await ours.text(opened.description) == "Since noon."
        assert opened.submitter is not None
        assert opened.particulars.priority == Priority.VERY_URGENT.value
        await ours.quiet(opened.number)
        assert jira.of(f"GGUS-{opened.number}") == [theirs]
        await ours.execute(c.RequestReply(number=opened.number, question="Which one?"))
        await ours.quiet(opened.number)
        jira.write(theirs, "The second one.", by=CUSTOMER)
        await ours.heard(Ticket.SubmitterReplied)
        received = await ours.events(Exchange.MessageReceived)
        assert len({each.originator_id for each in received}) == 1, "what is local stays there"
        assert jira.issues[old]["labels"] == jira.issues[local]["labels"] == []


async def test_units_and_priorities_follow_both_ways(database, jira):
    async with connected(database, jira) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        jira.change(theirs, component="ROC_IT", priority="Highest")
        await ours.heard(Ticket.Reclassified)
        await ours.heard(Ticket.Assigned, 2)
        ticket = await ours.ledger.ticket(number)
        assert (ticket.unit, ticket.priority) == ("ROC_IT", Priority.TOP_PRIORITY)
        await ours.execute(
            c.Reclassify(number=number, field="priority", value="urgent", justification="Less."),
            c.Assign(number=number, unit="ROC_DE"),
        )
        await ours.quiet(number)
        issue = jira.issues[theirs]
        assert (issue["component"], issue["priority"]) == ("ROC_DE", "Medium")


async def test_an_unknown_state_is_parked_and_the_others_go_on(database, jira):
    async with connected(database, jira) as ours:
        ours.work()
        first, second = await ours.open_ticket("ROC_DE"), await ours.open_ticket("ROC_DE")
        theirs, other = await ours.linked_to(first), await ours.linked_to(second)
        jira.move(theirs, "Ready for moon")
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "unreadable"
        assert "Ready for moon" in await ours.text(parked.detail)
        jira.write(other, "not held up")
        await ours.heard(Ticket.Commented)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [({"components": ()}, "Component name"), ({"hidden": ("labels",)}, "labels"),
     ({"hidden": ("priority",)}, "priority")],
)  # fmt: skip
async def test_what_they_refuse_parks_the_opening_with_their_words(database, jira, spoilt, words):
    for name, value in spoilt.items():
        setattr(jira, name, value)
    async with connected(database, jira) as ours:
        ours.work()
        await ours.open_ticket("ROC_DE")
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "http-400"
        assert words in await ours.text(parked.detail)
        assert jira.issues == {}


async def test_an_issue_deleted_there_parks_what_is_sent(database, jira):
    async with connected(database, jira) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        jira.delete(await ours.linked_to(number))
        await ours.execute(c.Comment(number=number, text="Hello?"))
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "gone-there"


async def test_a_server_in_trouble_gets_everything_once(database, jira):
    jira.faults = [
        Fault("500 after", "POST", "/issue$"), Fault("html", "POST", "search"), Fault("429", "POST", "comment"),
        Fault("500 after", "POST", "comment"), Fault("html", "POST", "comment"), Fault("500", "GET", "changelog"),
        Fault("500 after", "POST", "transitions"), Fault("500 after", "POST", "remotelink"),
    ]  # fmt: skip
    jira.index_lag_s = 0.3
    async with connected(database, jira) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(c.Comment(number=number, text="once"))
        await ours.execute(c.Comment(number=number, text="and once"))
        await ours.execute(c.Solve(number=number, solution="Done."))
        await ours.quiet(number)
        assert jira.of(f"GGUS-{number}") == [theirs]
        assert len(jira.issues) == len(jira.links) == 1
        assert jira.texts(theirs, by=BRIDGE) == ["once", "and once", "Done."]
        assert jira.issues[theirs]["status"] == "Done"
        assert await ours.events(Exchange.Parked) == []
        jira.write(theirs, "heard")
        await ours.heard(Ticket.Commented, 3)
        assert jira.faults == []


async def test_a_rate_limit_slows_down_and_loses_nothing(database, jira):
    jira.most_per_second = 15
    async with connected(database, jira) as ours:
        ours.work()
        numbers = [await ours.open_ticket("ROC_DE") for _ in range(3)]
        for number in numbers:
            jira.write(await ours.linked_to(number), f"about {number}")
        await ours.heard(Ticket.Commented, 3)
        assert len(jira.issues) == 3


async def test_a_wrong_token_keeps_messages_waiting(database, jira):
    async with connected(database, jira, token="wrong") as ours:
        ours.work()
        await ours.open_ticket("ROC_DE")
        [failed, *_] = await ours.heard(Exchange.Failed)
        assert failed.code == "unauthorised"
        assert await ours.events(Exchange.Parked) == []


async def test_a_lost_push_loses_nothing_and_a_hint_saves_the_wait(database, jira):
    async with connected(database, jira, poll_every_s=3600) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.polled()
        jira.write(theirs, "nobody was told")
        jira.write(theirs, "with a hint")
        ours.parts.worker.pollers.hint(DESK)
        await ours.heard(Ticket.Commented, 2)


async def test_a_crash_between_any_two_steps_creates_and_writes_nothing_twice(jira, monkeypatch):
    jira.index_lag_s = 0.2
    for step in itertools.count(1):
        number = next(_numbers)
        parcel = opening(number)
        end = message(number, "end", text="The end.", set={"status": "Done", "priority": "High"})
        with killed_after(step, monkeypatch) as killed:
            await _open_and_finish(jira, parcel, end)
        theirs = await _open_and_finish(jira, parcel, end)
        assert jira.of(f"GGUS-{number}") == [theirs], step
        assert jira.texts(theirs) == ["The end."], step
        issue = jira.issues[theirs]
        assert (issue["status"], issue["priority"]) == ("Done", "High"), step
        if not killed.was:
            break
    assert len(jira.issues) == step
    assert step > 8


async def _open_and_finish(jira: Jira, parcel: Parcel, end: Parcel) -> str:
    """As a fresh process would, with as much patience as the exchange has."""
    async with session_of(jira) as session:
        courier = JiraCourier(session, WORDS, settle_s=0.4)
        theirs = (await patiently(courier, parcel)).external_id
        await patiently(courier, Parcel(raw=end.raw, external_id=theirs))
        return theirs


async def test_a_doubled_issue_is_taken_back(jira):
    number = next(_numbers)
    async with session_of(jira) as session:
        doubles = [jira.open("OPS", "x", "y", labels=[f"GGUS-{number}"]) for _ in range(2)]
        delivered = await JiraCourier(session, WORDS, settle_s=0).deliver(opening(number))
        assert delivered.external_id == doubles[0]
        assert f"taken back: {jira.issues[doubles[1]]['key']}" in delivered.receipt
        assert jira.of(f"GGUS-{number}") == [doubles[0]]


async def test_what_somebody_changed_there_meanwhile_keeps_the_last_word(jira):
    number = next(_numbers)
    async with session_of(jira) as session:
        courier = JiraCourier(session, WORDS, settle_s=0)
        theirs = (await courier.deliver(opening(number))).external_id
        work = message(number, "work", theirs, set={"status": "In Progress"})
        await courier.deliver(work)
        jira.move(theirs, "Done")
        delivered = await courier.deliver(work)
        assert delivered.receipt.endswith("overtaken: status")
        assert jira.issues[theirs]["status"] == "Done"
        assert len(jira.texts(theirs)) == 1


async def test_the_observer_sees_state_unit_messages_and_what_is_gone(jira):
    number = next(_numbers)
    async with session_of(jira) as session:
        courier = JiraCourier(session, WORDS, settle_s=0)
        theirs = (await courier.deliver(opening(number, component="ROC_IT"))).external_id
        await courier.deliver(message(number, "second", theirs, set={"status": "In Progress"}))
        for n in range(LONG_PAGE + 5):
            jira.write(theirs, f"{n}")
        seen = await JiraObserver(session, "GGUS", WORDS).look([theirs, "99999"])
        assert seen[0] == Seen(
            external_id=theirs, opened_at=instant(jira.issues[theirs]["created"]), number=number,
            state="In Progress", priority="Low", unit="ROC_IT",
            messages=frozenset({f"<open{number}.1@hub.test>", "<second.1@hub.test>"}),
        )  # fmt: skip
        assert seen[1].gone


@pytest.mark.parametrize("skew", [timedelta(hours=-9), timedelta(), timedelta(days=2)])
async def test_whatever_their_clock_says_each_change_is_told_once(skew, monkeypatch):
    async with Jira(skew=skew) as jira, session_of(jira) as session:
        monkeypatch.setattr("adapters.helpdesks.jira.session.PAGE", 2)
        issues = [jira.open("OPS", f"t{n}", "x", by=BRIDGE) for n in range(5)]
        poller = JiraPoller(session, "GGUS", WORDS)
        cursor = (await poller.poll(b"", everything)).cursor
        written = {f"comment:{jira.write(each, f'{n}')}" for n in range(3) for each in issues}
        found: list[str] = []
        for _ in range(8):
            page = await poller.poll(cursor, everything)
            cursor = page.cursor
            found += [each.message_id for each in page.messages]
        assert set(found) == written
        assert len(found) == len(written)


async def test_many_comments_and_changes_of_one_issue_are_all_told_in_order(jira):
    async with session_of(jira) as session:
        poller = JiraPoller(session, "GGUS", WORDS)
        theirs = jira.open("OPS", "t", "x", by=BRIDGE)
        cursor = (await poller.poll(b"", everything)).cursor
        for n in range(LONG_PAGE + 30):
            jira.write(theirs, f"{n}", by=AGENT)
            jira.move(theirs, ("In Progress", "Done")[n % 2])
        found = (await poller.poll(cursor, everything)).messages
        assert len(found) == 2 * (LONG_PAGE + 30)
        instants = [each.sent_at for each in found if each.sent_at]
        assert instants == sorted(instants)
        comments = [each.message_id for each in found if each.message_id.startswith("comment:")]
        assert comments == [f"comment:{each['id']}" for each in jira.comments]


async def test_what_the_search_shows_late_is_found_and_nothing_is_told_twice(jira):
    jira.index_lag_s = 0.5
    async with session_of(jira) as session:
        poller = JiraPoller(session, "GGUS", WORDS)
        theirs = jira.open("OPS", "t", "x", by=BRIDGE)
        cursor = (await poller.poll(b"", everything)).cursor
        comment = jira.write(theirs, "late")
        found: list[str] = []
        async with asyncio.timeout(30):
            while not found:
                page = await poller.poll(cursor, everything)
                cursor, found = page.cursor, [each.message_id for each in page.messages]
        assert found == [f"comment:{comment}"]
        assert (await poller.poll(cursor, everything)).messages == []


@pytest.mark.parametrize(
    "wrong",
    ["https://jira.example.org/?project=OPS", "https://a@jira.example.org/", "ftp://a@jira.example.org/?project=A",
     "https://a@jira.example.org/?project=A%22)+OR+project+%3D+B"],
)  # fmt: skip
def test_an_address_that_says_too_little_or_too_much_is_refused(wrong):
    with pytest.raises(Undelivered, match="is not like"):
        Terms.of(wrong)
