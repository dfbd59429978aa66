"""Tickets exchanged with a stand-in for Zammad that enforces its documentation."""

import asyncio
import itertools
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from adapters.helpdesks.zammad.connector import ZammadConnector
from adapters.helpdesks.zammad.courier import ZammadCourier
from adapters.helpdesks.zammad.documents import DOCUMENTS, Note, Ours
from adapters.helpdesks.zammad.mapping import Zammad as ZammadAdapter
from adapters.helpdesks.zammad.observer import ZammadObserver
from adapters.helpdesks.zammad.poller import ZammadPoller
from adapters.helpdesks.zammad.session import PAGE, Session
from adapters.helpdesks.zammad.terms import Terms
from adapters.helpdesks.zammad.words import WORDS
from adapters.kit.interface import Parcel, Seen
from domain import clock
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority, Visibility
from tests.couriers import everything, killed_after, patiently
from tests.desk_scenarios import DESK, DeskHub, desk_hub
from tests.standins.server import Fault
from tests.standins.zammad import AGENT, BRIDGE, CUSTOMER, SYSTEM, TOKEN, Zammad

_numbers = itertools.count(1000)


@pytest.fixture
async def zammad():
    async with Zammad() as standin:
        standin.open("Users", "Welcome to Zammad!", "It begins.")
        yield standin


def connected(database, zammad, **terms):
    return desk_hub(
        database, ZammadAdapter(), ZammadConnector(settle_s=0.5),
        f"{zammad.url}/?group=Users&intake=To_GGUS", terms.pop("token", TOKEN), **terms,
    )  # fmt: skip


@asynccontextmanager
async def session_of(zammad: Zammad):
    session = Session(Terms.of(zammad.url + "/?intake=To_GGUS"), TOKEN, allow_private=True)
    try:
        yield session
    finally:
        await session.close()


def message(number: int, event: str, external_id: str = "", **more) -> Parcel:
    document = Ours(
        number=number, external_id=f"GGUS-{number}", event_id=f"{event}.1@hub.test",
        mark=f"GGUS-{number} {event}.1@hub.test", decided_at=clock.now().isoformat(),
        note=Note(public=True, text=more.pop("text", "some text")), **more,
    )  # fmt: skip
    return Parcel(raw=DOCUMENTS.write(document), external_id=external_id)


def opening(number: int, **more) -> Parcel:
    create = {"group": "ROC_DE", "title": "Transfers fail", "priority": "1 low", **more}
    return message(number, f"open{number}", create=create)


async def test_a_ticket_goes_to_their_unit_is_discussed_solved_and_reopened(database, zammad):
    async with connected(database, zammad) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE", subject="Übertragung fails", description="Grüße")
        theirs = int(await ours.linked_to(number))
        ticket = zammad.tickets[theirs]
        assert (ticket["title"], ticket["group"], ticket["state"], ticket["priority"]) == (
            "Übertragung fails", "ROC_DE", "new", "1 low",
        )  # fmt: skip
        assert ticket["external_id"] == f"GGUS-{number}"
        assert ticket["external_url"] == f"https://hub.test/tickets/{number}"
        assert ticket["customer_id"] == BRIDGE, "nobody is mailed twice"
        assert zammad.texts(theirs) == ["Grüße"]
        assert (await ours.about(number)).external_reference == f"#{ticket['number']}"

        zammad.change(theirs, state="open")
        await ours.heard(Ticket.WorkStarted)
        zammad.write(theirs, "<p>Looking at it.</p><p>Später mehr.</p>", content_type="text/html")
        [commented] = await ours.heard(Ticket.Commented)
        assert await ours.text(commented.text) == "Looking at it.\nSpäter mehr."
        zammad.write(theirs, "agents only", internal=True)
        internal = (await ours.heard(Ticket.Commented, 2))[1]
        assert internal.visibility == Visibility.INTERNAL.value
        await ours.execute(c.Comment(number=number, text="Thank you."))
        await ours.quiet(number)
        assert zammad.texts(theirs, by=BRIDGE)[-1] == "Thank you."

        zammad.write(theirs, "Restarted it.")
        zammad.change(theirs, state="closed")
        await ours.heard(Ticket.Solved)
        solved = await ours.ledger.ticket(number)
        assert solved.status is Status.SOLVED
        assert await ours.text(solved.solution) == "Restarted it."
        assert (await ours.about(number)).remote_state == "closed"
        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await ours.quiet(number)
        assert zammad.tickets[theirs]["state"] == "open"
        await ours.execute(c.RequestReply(number=number, question="Now?"))
        await ours.quiet(number)
        assert zammad.tickets[theirs]["state"] == "pending reminder"
        assert zammad.tickets[theirs]["pending_time"]
        await ours.execute(c.Solve(number=number, solution="All good."))
        await ours.quiet(number)
        assert zammad.tickets[theirs]["state"] == "closed"
        zammad.change(theirs, state="open")
        await ours.heard(Ticket.Reopened, 2)
        assert zammad.texts(theirs, by=BRIDGE)[-3:] == ["Not yet.", "Now?", "All good."]
        assert len(await ours.events(Ticket.WorkStarted)) == 1, "no echo"


