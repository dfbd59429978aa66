"""Who owns a field, what two changes that crossed come to, and what a partner had seen."""

from datetime import UTC, datetime

import pytest

from adapters.kit.contract import NOTHING_SEEN, Reading
from adapters.kit.seen import mark_of, unseen_by
from domain.aggregate import Aggregate
from domain.conflicts import (
    FIELDS,
    Clash,
    Owner,
    Ruling,
    Side,
    Standing,
    agreed_responsible,
    owners,
)
from domain.errors import NothingToDo, NotNow, UnknownValue
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.lifecycle import Status
from domain.store import Recorded
from tests.exchange_scenarios import by_test

OURS, THEIRS = Side.OURS, Side.THEIRS


def standing(*, began: bool = False, responsible: bool | None = False, **agreed: str) -> Standing:
    """``responsible``: whether they are; None where nobody is."""
    side = None if responsible is None else THEIRS if responsible else OURS
    return Standing(owners=owners(agreed), theirs_began=began, responsible=side)


@pytest.mark.parametrize(
    ("field", "of", "rule", "wins"),
    [
        ("state", standing(), "responsible@1", OURS),
        ("state", standing(responsible=True), "responsible@1", THEIRS),
        ("state", standing(responsible=True, state="ours"), "ours@1", OURS),
        ("state", standing(responsible=None), "nobody-responsible@1", OURS),
        ("state", standing(responsible=None, began=True), "nobody-responsible@1", THEIRS),
        ("priority", standing(responsible=True), "origin@1", OURS),
        ("priority", standing(began=True), "origin@1", THEIRS),
        ("priority", standing(began=True, priority="ours"), "ours@1", OURS),
        ("priority", standing(priority="theirs"), "theirs@1", THEIRS),
        ("priority", standing(began=True, priority="ours only"), "ours-only@1", OURS),
        ("unit", standing(began=True), "origin@1", THEIRS),
        ("subject", standing(began=True), "origin@1", THEIRS),
    ],
)
def test_the_owner_of_a_field_decides(field: str, of: Standing, rule: str, wins: Side):
    assert of.ruling(field) == Ruling(rule, wins)


@pytest.mark.parametrize(
    ("ours", "theirs", "reassigned", "rule", "wins"),
    [
        (Status.SOLVED, Status.ON_HOLD, None, "outcome-stands@1", OURS),
        (Status.ON_HOLD, Status.SOLVED, None, "outcome-stands@1", THEIRS),
        (Status.VERIFIED, Status.REOPENED, None, "outcome-stands@1", OURS),
        (Status.ASSIGNED, Status.SOLVED, OURS, "outcome-stands@1", THEIRS),
        (Status.ASSIGNED, Status.ON_HOLD, OURS, "reassigned@1", OURS),
        (Status.ON_HOLD, Status.ASSIGNED, THEIRS, "reassigned@1", THEIRS),
        (Status.IN_PROGRESS, Status.ON_HOLD, None, "responsible@1", THEIRS),
        (Status.SOLVED, Status.UNSOLVED, None, "responsible@1", THEIRS),
    ],
)
def test_of_two_states_what_is_over_stays_over_and_the_same_holds_seen_from_the_other_side(
    ours: Status, theirs: Status, reassigned: Side | None, rule: str, wins: Side
):
    other = {OURS: THEIRS, THEIRS: OURS}
    here, there = standing(responsible=True), standing(began=True)
    assert here.ruling_of_states(ours, theirs, reassigned=reassigned) == Ruling(rule, wins)
    seen = there.ruling_of_states(
        theirs, ours, reassigned=other[reassigned] if reassigned else None
    )
    assert seen == Ruling(rule, other[wins])


@pytest.mark.parametrize(
    ("ours", "theirs", "reassigned", "found"),
    [
        (OURS, THEIRS, None, None),
        (THEIRS, OURS, None, None),
        (OURS, OURS, None, OURS),
        (THEIRS, THEIRS, None, THEIRS),
        (OURS, None, None, OURS),
        (THEIRS, None, THEIRS, THEIRS),
        (OURS, THEIRS, OURS, OURS),
        (OURS, THEIRS, THEIRS, THEIRS),
    ],
)
def test_both_sides_find_the_same_side_responsible_or_none(
    ours: Side, theirs: Side | None, reassigned: Side | None, found: Side | None
):
    other = {OURS: THEIRS, THEIRS: OURS, None: None}
    assert agreed_responsible(ours, theirs, reassigned=reassigned) is found
    if theirs is not None:
        there = agreed_responsible(other[theirs], other[ours], reassigned=other[reassigned])
        assert there is other[found]


