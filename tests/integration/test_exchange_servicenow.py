"""Tickets exchanged with a stand-in for ServiceNow that enforces its documentation."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from msgspec import structs

from adapters.helpdesks.servicenow.connector import ServiceNowConnector
from adapters.helpdesks.servicenow.courier import ServiceNowCourier
from adapters.helpdesks.servicenow.documents import DOCUMENTS, Ours
from adapters.helpdesks.servicenow.mapping import ServiceNow as ServiceNowAdapter
from adapters.helpdesks.servicenow.observer import ServiceNowObserver
from adapters.helpdesks.servicenow.poller import ServiceNowPoller
from adapters.helpdesks.servicenow.session import Session
from adapters.helpdesks.servicenow.terms import Terms
from adapters.helpdesks.servicenow.words import WORDS
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Priority, Visibility
from domain.words import Table
from tests.couriers import everything
from tests.desk_scenarios import desk_hub
from tests.standins.server import Fault
from tests.standins.servicenow import ACCOUNT, AGENT, CALLER, PASSWORD, TOKEN, ServiceNow

TERMS = "/?group=Service+Desk&intake=To_GGUS"


@pytest.fixture
async def site():
    async with ServiceNow() as standin:
        standin.open("Service Desk", short_description="The first one")
        yield standin


def address_of(site: ServiceNow) -> str:
    return site.url.replace("://", f"://{ACCOUNT}@") + TERMS


def connected(database, site, secret=PASSWORD, adapter=None, **terms):
    return desk_hub(
        database, adapter or ServiceNowAdapter(), ServiceNowConnector(settle_s=0.5), address_of(site), secret, **terms
    )  # fmt: skip


@asynccontextmanager
async def session_of(site: ServiceNow):
    session = Session(Terms.of(address_of(site)), PASSWORD, allow_private=True)
    try:
        yield session
    finally:
        await session.close()


def message(number: int, event: str, external_id: str = "", **more) -> Parcel:
    document = Ours(
        number=number, external_id=f"GGUS-{number}", event_id=f"{event}.1@hub.test",
        text=more.pop("text", "some text"), **more,
    )  # fmt: skip
    return Parcel(raw=DOCUMENTS.write(document), external_id=external_id)


def opening(number: int) -> Parcel:
    columns = {"short_description": "Transfers fail", "correlation_id": f"GGUS-{number}"}
    return message(number, f"open{number}", create=True, set=columns)


async def test_a_ticket_goes_to_their_unit_is_discussed_solved_and_reopened(database, site):
    async with connected(database, site) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE", subject="Übertragung fails", description="Grüße")
        theirs = await ours.linked_to(number)
        incident = site.incidents[theirs]
        assert incident["short_description"] == "Übertragung fails"
        assert incident["description"] == "Grüße"
        assert incident["assignment_group"] == site.group_ids["ROC_DE"]
        assert (incident["state"], incident["priority"]) == ("1", "4")
        assert (await ours.about(number)).external_reference == incident["number"]

        site.change(theirs, state="2", work_notes="agents only")
        await ours.heard(Ticket.WorkStarted)
        site.change(theirs, comments="Looking at it.")
        entries = await ours.heard(Ticket.Commented, 2)
        assert [each.visibility for each in entries] == ["internal", "public"]
        await ours.execute(c.Comment(number=number, text="Thank you."))
        await ours.execute(
            c.Comment(number=number, text="a secret", visibility=Visibility.INTERNAL)
        )
        await ours.quiet(number)
        [told] = site.texts(theirs, "comments", by=ACCOUNT)
        assert told.startswith("Thank you.\n\n[GGUS-")

        site.change(theirs, state="3", hold_reason="1", comments="Which file?")
        await ours.heard(Ticket.ReplyRequested)
        incident["caller_id"] = CALLER
        site.change(theirs, by=CALLER, comments="All of them.")
        await ours.heard(Ticket.SubmitterReplied)
        site.change(theirs, state="6", close_code="Solution provided", close_notes="Restarted it.")
        await ours.heard(Ticket.Solved)
        solved = await ours.ledger.ticket(number)
        assert solved.status is Status.SOLVED
        assert await ours.text(solved.solution) == "Restarted it."
        assert (await ours.about(number)).remote_state == "6"

        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await ours.quiet(number)
        assert incident["state"] == "2"
        site.change(theirs, state="6", close_notes="Now really.")
        await ours.heard(Ticket.Solved, 2)
        site.change(theirs, state="2")
        await ours.heard(Ticket.Reopened, 2)
        await ours.quiet(number)
        assert await ours.events(Exchange.Parked, Exchange.MessageRefused) == []
        assert len(site.of(f"GGUS-{number}")) == 1


async def test_what_changes_here_changes_there_once(database, site):
    async with connected(database, site) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(
            c.Reclassify(
                number=number, field="priority", value="top priority", justification="Beam."
            ),
            c.PutOnHold(number=number, reason="A part is on its way."),
        )
        await ours.quiet(number)
        incident = site.incidents[theirs]
        assert (incident["state"], incident["hold_reason"], incident["priority"]) == ("3", "4", "1")
        await ours.execute(c.Assign(number=number, unit="ROC_IT"), c.StartWork(number=number))
        await ours.execute(c.Solve(number=number, solution="Replaced the disk."))
        await ours.execute(c.Verify(number=number))
        await ours.quiet(number)
        assert incident["assignment_group"] == site.group_ids["ROC_IT"]
        assert (incident["state"], incident["close_notes"]) == ("6", "Replaced the disk.")
        assert incident["close_code"] == "Solution provided"
        assert await ours.events(Ticket.Commented) == [], "nothing comes back"
        applied = await ours.events(Exchange.Applied)
        assert applied == []


async def test_an_incident_in_their_group_for_us_is_opened_here(database, site):
    async with connected(database, site, f"bearer:{TOKEN}") as ours:
        ours.work()
        await ours.polled()
        site.open("Service Desk", short_description="Their own business")
        theirs = site.open(
            "To_GGUS", short_description="Gatekeeper down", description="Since noon.", impact="1",
            urgency="2",
        )  # fmt: skip
        [opened] = await ours.heard(Ticket.Opened)
        assert await ours.text(opened.subject) == "Gatekeeper down"
        assert opened.particulars.priority == Priority.VERY_URGENT.value
        assert opened.submitter is not None
        await ours.quiet(opened.number)
        assert site.incidents[theirs]["correlation_id"] == f"GGUS-{opened.number}"
        site.change(theirs, group="ROC_IT", impact="3", urgency="3", comments="It is theirs.")
        await ours.heard(Ticket.Reclassified)
        await ours.heard(Ticket.Assigned)
        ticket = await ours.ledger.ticket(opened.number)
        assert (ticket.unit, ticket.priority) == ("ROC_IT", Priority.LESS_URGENT)


OTHER = {
    "6": Status.ASSIGNED.value, "5": Status.IN_PROGRESS.value, "4": Status.ON_HOLD.value,
    "2": Status.SOLVED.value, "1": Status.UNSOLVED.value,
}  # fmt: skip


async def test_two_sites_may_number_their_states_in_opposite_ways(database, more_databases, site):
    ours = {ours: theirs for theirs, ours in OTHER.items()}
    ours |= {
        Status.NEW.value: "6", Status.WAITING_FOR_REPLY.value: "4/1", Status.ON_HOLD.value: "4/4",
        Status.REOPENED.value: "5", Status.VERIFIED.value: "2", Status.CLOSED.value: "2",
    }  # fmt: skip
    tables = structs.replace(ServiceNowAdapter.words, states=Table(theirs=OTHER, ours=ours))

    class Opposite(ServiceNowAdapter):
        words = tables

    async with (
        ServiceNow(states=tuple(OTHER), first="6", on_hold="4", over=("1", "2")) as other,
        connected(database, site) as first,
        connected(more_databases(), other, adapter=Opposite(), name="NGI") as second,
    ):
        for hub, desk, work, hold, solved in (
            (first, site, "2", "3", "6"),
            (second, other, "5", "4", "2"),
        ):
            hub.work()
            number = await hub.open_ticket("ROC_DE")
            theirs = await hub.linked_to(number)
            desk.change(theirs, state=work)
            await hub.heard(Ticket.WorkStarted)
            await hub.execute(c.PutOnHold(number=number, reason="We wait."))
            await hub.quiet(number)
            assert desk.incidents[theirs]["state"] == hold
            desk.change(theirs, state=work)
            await hub.heard(Ticket.WorkStarted, 2)
            desk.change(theirs, state=solved, close_code="x", close_notes="Done.")
            await hub.heard(Ticket.Solved)
            assert (await hub.ledger.ticket(number)).status is Status.SOLVED


async def test_a_state_that_was_not_agreed_on_parks_its_conversation_alone(database, site):
    site.states = (*site.states, "99")
    async with connected(database, site) as ours:
        ours.work()
        number, other = await ours.open_ticket("ROC_DE"), await ours.open_ticket("ROC_DE")
        theirs, others = await ours.linked_to(number), await ours.linked_to(other)
        site.change(theirs, state="99")
        [parked] = await ours.heard(Exchange.Parked)
        assert "'99'" in await ours.text(parked.detail)
        site.change(others, state="2")
        await ours.heard(Ticket.WorkStarted)
        assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED


@pytest.mark.parametrize("kind", ["500", "500 after", "html", "429"])
async def test_whatever_fails_in_between_nothing_happens_twice(database, site, kind):
    async with connected(database, site) as ours:
        ours.work()
        await ours.polled()
        site.faults += [
            Fault(kind, method, path)
            for method in ("GET", "POST", "PATCH")
            for path in ("incident$", "incident/", "sys_journal_field", "sys_user_group")
            for _ in range(2)
        ]
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.execute(c.Comment(number=number, text="Thank you."))
        await ours.execute(c.StartWork(number=number))
        site.change(theirs, comments="Looking.")
        await ours.heard(Ticket.Commented, 2)
        await ours.execute(c.Solve(number=number, solution="Done."))
        await ours.quiet(number)
        assert len(site.of(f"GGUS-{number}")) == 1
        told = [text.split("\n")[0] for text in site.texts(theirs, "comments", by=ACCOUNT)]
        assert told == ["Thank you.", "Done."]
        assert site.incidents[theirs]["state"] == "6"
        assert len(await ours.events(Ticket.Commented)) == 2
        assert await ours.events(Exchange.Parked) == []


async def test_a_crash_between_any_two_steps_creates_nothing_twice(site):
    async with session_of(site) as session:
        for path in ("POST", "GET"):
            parcel = opening(len(path))
            site.faults = [Fault("500 after", path, "incident$")]
            with pytest.raises(Undelivered) as failure:
                await ServiceNowCourier(session, WORDS, settle_s=0).deliver(parcel)
            assert not failure.value.final
            first = await ServiceNowCourier(session, WORDS, settle_s=0).deliver(parcel)
            again = await ServiceNowCourier(session, WORDS, settle_s=0).deliver(parcel)
            assert first.external_id == again.external_id
            assert len(site.of(f"GGUS-{len(path)}")) == 1
        change = message(3, "change", first.external_id, public=True, set={"impact": "1"})
        for method, path in (("PATCH", "incident/"), ("GET", "sys_journal_field")):
            site.faults = [Fault("500 after", method, path)]
            with pytest.raises(Undelivered):
                await ServiceNowCourier(session, WORDS, settle_s=0).deliver(change)
        await ServiceNowCourier(session, WORDS, settle_s=0).deliver(change)
        assert len(site.texts(first.external_id, "comments")) == 1


async def test_two_deliveries_at_once_make_one_incident(site):
    async with session_of(site) as session:
        courier = ServiceNowCourier(session, WORDS, settle_s=0)
        made = await asyncio.gather(*(courier.deliver(opening(1)) for _ in range(8)))
        assert len({each.external_id for each in made}) == 1
        assert len(site.of("GGUS-1")) == 1


async def test_what_an_access_rule_leaves_out_in_silence_is_loud_here(site):
    async with session_of(site) as session:
        courier = ServiceNowCourier(session, WORDS, settle_s=0)
        site.unwritable = ("correlation_id",)
        with pytest.raises(Undelivered) as failure:
            await courier.deliver(opening(1))
        assert (failure.value.code, failure.value.final) == ("no-field", True)
        site.unwritable = ()
        there = (await courier.deliver(opening(2))).external_id
        site.unwritable = ("state",)
        with pytest.raises(Undelivered, match="in state 1, not 2") as failure:
            await courier.deliver(message(2, "a", there, set={"state": "2"}, state="2"))
        assert failure.value.code == "refused"
        site.unwritable = ("work_notes",)
        with pytest.raises(Undelivered, match="did not keep the text"):
            await courier.deliver(message(2, "b", there))
        site.unwritable = ("impact",)
        said = await courier.deliver(message(2, "c", there, set={"impact": "1"}, group="Nowhere"))
        assert said.receipt.endswith("changed; there is no group Nowhere; not taken: impact")


async def test_a_column_that_the_site_does_not_have_matches_no_ticket_of_others(site):
    """ServiceNow leaves an unknown column out of a query: then it finds every incident."""
    site.unknown = ("correlation_id",)
    async with session_of(site) as session:
        with pytest.raises(Undelivered) as failure:
            await ServiceNowCourier(session, WORDS, settle_s=0).deliver(opening(1))
        assert failure.value.code == "no-field"
        poller = ServiceNowPoller(session, "GGUS", WORDS)
        at = await poller.poll(b"", everything)
        site.open("Service Desk", short_description="not ours")

        async def nothing(_: str, opened_at: datetime | None = None) -> bool:
            return False

        assert (await poller.poll(at.cursor, nothing)).messages == []


async def test_what_the_data_policy_refuses_is_parked_with_their_words(site):
    async with session_of(site) as session:
        courier = ServiceNowCourier(session, WORDS, settle_s=0)
        there = (await courier.deliver(opening(1))).external_id
        with pytest.raises(Undelivered, match="close_code, close_notes") as failure:
            await courier.deliver(message(1, "a", there, set={"state": "6"}, state="6"))
        assert (failure.value.code, failure.value.final) == ("forbidden", True)


async def test_their_wish_to_be_asked_later_is_heard(site):
    async with session_of(site) as session:
        site.faults = [Fault("429")]
        with pytest.raises(Undelivered) as failure:
            await ServiceNowCourier(session, WORDS, settle_s=0).deliver(opening(1))
        assert (failure.value.code, failure.value.retry_after_s) == ("too-many", 1.0)


async def test_an_incident_that_is_gone_is_told_to_operators(database, site):
    async with connected(database, site) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        site.delete(await ours.linked_to(number))
        await ours.execute(c.Comment(number=number, text="Are you there?"))
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == "gone-there"


async def test_changes_in_the_same_second_and_many_at_once_are_all_found(site):
    async with session_of(site) as session:
        poller = ServiceNowPoller(session, "GGUS", WORDS)
        found = await poller.poll(b"", everything)
        made = [site.open("To_GGUS", short_description=f"incident {n}") for n in range(250)]
        for each in made[:50]:
            site.change(each, comments="one")
        seen: list[str] = []
        for passes in range(2):
            more = True
            while more:
                found = await poller.poll(found.cursor, everything)
                more = found.more
                seen += [each.message_id for each in found.messages]
                for each in made[:3] if not passes else ():
                    site.change(each, work_notes="while they are read")
        kinds = {each.partition(":")[0] for each in seen}
        assert kinds == {"incident", "journal"}
        assert {each.split(":")[1] for each in seen if each.startswith("incident")} == set(made)
        journal = {each["sys_id"] for each in site.journal}
        assert {each.split(":")[1] for each in seen if each.startswith("journal")} == journal
        assert len(found.cursor) < 60_000


async def test_their_clock_may_be_wrong_but_not_read_in_another_zone(database, site):
    site.skew = timedelta(hours=-3)
    site.open("Service Desk", short_description="early")
    async with session_of(site) as session:
        site.zone = timedelta(hours=-5)
        with pytest.raises(Undelivered) as failure:
            await ServiceNowPoller(session, "GGUS", WORDS).poll(b"", everything)
        assert failure.value.code == "time-zone"
        site.zone = timedelta()
    site.incidents.clear()
    async with connected(database, site) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        site.change(await ours.linked_to(number), state="2")
        await ours.heard(Ticket.WorkStarted)


async def test_a_state_that_our_own_write_hides_is_still_found(site):
    async with session_of(site) as session:
        poller, courier = (
            ServiceNowPoller(session, "GGUS", WORDS),
            ServiceNowCourier(session, WORDS, settle_s=0),
        )
        found = await poller.poll(b"", everything)
        columns = {
            "short_description": "x",
            "correlation_id": "GGUS-1",
            "correlation_display": "GGUS 1",
        }
        there = (await courier.deliver(message(1, "a", create=True, set=columns))).external_id
        found = await poller.poll(found.cursor, everything)
        assert found.messages == [], "our own change is no news"
        site.change(there, state="2")
        await courier.deliver(message(1, "b", there))
        assert site.incidents[there]["sys_updated_by"] == ACCOUNT
        [hidden] = (await poller.poll(found.cursor, everything)).messages
        assert b'"by_us": true' in hidden.raw


async def test_the_observer_sees_incidents_as_they_are(site):
    async with session_of(site) as session:
        courier = ServiceNowCourier(session, WORDS, settle_s=0)
        there = (await courier.deliver(opening(7))).external_id
        await courier.deliver(message(7, "told", there))
        site.change(there, state="3", hold_reason="1", group="ROC_IT", impact="1", urgency="1")
        site.change(there, by=AGENT, work_notes="[GGUS-7 forged.1@hub.test]")
        seen, gone = await ServiceNowObserver(session, "GGUS", WORDS).look([there, "0" * 32])
        assert (seen.number, seen.state, seen.priority, seen.unit) == (7, "3/1", "1", "ROC_IT")
        assert seen.messages == {"<open7.1@hub.test>", "<told.1@hub.test>"}
        assert str(seen.opened_at) == site.incidents[there]["sys_created_on"] + "+00:00"
        assert gone.gone
        [other] = await ServiceNowObserver(session, "NGI", WORDS).look([there])
        assert other.number == 0


@pytest.mark.parametrize("address", ["", "ftp://a@b", "https://no-account.test/", "https://a@b.test/?intake=a^b"])  # fmt: skip
async def test_what_is_no_address_is_said_at_once(address):
    with pytest.raises(Undelivered) as failure:
        Terms.of(address)
    assert (failure.value.code, failure.value.final) == ("bad-address", True)


async def test_a_hub_that_dies_at_any_moment_goes_on_where_it_was(database, site):
    numbers: list[int] = []
    for attempt in range(6):
        async with connected(database, site) as ours:
            ours.work()
            numbers.append(await ours.open_ticket("ROC_DE"))
            for number in numbers:
                await ours.execute(c.Comment(number=number, text=f"comment {attempt}"))
            await asyncio.sleep(0.06 * attempt)  # it dies somewhere on the way
    async with connected(database, site) as ours:
        ours.work()
        for born, number in enumerate(numbers):
            theirs = await ours.linked_to(number)
            await ours.quiet(number)
            assert len(site.of(f"GGUS-{number}")) == 1
            told = "\n".join([site.incidents[theirs]["description"], *site.texts(theirs)])
            for attempt in range(born, 6):
                assert told.count(f"comment {attempt}") == 1, (number, attempt)
        assert await ours.events(Exchange.MessageReceived, Exchange.Parked) == []
