"""What Redmine does that would lose, double or spoil tickets: each trap by name, on the real server.

What is asked of it is in ``test_redmine_polling.py``.
"""

import asyncio
import itertools

import psycopg
import pytest

from adapters.helpdesks.redmine.courier import RedmineCourier
from adapters.helpdesks.redmine.session import Session
from adapters.helpdesks.redmine.terms import Terms
from adapters.helpdesks.redmine.words import WORDS
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from domain import commands as c
from domain.exchange import Exchange
from tests.couriers import killed_after
from tests.exchange_scenarios import RULE, by_test
from tests.peers.proxy import Proxy
from tests.peers.redmine_scenarios import (
    STATES,
    Desk,
    address_of,
    custom,
    message,
    opening,
    redmine_hub,
    session_of,
)

_numbers = itertools.count(1000)
AGAIN_MAX = 30

pytestmark = pytest.mark.timeout(900)
"""To start Redmine is part of the first test, on however busy a machine."""


@pytest.fixture
async def session(redmine):
    session = session_of(redmine)
    yield session
    await session.close()


@pytest.fixture
async def courier(session):
    return RedmineCourier(session, WORDS)


def ours(number: int) -> str:
    return f"T{number}-{number}"


async def insist(courier: RedmineCourier, parcel: Parcel) -> Delivered:
    """Deliver as the outbox does: again, as long as that may help."""
    for _ in range(AGAIN_MAX):
        try:
            return await courier.deliver(parcel)
        except Undelivered as failure:
            if failure.final:
                raise
    raise AssertionError("it was never delivered")


# -- refusals that look like success ---------------------------------------------------------------------


async def test_a_state_that_our_account_may_not_set_is_refused_before_anything_is_written(
    courier, analyst
):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number, project="NGI_FR"))).external_id
    with pytest.raises(Undelivered) as failure:
        await courier.deliver(
            message(number, "no", external_id=theirs, set={"status": "Rejected"}, text="Never.")
        )
    assert (failure.value.code, failure.value.final) == ("refused", True)
    assert "'Resolved'" in str(failure.value), "what it may do is said"
    assert await analyst.notes(theirs) == []


async def test_a_state_that_is_refused_under_status_204_is_found_by_reading_back(
    redmine, courier, session, analyst, monkeypatch
):
    """As when somebody takes the right away between the look and the write."""
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number, project="NGI_FR"))).external_id
    async with Desk(redmine, "bridge") as bridge:
        await bridge.change(theirs, status="Rejected")
        assert (await analyst.issue(theirs))["status"]["name"] == "New", "204, and nothing happened"
    honest = type(session).issue

    async def all_allowed(self, number):
        issue = await honest(self, number)
        issue.allowed_statuses.clear()
        return issue

    monkeypatch.setattr(type(session), "issue", all_allowed)
    reject = message(number, "no", external_id=theirs, set={"status": "Rejected"}, text="Never.")
    for _ in range(2):
        with pytest.raises(Undelivered) as failure:
            await courier.deliver(reject)
        assert (failure.value.code, failure.value.final) == ("refused", True)
    assert await analyst.notes(theirs) == ["Never."]


async def test_a_refused_message_is_parked_and_goes_on_when_the_right_is_there(
    database, redmine, analyst
):
    async with redmine_hub(database, redmine, units=["NGI_FR"]) as hub:
        hub.work()
        number = await hub.open_ticket("NGI_FR")
        theirs = await hub.linked_to(number)
        await hub.execute(c.FindUnsolvable(number=number, reason="Nobody knows."))
        [parked] = await hub.wait_for(Exchange.Parked, seconds=60)
        assert parked.code == "refused"
        assert "'Rejected'" in await hub.text(parked.detail)
        await analyst.change(theirs, status="Rejected")
        with by_test():
            await hub.hand.resume(RULE, parked.originator_id, parked.reference, skip=False)
        await hub.quiet(number)
        assert await analyst.notes(theirs) == ["Nobody knows."]