def test_owners_are_checked_when_they_are_agreed_on():
    for wrong in ({"colour": "ours"}, {"priority": "mine"}, {"state": "ours only"}):
        with pytest.raises(UnknownValue):
            owners(wrong)
    assert owners({}) == {}
    assert set(FIELDS.values()) <= set(Owner)
    partner = Helpdesk(random_id())
    with by_test():
        partner.register("osg", "osg_mail")
        partner.set_ownership({"priority": "ours only"})
        with pytest.raises(NothingToDo):
            partner.set_ownership({"priority": "ours only"})
    assert partner.ownership == {"priority": "ours only"}


def test_a_conflict_is_kept_until_an_operator_has_looked_at_it():
    exchange = Exchange(random_id())
    with by_test():
        exchange.open("osg", 7)
        clash = Clash("priority", "urgent", "top priority", Ruling("origin@1", OURS))
        exchange.find_conflict(2, clash)
        assert exchange.conflicts["priority"].wins == "ours"
        exchange.resolve_conflict("priority", THEIRS, "They know better.")
        assert exchange.conflicts == {}
        with pytest.raises(NotNow):
            exchange.resolve_conflict("priority", THEIRS, "Again.")
    [*_, resolved] = exchange.pending_events
    assert (resolved.wins, resolved.overruled) == ("theirs", True)


# -- what had been seen ----------------------------------------------------------------------------------


def conversation(exchange: Exchange) -> list[Recorded]:
    """Positions 10, 20, 30, ..."""
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return [
        Recorded(position=10 * number, recorded_at=at, event=event)
        for number, event in enumerate(exchange.pending_events, start=1)
    ]


def happened(position: int) -> Recorded:
    return Recorded(
        position=position, recorded_at=datetime(2026, 3, 2, tzinfo=UTC), event=Aggregate
    )


def test_what_a_message_says_that_it_had_seen_is_believed():
    exchange = Exchange(random_id())
    with by_test():
        exchange.open("osg", 7)
    history = conversation(exchange)
    mark = f"{exchange.id.hex}.55@hub.test"
    unseen = unseen_by(history, Reading(seen=mark), 9)
    assert [unseen(happened(each)) for each in (54, 55, 56)] == [False, False, True]
    nothing = unseen_by(history, Reading(seen=NOTHING_SEEN), 9)
    assert nothing(happened(1))


def test_otherwise_what_was_decided_and_not_taken_yet_was_not_seen():
    exchange = Exchange(random_id())
    with by_test():
        exchange.open("osg", 7)
        first = exchange.decide_dispatch(5, "public@1", b"first", "text/plain")
        exchange.record_dispatch(first, "ok")
        exchange.decide_dispatch(6, "public@1", b"second", "text/plain")
        exchange.decide_dispatch(7, "internal@1", None)
        reference = exchange.receive("m1", b"theirs", "text/plain", "osg_mail@1")
        exchange.decide_dispatch(8, "public@1", b"third", "text/plain")
    for seen in ("", f"{random_id().hex}.99@hub.test"):
        unseen = unseen_by(conversation(exchange), Reading(seen=seen), reference)
        # What was decided later, or is not decided yet, had not been taken either.
        assert [each for each in range(10) if unseen(happened(each))] == [6, 8, 9]


def test_a_message_of_ours_says_what_we_had_heard_when_its_event_happened():
    exchange = Exchange(random_id())
    with by_test():
        exchange.open("osg", 7)  # 10
        first = exchange.receive(f"<{'a' * 32}.7@x> 0123", b"one", "text/plain", "osg_mail@1")  # 20
        exchange.ignore(first, "nothing-new", understood=True)  # 30
        automatic = exchange.receive("<out of office>", b"two", "text/plain", "osg_mail@1")  # 40
        exchange.ignore(automatic, "automatic")  # 50
        old = exchange.receive(
            f"<{'a' * 32}.5.9@x> 4567", b"three", "text/plain", "osg_mail@1"
        )  # 60
        exchange.apply_message(old, 7, 3)  # 70
    history = conversation(exchange)
    assert mark_of(history, 29) == NOTHING_SEEN
    assert mark_of(history, 55) == mark_of(history, 99) == f"{'a' * 32}.7@x"