async def test_a_ticket_for_us_is_opened_here_and_told_its_number(database, zammad):
    zammad.skew = timedelta(minutes=-5)
    old = zammad.open("To_GGUS", "before our time", "x")
    zammad.skew = timedelta()
    async with connected(database, zammad) as ours:
        ours.work()
        await ours.polled()
        theirs = zammad.open(
            "To_GGUS", "Gatekeeper down", "Since noon.", priority="3 high", affected_site="EXAMPLE-T2"
        )  # fmt: skip
        local = zammad.open("Users", "their own", "x")
        [opened] = await ours.heard(Ticket.Opened)
        assert await ours.text(opened.subject) == "Gatekeeper down"
        assert await ours.text(opened.description) == "Since noon."
        assert opened.submitter is not None
        assert opened.particulars.priority == Priority.VERY_URGENT.value
        assert opened.particulars.affected_site == "EXAMPLE-T2"
        await ours.quiet(opened.number)
        assert zammad.tickets[theirs]["external_id"] == f"GGUS-{opened.number}"
        await ours.execute(c.RequestReply(number=opened.number, question="Which one?"))
        await ours.quiet(opened.number)
        zammad.write(theirs, "The second one.", by=CUSTOMER)
        await ours.heard(Ticket.SubmitterReplied)
        zammad.change(local, group="To_GGUS")
        await ours.heard(Ticket.Opened, 2)
        received = await ours.events(Exchange.MessageReceived)
        assert len({each.originator_id for each in received}) == 2
        assert zammad.tickets[old]["external_id"] is None, "not news"


async def test_units_and_priorities_follow_both_ways(database, zammad):
    async with connected(database, zammad) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = int(await ours.linked_to(number))
        zammad.change(theirs, group="ROC_IT", priority="3 high")
        await ours.heard(Ticket.Reclassified)
        await ours.heard(Ticket.Assigned, 2)
        ticket = await ours.ledger.ticket(number)
        assert (ticket.unit, ticket.priority) == ("ROC_IT", Priority.VERY_URGENT)
        await ours.execute(
            c.Reclassify(number=number, field="priority", value="urgent", justification="Less."),
            c.Assign(number=number, unit="ROC_DE"),
        )
        await ours.quiet(number)
        assert (zammad.tickets[theirs]["group"], zammad.tickets[theirs]["priority"]) == (
            "ROC_DE", "2 normal",
        )  # fmt: skip


async def test_an_unknown_state_is_parked_and_the_others_go_on(database, zammad):
    zammad.states += ("waiting for moon",)
    async with connected(database, zammad) as ours:
        ours.work()
        first, second = await ours.open_ticket("ROC_DE"), await ours.open_ticket("ROC_DE")
        theirs, other = int(await ours.linked_to(first)), int(await ours.linked_to(second))
        zammad.change(theirs, state="waiting for moon")
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "unreadable"
        assert "waiting for moon" in await ours.text(parked.detail)
        zammad.write(other, "not held up")
        await ours.heard(Ticket.Commented)


async def test_a_group_that_they_do_not_have_parks_the_opening_with_their_words(database, zammad):
    zammad.groups = ("Users",)
    async with connected(database, zammad) as ours:
        ours.work()
        await ours.open_ticket("ROC_DE")
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "http-422"
        assert "ROC_DE" in await ours.text(parked.detail)


async def test_without_the_attribute_for_our_number_nothing_is_made(database, zammad):
    zammad.attributes = ()
    zammad.tickets.clear()
    zammad.open("Users", "Welcome", "x")
    async with connected(database, zammad) as ours:
        ours.work()
        await ours.open_ticket("ROC_DE")
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "no-field"
        assert len(zammad.tickets) == 1