@pytest.mark.parametrize(
    ("wish", "code", "said"),
    [({"project": "Nowhere"}, "unknown-there", "Nowhere"), ({"status": "Nix"}, "unknown-there", "Nix"),
     ({"project": "Behind_A_Wall"}, "unknown-there", "Behind_A_Wall")],
)  # fmt: skip
async def test_a_name_that_they_do_not_have_is_final(courier, wish, code, said):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    with pytest.raises(Undelivered, match=said) as failure:
        await courier.deliver(message(number, "odd", external_id=theirs, set=wish))
    assert (failure.value.code, failure.value.final) == (code, True)


async def test_an_unknown_custom_field_is_dropped_in_silence_and_the_receipt_says_so(courier):
    wish = opening(next(_numbers), custom={"Nobody": "knows", "AffectedSite": "EXAMPLE-T2"})
    delivered = await courier.deliver(wish)
    assert delivered.receipt.endswith("created; not taken: Nobody")


async def test_words_that_redmine_refuses_are_in_the_record(courier):
    with pytest.raises(Undelivered, match="Subject cannot be blank") as failure:
        await courier.deliver(opening(next(_numbers), subject=""))
    assert (failure.value.code, failure.value.final) == ("refused", True)


async def test_texts_arrive_as_they_were_written_whatever_their_markup_means(courier, analyst):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    text = 'h1. no title\n\n*bold* _x_ "a":http://b.test #1 r2 <pre>&amp;</pre> 😀 ﬁ\ttab'
    await courier.deliver(message(number, "markup", external_id=theirs, text=text))
    assert await analyst.notes(theirs) == [text]


# -- concurrent changes ----------------------------------------------------------------------------------


async def test_changes_at_the_same_moment_all_arrive_once(
    redmine, courier, session, analyst, monkeypatch
):
    """Redmine answers all but one of them with 422 and no error."""
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    conflicts = 0
    honest = type(session).call

    async def counting(self, *about, **more):
        nonlocal conflicts
        answer = await honest(self, *about, **more)
        conflicts += answer.status == 422
        return answer

    monkeypatch.setattr(type(session), "call", counting)
    async with Desk(redmine, "customer") as customer:
        mine = [message(number, f"m{n}", external_id=theirs, text=f"mine {n}") for n in range(12)]
        await asyncio.gather(
            *(insist(courier, each) for each in mine),
            *(analyst.note(theirs, f"theirs {n}") for n in range(6)),
            *(customer.note(theirs, f"others {n}") for n in range(6)),
        )
    notes = await analyst.notes(theirs)
    print(f"\n{conflicts} conflicts")
    assert sorted(notes) == sorted(
        f"{who} {n}"
        for who, count in (("mine", 12), ("theirs", 6), ("others", 6))
        for n in range(count)
    )


async def test_what_somebody_changed_there_meanwhile_keeps_the_last_word(courier, analyst):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    work = message(number, "work", external_id=theirs, set={"status": "In Progress"})
    await courier.deliver(work)
    await analyst.change(theirs, status="Feedback")
    delivered = await courier.deliver(work)
    assert delivered.receipt.endswith("overtaken: status")
    assert (await analyst.issue(theirs))["status"]["name"] == "Feedback"
    assert len(await analyst.notes(theirs)) == 1


# -- nothing twice ---------------------------------------------------------------------------------------


async def test_a_second_issue_with_our_number_is_never_made(courier, analyst):
    number = next(_numbers)
    delivered = await asyncio.gather(*(courier.deliver(opening(number)) for _ in range(4)))
    assert len({each.external_id for each in delivered}) == 1
    assert await analyst.with_our_number(ours(number)) == [int(delivered[0].external_id)]


async def test_issues_that_raced_for_our_number_become_duplicates_of_the_oldest(
    redmine, courier, analyst
):
    number = next(_numbers)
    async with Desk(redmine, "bridge") as bridge:
        made = await asyncio.gather(
            *(bridge.open("ROC_DE", f"race {number}", ExternalID=ours(number)) for _ in range(4))
        )
    assert await analyst.with_our_number(ours(number)) == sorted(made), "nothing keeps it unique"
    delivered = await courier.deliver(opening(number))
    assert (
        await analyst.with_our_number(ours(number)) == [min(made)] == [int(delivered.external_id)]
    )
    for each in sorted(made)[1:]:
        issue = await analyst.issue(each)
        assert issue["status"]["name"] == "Rejected"
        [relation] = issue["relations"]
        assert (relation["relation_type"], relation["issue_to_id"]) == ("duplicates", min(made))


