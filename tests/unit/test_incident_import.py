"""The import of the incident log: order, names, going on where it stopped, nothing twice, no leaks."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.archives import incident_log, incident_rows
from adapters.archives.incident_import import BATCH_EVENTS_MAX, Imported, bring_in
from adapters.store.memory import MemoryStore
from domain.directory import Certification, Person, Site, SupportUnit
from domain.errors import Conflict, StoreUnavailable
from domain.formats import topic_of
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import TPM
from tests.incidents import at, incident, write

ONE = (
    at(0, assignment_group="70", assigned_to="9"),
    at(10, ident_state="Active", assignment_group="24"),
    at(30, ident_state="Awaiting Vendor", sys_mod_count="5"),
    at(50, ident_state="Resolved", knowledge="true"),
    at(55),
    at(90, ident_state="Closed"),
)
TWO = (at(5, caller_id="8"), at(40, ident_state="Resolved"), at(41, ident_state="Closed"))


class Failing(MemoryStore):
    """A store that is lost after some appends."""

    def __init__(self, appends: int) -> None:
        super().__init__()
        self.left = appends

    async def append(self, append):
        if not self.left:
            raise StoreUnavailable("the database went away")
        self.left -= 1
        return await super().append(append)


@pytest.fixture
def log(tmp_path):
    """A function that reads a log with these incidents."""

    def made(**incidents: tuple[dict[str, str], ...]):
        rows = [
            row for number, updates in incidents.items() for row in incident(number[1:], *updates)
        ]
        return incident_rows.read(write(tmp_path / "log.csv", *rows), incident_log.STATUS)

    return made


async def everything(store):
    return [recorded.event for recorded in await store.log(0, 1_000_000)]


async def tickets(store):
    """Tickets by incident, with the state they ended in."""
    found = {}
    for event in await everything(store):
        if isinstance(event, Ticket.Opened):
            incident = event.provenance.correlation_id.partition(":")[2]
            found[incident] = await Ledger(store).ticket(event.number)
    return found


async def test_the_log_is_told_in_the_order_of_time_over_all_incidents(log):
    store = MemoryStore()
    await bring_in(store, log(_1=ONE, _2=TWO))
    events = await everything(store)

    told = [event.provenance.causation_id.partition(":")[2] for event in events]
    assert list(dict.fromkeys(told)) == [
        "1/0", "2/0", "1/1", "2/1", "1/2", "1/3", "2/2", "2/3", "1/4", "1/5", "1/6",
    ]  # fmt: skip
    times = [event.occurred_at for event in events]
    assert times == sorted(times)


async def test_the_counts_are_those_of_the_rows(log):
    store = MemoryStore()
    done = await bring_in(store, log(_1=ONE, _2=TWO))

    assert done == Imported(
        tickets=2, events=await store.head(), history_gaps=1, missing_versions=3, rows=9
    )


async def test_a_ticket_ends_as_its_last_row_shows_it(log):
    store = MemoryStore()
    await bring_in(store, log(_1=ONE))
    ticket = (await tickets(store))["1"]

    assert ticket.status is Status.CLOSED
    assert ticket.unit == "group-24"
    assert ticket.assignee == incident_log.person_id("resolver-9")
    assert ticket.submitter == incident_log.person_id("caller-7")
    assert ticket.affected_site == "location-12"
    assert ticket.missing_versions == 3
    assert ticket.opened_at == datetime(2020, 3, 2, 8, 50, tzinfo=UTC)


async def test_what_the_log_names_enters_the_directory_before_it_is_needed(log):
    store = MemoryStore()
    await bring_in(store, log(_1=ONE, _2=TWO))
    ledger = Ledger(store)

    unit = await ledger.load(SupportUnit, named_id("unit", "group-24"))
    site = await ledger.load(Site, named_id("site", "location-12"))
    person = await ledger.load(Person, await store.holder("identity:login", "caller-8"))
    assert unit is not None
    assert unit.at == datetime(2020, 3, 2, 9, 10, tzinfo=UTC)
    assert site is not None
    assert site.facts.certification == Certification.UNCERTIFIED.value
    assert not site.offered
    assert person is not None
    assert await ledger.load(SupportUnit, named_id("unit", TPM)) is None


async def test_no_event_holds_anything_of_the_end_of_the_story(log):
    store = MemoryStore()
    await bring_in(store, log(_1=ONE, _2=TWO))

    said = repr(await everything(store))
    assert "LEAK" not in said
    assert "2020, 9" not in said


async def test_as_of_any_time_a_ticket_shows_what_its_rows_had_shown_by_then(log):
    """The same log cut off at that time must tell the same ticket."""
    whole = MemoryStore()
    await bring_in(whole, log(_1=ONE))
    number = (await tickets(whole))["1"].number
    for minute in range(0, 100, 5):
        then = datetime(2020, 3, 2, 9, tzinfo=UTC) + timedelta(minutes=minute)
        rows = [
            update for update in ONE
            if datetime.strptime(update["sys_updated_at"], "%d/%m/%Y %H:%M").replace(tzinfo=UTC) <= then
        ]  # fmt: skip
        cut = MemoryStore()
        await bring_in(cut, log(_1=tuple(rows)))

        known = await Ledger(whole).ticket(number, as_of=then)
        ended = (await tickets(cut))["1"]
        assert known.state() == ended.state()


async def test_a_row_stamped_before_its_predecessor_keeps_its_stamp_and_its_place(log):
    store = MemoryStore()
    await bring_in(store, log(_1=(at(30), at(10, ident_state="Active"), at(40)), _2=(at(20),)))
    events = [
        event for event in await everything(store) if event.provenance.causation_id.endswith("1/2")
    ]

    assert {event.occurred_at.minute for event in events} == {10}
    ticket = (await tickets(store))["1"]
    then = datetime(2020, 3, 2, 9, 29, tzinfo=UTC)
    assert (await Ledger(store).ticket(ticket.number, as_of=then)).status is Status.NEW


async def test_running_it_twice_adds_nothing(log):
    store = MemoryStore()
    found = log(_1=ONE, _2=TWO)
    await bring_in(store, found)
    head = await store.head()
    done = await bring_in(store, found)

    assert done == Imported(rows_known=9)
    assert await store.head() == head


async def test_rows_that_were_added_since_are_told_alone(log):
    store = MemoryStore()
    await bring_in(store, log(_1=ONE[:2], _2=TWO[:1]))
    before = await store.head()
    done = await bring_in(store, log(_1=ONE, _2=TWO, _3=(at(1, location="77"),)))

    other = MemoryStore()
    await bring_in(other, log(_1=ONE, _2=TWO, _3=(at(1, location="77"),)))
    assert (done.tickets, done.rows, done.rows_known) == (1, 7, 3)
    assert await store.head() == await other.head() == before + done.events
    for number, ticket in (await tickets(other)).items():
        again = (await tickets(store))[number]
        assert (again.status, again.unit, again.version) == (
            ticket.status,
            ticket.unit,
            ticket.version,
        )


@pytest.mark.parametrize("appends", range(1, 4))
async def test_an_import_that_lost_its_store_goes_on_exactly_where_it_stopped(log, appends):
    many = {f"_{number}": (*ONE, *TWO) for number in range(1, 500)}
    whole, store = MemoryStore(), Failing(appends)
    found = log(**many)
    await bring_in(whole, found)
    assert await whole.head() > 3 * BATCH_EVENTS_MAX
    assert found.skipped_count == 0

    with pytest.raises(StoreUnavailable):
        await bring_in(store, found)
    stored = await store.head()
    store.left = 1_000
    done = await bring_in(store, found)

    assert 0 < stored < await whole.head()
    assert stored + done.events == await store.head() == await whole.head()
    topics = [[topic_of(event) for event in await everything(each)] for each in (whole, store)]
    assert topics[0] == topics[1]


async def test_a_ticket_somebody_wrote_to_meanwhile_is_followed_from_where_it_stands(
    log, acting_operator
):
    store = MemoryStore()
    await bring_in(store, log(_1=ONE[:2]))
    ticket = (await tickets(store))["1"]
    with acting_operator():
        ticket.assign("other")
    await Ledger(store).save(ticket)
    await bring_in(store, log(_1=ONE))

    assert (await tickets(store))["1"].status is Status.CLOSED


async def test_two_imports_at_once_cannot_both_have_an_incident(log):
    class Unread(MemoryStore):
        async def log(self, after_position, limit):
            return []  # both have looked before either has written

    store = Unread()
    await bring_in(store, log(_1=ONE))
    head = await store.head()
    for other in (log(_1=ONE), log(_1=(dict.fromkeys(("caller_id", "location"), "?") | at(0),))):
        with pytest.raises(Conflict):
            await bring_in(store, other)
    assert await store.head() == head


async def test_an_incident_that_begins_with_a_hole_is_opened_without_what_was_not_known_yet(log):
    store = MemoryStore()
    done = await bring_in(store, log(_1=(at(0, sys_mod_count="4", priority="1"),)))
    opened, gap = [
        event
        for event in await everything(store)
        if isinstance(event, Ticket.Opened | Ticket.HistoryGap)
    ]

    assert opened.particulars.priority == "less urgent"
    assert gap.missing_versions == 4
    assert done.history_gaps == 1
    assert (await tickets(store))["1"].priority.value == "top priority"


async def test_progress_is_told_and_ends_at_the_whole(log):
    told = []
    many = {f"_{number}": ONE for number in range(1, 200)}
    await bring_in(MemoryStore(), log(**many), lambda done, total: told.append((done, total)))

    assert told == sorted(told)
    assert told[-1] == (199 * 7, 199 * 7)


@pytest.fixture
def acting_operator():
    from uuid import uuid4

    from domain.provenance import Provenance, acting

    return lambda: acting(
        Provenance(actor="rule:test@1", command_id=uuid4(), correlation_id="test")
    )