async def test_a_ticket_merged_there_goes_on_with_the_one_that_is_left(database, zammad):
    async with connected(database, zammad) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = int(await ours.linked_to(number))
        await ours.polled()
        other = zammad.open("ROC_DE", "the same", "theirs alone")
        zammad.write(other, "theirs alone too")
        zammad.merge(theirs, other)
        [noted] = await ours.heard(Ticket.Commented)
        told = await ours.text(noted.text)
        assert told == f"The partner merged its ticket {theirs} into {other}."
        zammad.write(other, "It goes on here.")
        await ours.heard(Ticket.Commented, 2)
        await ours.execute(c.Comment(number=number, text="Fine."))
        assert (await ours.quiet(number)).external_id == str(other)
        assert zammad.texts(other)[-2:] == ["It goes on here.", "Fine."]
        assert len(await ours.events(Ticket.Commented)) == 3, "what was theirs alone stays there"


async def test_a_ticket_deleted_there_parks_what_is_sent(database, zammad):
    async with connected(database, zammad) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        zammad.delete(int(await ours.linked_to(number)))
        await ours.execute(c.Comment(number=number, text="Hello?"))
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "gone-there"


async def test_a_server_in_trouble_gets_everything_once(database, zammad):
    zammad.faults = [
        Fault("500 after", "POST", "/tickets"), Fault("html", "GET", "search"), Fault("429", "PUT"),
        Fault("500 after", "PUT"), Fault("html", "PUT"), Fault("500", "GET", "by_ticket"),
    ]  # fmt: skip
    zammad.index_lag_s = 0.3
    async with connected(database, zammad) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = int(await ours.linked_to(number))
        await ours.execute(c.Comment(number=number, text="once"))
        await ours.execute(c.Comment(number=number, text="and once"))
        await ours.quiet(number)
        assert len(zammad.of(f"GGUS-{number}")) == 1
        assert zammad.texts(theirs, by=BRIDGE)[1:] == ["once", "and once"]
        assert await ours.events(Exchange.Parked) == []
        zammad.write(theirs, "heard")
        await ours.heard(Ticket.Commented, 3)
        assert zammad.faults == []


async def test_a_rate_limit_slows_down_and_loses_nothing(database, zammad):
    zammad.most_per_second = 15
    async with connected(database, zammad) as ours:
        ours.work()
        numbers = [await ours.open_ticket("ROC_DE") for _ in range(3)]
        for number in numbers:
            theirs = int(await ours.linked_to(number))
            zammad.write(theirs, f"about {number}")
        await ours.heard(Ticket.Commented, 3)
        assert all(len(zammad.of(f"GGUS-{number}")) == 1 for number in numbers)


async def test_a_wrong_token_keeps_messages_waiting(database, zammad):
    async with connected(database, zammad, token="wrong") as ours:
        ours.work()
        await ours.open_ticket("ROC_DE")
        [failed, *_] = await ours.heard(Exchange.Failed)
        assert failed.code == "unauthorised"
        assert await ours.events(Exchange.Parked) == []
        assert "wrong" not in await ours.text(failed.detail)


async def test_a_lost_push_loses_nothing_and_a_hint_saves_the_wait(database, zammad):
    async with connected(database, zammad, poll_every_s=3600) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = int(await ours.linked_to(number))
        await ours.polled()
        zammad.write(theirs, "nobody was told")
        zammad.write(theirs, "with a hint")
        await _hinted(ours, 2)


async def _hinted(ours: DeskHub, count: int) -> None:
    ours.parts.worker.pollers.hint(DESK)
    await ours.heard(Ticket.Commented, count)


async def test_a_crash_between_any_two_steps_creates_and_writes_nothing_twice(zammad, monkeypatch):
    zammad.index_lag_s = 0.2
    for step in itertools.count(1):
        number = next(_numbers)
        parcel = opening(number)
        end = message(number, "end", text="The end.", set={"state": "closed", "priority": "3 high"})
        with killed_after(step, monkeypatch) as killed:
            await _open_and_close(zammad, parcel, end)
        theirs = int(await _open_and_close(zammad, parcel, end))
        assert [each["id"] for each in zammad.of(f"GGUS-{number}")] == [theirs], step
        assert zammad.texts(theirs) == ["some text", "The end."], step
        ticket = zammad.tickets[theirs]
        assert (ticket["state"], ticket["priority"]) == ("closed", "3 high"), step
        if not killed.was:
            break
    assert step > 6


async def _open_and_close(zammad: Zammad, parcel: Parcel, end: Parcel) -> str:
    """As a fresh process would, with as much patience as the exchange has."""
    async with session_of(zammad) as session:
        courier = ZammadCourier(session, WORDS, settle_s=0.4)
        theirs = (await patiently(courier, parcel)).external_id
        await patiently(courier, Parcel(raw=end.raw, external_id=theirs))
        return theirs