async def test_a_copy_that_somebody_made_there_is_left_alone(courier, analyst):
    number = next(_numbers)
    theirs = int((await courier.deliver(opening(number))).external_id)
    copy = await analyst.open("ROC_DE", "a copy has all fields", ExternalID=ours(number))
    delivered = await courier.deliver(opening(number))
    assert int(delivered.external_id) == theirs
    assert (await analyst.issue(copy))["status"]["name"] == "New"


async def test_another_installations_number_stays_where_it_is(courier, analyst):
    number = next(_numbers)
    theirs = await analyst.open("To_GGUS", "shared", ExternalID="XYZ-5")
    tell = message(number, "hello", external_id=str(theirs), custom={"ExternalID": ours(number)})
    delivered = await courier.deliver(tell)
    assert delivered.receipt.endswith("not taken: ExternalID")
    assert custom(await analyst.issue(theirs), "ExternalID") == "XYZ-5"


@pytest.mark.parametrize("field", ["ExternalID", "EventID"])
async def test_without_our_fields_nothing_is_written_twice(redmine, courier, analyst, admin, field):
    """An administrator who takes a field off the tracker makes Redmine drop what we write into it."""
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    other = next(_numbers)
    wishes = {
        "ExternalID": opening(other, subject=f"orphan {other}"),
        "EventID": message(number, "late", external_id=theirs),
    }
    await _field_at_trackers(redmine, field, "DELETE FROM custom_fields_trackers")
    try:
        for _ in range(2):
            with pytest.raises(Undelivered) as failure:
                await courier.deliver(wishes[field])
            assert (failure.value.code, failure.value.final) == ("no-field", True)
    finally:
        await _field_at_trackers(
            redmine, field,
            "INSERT INTO custom_fields_trackers (tracker_id, custom_field_id) SELECT 3, id FROM custom_fields",
        )  # fmt: skip
    assert await analyst.notes(theirs) == []
    for each in await analyst.found(subject=f"orphan {other}"):
        assert (await analyst.issue(each))["status"]["name"] == "Rejected"


async def test_a_field_that_is_no_filter_is_loud_since_redmine_would_answer_with_all_issues(
    redmine, courier, analyst
):
    number = next(_numbers)
    await courier.deliver(opening(next(_numbers)))
    await _sql(redmine, "UPDATE custom_fields SET is_filter = false WHERE name = 'ExternalID'")
    try:
        with pytest.raises(Undelivered, match="filter") as failure:
            await courier.deliver(opening(number, subject=f"unfiltered {number}"))
    finally:
        await _sql(redmine, "UPDATE custom_fields SET is_filter = true WHERE name = 'ExternalID'")
    assert (failure.value.code, failure.value.final) == ("no-filter", True)
    assert await analyst.found(subject=f"unfiltered {number}") == []


async def test_the_numbers_of_custom_fields_are_read_off_an_issue_or_stand_in_the_address(
    redmine, analyst
):
    await analyst.open("ROC_DE", "any")
    session = Session(Terms.of(redmine.url), redmine.keys["bridge"], allow_private=True)
    assert (await session.field("ExternalID"), await session.field("EventID")) == (1, 4)
    with pytest.raises(Undelivered, match="&field=Nobody:NUMBER") as failure:
        await session.field("Nobody")
    assert not failure.value.final, "as soon as there is an issue, it goes on"
    await session.close()
    assert Terms.of(address_of(redmine.url)).fields == {"ExternalID": 1, "EventID": 4}


async def test_a_crash_between_any_two_steps_creates_and_writes_nothing_twice(
    redmine, analyst, monkeypatch
):
    """After each call that changes something, and then once more as after a restart."""
    for step in itertools.count(1):
        number = next(_numbers)
        with killed_after(step, monkeypatch, changing=True) as killed:
            await _open_and_solve(redmine, number)
        theirs = await _open_and_solve(redmine, number)
        await _was_done_once(analyst, number, theirs)
        if not killed.was:
            break
    assert step == 3, "create, change"


@pytest.mark.parametrize("trouble", ["cut", "500", "html"])
async def test_an_answer_that_is_lost_after_redmine_acted_makes_nothing_happen_twice(
    redmine, analyst, trouble
):
    """Each call fails the first two times that it is made, though Redmine did what it asked."""
    number = next(_numbers)
    seen: dict[tuple[str, str], int] = {}

    def twice(method: str, path: str) -> str:
        key = (method, path.partition("?")[0])
        seen[key] = seen.get(key, 0) + 1
        return trouble if seen[key] <= 2 else ""

    async with Proxy(redmine.url) as proxy:
        proxy.trouble = twice
        theirs = await _open_and_solve(redmine, number, proxy.url)
    await _was_done_once(analyst, number, theirs)
    # A page instead of nothing, where Redmine says 204, is no failure.
    assert sum(method == "PUT" for method, _ in proxy.calls) == 1
    assert sum(method == "POST" for method, _ in proxy.calls) == 1


async def _was_done_once(analyst, number: int, theirs: str) -> None:
    assert await analyst.with_our_number(ours(number)) == [int(theirs)]
    assert await analyst.found(subject=f"crash {number}") == [int(theirs)]
    assert await analyst.notes(theirs) == ["The end."]
    issue = await analyst.issue(theirs)
    assert (issue["status"]["name"], issue["priority"]["name"]) == ("Resolved", "Urgent")
    assert await analyst.steps(theirs) == [str(STATES["Resolved"])]


async def _open_and_solve(redmine, number: int, url: str = "") -> str:
    """As a fresh process would, and as often as the outbox would."""
    session = session_of(redmine, url)
    try:
        courier = RedmineCourier(session, WORDS)
        theirs = (await insist(courier, opening(number, subject=f"crash {number}"))).external_id
        await insist(
            courier,
            message(
                number, f"end-{number}", external_id=theirs, text="The end.",
                set={"status": "Resolved", "priority": "Urgent"},
            ),
        )  # fmt: skip
        return theirs
    finally:
        await session.close()


# -- gone, hidden, not let in ----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["deleted", "behind a wall"])
async def test_an_issue_that_is_gone_or_hidden_parks_what_is_sent(
    database, redmine, analyst, admin, how
):
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        number = await hub.open_ticket("ROC_DE")
        theirs = await hub.linked_to(number)
        if how == "deleted":
            await admin.say("DELETE", f"/issues/{theirs}.json")
        else:
            await analyst.change(theirs, project="Behind_A_Wall")
        await hub.execute(c.Comment(number=number, text="Hello?"))
        [parked] = await hub.wait_for(Exchange.Parked, seconds=60)
        assert parked.code == "gone-there"
        if how == "deleted":
            return
        await admin.change(theirs, project="ROC_IT")
        with by_test():
            await hub.hand.resume(RULE, parked.originator_id, parked.reference, skip=False)
        await hub.quiet(number)
        assert await analyst.notes(theirs) == ["Hello?"]


async def test_a_wrong_key_keeps_messages_waiting(database, redmine):
    async with redmine_hub(database, redmine, key="0" * 40) as hub:
        hub.work()
        await hub.open_ticket("ROC_DE")
        [failed, *_] = await hub.wait_for(Exchange.Failed, seconds=60)
        assert failed.code == "unauthorised"
        async with asyncio.timeout(60):
            while not (health := hub.parts.worker.pollers.health["redmine"]).failures:
                await hub.wakeup.wait(await hub.store.head(), 0.1)
        assert health.last_error.startswith("unauthorised")
        assert await hub.events(Exchange.Parked) == []


async def test_a_message_after_an_opening_that_was_skipped_says_so(courier):
    with pytest.raises(Undelivered) as failure:
        await courier.deliver(message(next(_numbers), "early"))
    assert (failure.value.code, failure.value.final) == ("not-open-there", True)


async def _field_at_trackers(redmine, field: str, statement: str) -> None:
    where = "custom_field_id = (SELECT id FROM custom_fields WHERE" if "DELETE" in statement else ""
    end = f" WHERE {where} name = '{field}')" if where else f" WHERE name = '{field}'"
    await _sql(redmine, statement + end)


async def _sql(redmine, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(redmine.database()) as connection:
        await connection.execute(statement)