async def test_a_doubled_ticket_is_taken_back(zammad):
    number = next(_numbers)
    async with session_of(zammad) as session:
        courier = ZammadCourier(session, WORDS, settle_s=0)
        doubles = [zammad.open("ROC_DE", "x", "y", external_id=f"GGUS-{number}") for _ in range(2)]
        delivered = await courier.deliver(opening(number))
        assert delivered.external_id == str(doubles[0])
        assert delivered.receipt.endswith(f"taken back: {doubles[1]}")
        assert [each["id"] for each in zammad.of(f"GGUS-{number}")] == [doubles[0]]


async def test_an_attribute_that_they_lack_is_named_in_the_receipt(zammad):
    zammad.attributes = ("external_id",)
    async with session_of(zammad) as session:
        document = message(
            1, "open1", create={"group": "Users", "title": "x"}, custom={"affected_site": "A"}
        )
        delivered = await ZammadCourier(session, WORDS, settle_s=0).deliver(document)
        assert delivered.receipt.endswith("not taken: affected_site")


async def test_the_observer_sees_state_unit_messages_merges_and_what_is_gone(zammad):
    number = next(_numbers)
    async with session_of(zammad) as session:
        courier = ZammadCourier(session, WORDS, settle_s=0)
        theirs = (await courier.deliver(opening(number))).external_id
        await courier.deliver(message(number, "second", theirs, set={"state": "open"}))
        zammad.write(int(theirs), "theirs", subject="any subject")
        other, secret = zammad.open("ROC_IT", "x", "y"), zammad.open("ROC_IT", "x", "y")
        merged = zammad.open("ROC_IT", "x", "y")
        zammad.merge(merged, other)
        zammad.forbidden.add(secret)
        asked = [theirs, str(merged), str(secret), "999999"]
        seen = await ZammadObserver(session, "GGUS", WORDS).look(asked)
        assert seen[0] == Seen(
            external_id=theirs, number=number, state="open", priority="1 low", unit="ROC_DE",
            opened_at=datetime.fromisoformat(zammad.tickets[int(theirs)]["created_at"]),
            messages=frozenset({f"<open{number}.1@hub.test>", "<second.1@hub.test>"}),
        )  # fmt: skip
        assert seen[1] == Seen(external_id=str(merged), moved_to=str(other), state="merged")
        assert [each.gone for each in seen[2:]] == [True, True]


@pytest.mark.parametrize("skew", [timedelta(hours=-9), timedelta(), timedelta(days=2)])
async def test_whatever_their_clock_says_each_change_is_told_once(skew, monkeypatch):
    async with Zammad(skew=skew) as zammad, session_of(zammad) as session:
        monkeypatch.setattr("adapters.helpdesks.zammad.session.PAGE", 2)
        monkeypatch.setattr("adapters.helpdesks.zammad.poller.PAGE", 2)
        tickets = [zammad.open("ROC_DE", f"t{n}", "x", by=BRIDGE) for n in range(5)]
        poller = ZammadPoller(session, "GGUS", WORDS)
        cursor = (await poller.poll(b"", everything)).cursor
        written = {f"article:{zammad.write(each, f'{n}')}" for n in range(3) for each in tickets}
        found: list[str] = []
        for _ in range(12):
            page = await poller.poll(cursor, everything)
            cursor = page.cursor
            found += [each.message_id for each in page.messages]
        assert set(found) == written
        assert len(found) == len(written)


async def test_what_the_index_shows_late_is_found_and_nothing_is_told_twice(zammad):
    zammad.index_lag_s = 0.5
    async with session_of(zammad) as session:
        poller = ZammadPoller(session, "GGUS", WORDS)
        theirs = zammad.open("ROC_DE", "t", "x", by=BRIDGE)

        async def known(external_id: str, opened_at: datetime | None = None) -> bool:
            return external_id == str(theirs)

        cursor = (await poller.poll(b"", known)).cursor
        article = zammad.write(theirs, "late")
        found: list[str] = []
        async with asyncio.timeout(30):
            while not found:
                page = await poller.poll(cursor, known)
                cursor, found = page.cursor, [each.message_id for each in page.messages]
        assert found == [f"article:{article}"]
        assert (await poller.poll(cursor, known)).messages == []


async def test_answers_by_machine_have_no_effect(database, zammad):
    async with connected(database, zammad) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = int(await ours.linked_to(number))
        zammad.write(theirs, "We have received your request.", by=SYSTEM)
        zammad.write(theirs, "by hand", by=AGENT)
        [commented] = await ours.heard(Ticket.Commented)
        assert await ours.text(commented.text) == "by hand"
        assert [each.why for each in await ours.events(Exchange.Ignored)] == ["automatic"]


def test_a_page_of_the_search_is_within_what_they_give():
    assert PAGE <= 200
