"""What a comparison says about a field, ours and theirs: the table of cases."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.kit.comparing import GONE, Difference, Ours, Repair, differences
from adapters.kit.interface import Seen
from adapters.kit.reused import ANOTHER
from adapters.kit.states import stage
from domain.lifecycle import OPEN, Status
from domain.vocabulary import Priority
from domain.words import Table, Words

LINKED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONVERSATION = UUID(int=0xC0)
BEFORE, LATER = LINKED_AT - timedelta(seconds=1), LINKED_AT + timedelta(days=2)
WORDS = Words(
    states=Table(
        theirs={
            "new": "new", "open": "in progress", "stalled": "on hold", "resolved": "solved",
            "rejected": "unsolved", "odd": "",
        },
        ours={
            "new": "new", "assigned": "new", "in progress": "open", "reopened": "open",
            "waiting for reply": "stalled", "on hold": "stalled", "solved": "resolved",
            "verified": "resolved", "closed": "resolved", "unsolved": "rejected",
        },
    ),
    priorities=Table(
        theirs={"0-25": "less urgent", "26-50": "urgent", "51-75": "very urgent", "76-100": "top priority"},
        ours={"less urgent": "10", "urgent": "40", "very urgent": "60", "top priority": "90"},
    ),
)  # fmt: skip
STATES = [*WORDS.states.theirs, "unheard of"]


def ours(**more) -> Ours:
    usual = {
        "number": 42, "external_id": "57", "linked_at": LINKED_AT, "status": Status.IN_PROGRESS,
        "priority": Priority.URGENT, "unit": "ROC_DE", "told": {"<m1>": 11, "<m2>": 12},
        "units": ("ROC_DE", "ROC_IT"), "everything": True, "quiet": True, "conversation": CONVERSATION,
    }  # fmt: skip
    return Ours(**(usual | more))


def seen(**more) -> Seen:
    usual = {
        "external_id": "57", "number": 42, "state": "open", "priority": "40", "unit": "ROC_DE",
        "opened_at": BEFORE, "messages": frozenset({"<m1>", "<m2>"}),
    }  # fmt: skip
    return Seen(**(usual | more))


def found(side: Ours, other: Seen) -> list[Difference]:
    return differences(side, other, WORDS)


def test_what_they_have_of_us_and_we_lost_is_named():
    def mark(position: int, conversation: UUID = CONVERSATION) -> str:
        return f"<{conversation.hex}.{position}@ggus.example.org>"

    theirs = seen(messages=frozenset({
        "<m1>", "<m2>", mark(20), mark(21), mark(30), mark(31), mark(25, UUID(int=1)), "<0.x@y>",
    }))  # fmt: skip
    assert found(ours(), theirs) == []
    lost = Difference("forgotten", "", "21 30", Repair.NONE)
    assert found(ours(left_out=((20, 30),)), theirs) == [lost]
    assert found(ours(left_out=((20, 30),)), seen(messages=None)) == []


def test_what_is_alike_does_not_diverge():
    assert found(ours(), seen()) == []


CASES = [
    # what they have                                            what is found             what is done
    ({"gone": True, "number": 0, "state": ""}, ("ticket", "57", GONE), Repair.CREATE),
    ({"gone": True, "state": "deleted"}, ("ticket", "57", GONE), Repair.NONE),
    ({"moved_to": "58"}, ("ticket", "57", "58"), Repair.FOLLOW),
    (
        {"number": 7, "opened_at": LATER},
        ("ticket", "57", f"{ANOTHER}, bears 7"),
        Repair.CREATE,
    ),
    (
        {"number": 0, "opened_at": LATER},
        ("ticket", "57", f"{ANOTHER}, bears none"),
        Repair.CREATE,
    ),
    ({"number": 7}, ("number", "42", "7"), Repair.NONE),
    ({"number": 0}, ("number", "42", "none"), Repair.NUMBER),
    ({"number": 0, "opened_at": None}, ("number", "42", "none"), Repair.NUMBER),
    (
        {"number": 0, "messages": frozenset()},
        ("number", "42", "none"),
        Repair.NONE,
    ),
    (
        {"number": 0, "opened_at": None, "messages": frozenset()},
        ("number", "42", "none"),
        Repair.NONE,
    ),
    ({"messages": frozenset({"<m2>"})}, ("messages", "11", ""), Repair.REPEAT),
    ({"messages": frozenset()}, ("messages", "11 12", ""), Repair.REPEAT),
    ({"state": "unheard of"}, ("state", "in progress", "unheard of"), Repair.NONE),
    ({"state": "resolved"}, ("state", "in progress", "resolved"), Repair.NONE),
    ({"priority": "90"}, ("priority", "urgent", "90"), Repair.NONE),
    ({"priority": "many"}, ("priority", "urgent", "many"), Repair.NONE),
    ({"unit": "ROC_IT"}, ("unit", "ROC_DE", "ROC_IT"), Repair.NONE),
]


@pytest.mark.parametrize(("theirs", "what", "repair"), CASES)
def test_each_divergence_has_its_repair(theirs, what, repair):
    assert found(ours(), seen(**theirs)) == [Difference(*what, repair)]


@pytest.mark.parametrize(
    "theirs",
    [
        {"messages": None},
        {"messages": frozenset({"<m1>", "<m2>", "<somebody's>"})},
        {"priority": "31"},
        {"priority": ""},
        {"unit": "Storage group"},
        {"unit": ""},
        {"state": "odd"},
        {"state": "new"},
    ],
)
def test_what_theirs_cannot_tell_or_keeps_for_itself_does_not_diverge(theirs):
    assert found(ours(), seen(**theirs)) == []


def test_a_ticket_made_when_ours_was_is_ours_and_one_made_at_another_time_is_not():
    """However wrong their clock is, and whatever zone it is in: their times are compared with theirs alone."""
    nothing_of_ours = {"number": 0, "messages": frozenset()}
    for opened_at in (LATER, BEFORE, LINKED_AT - timedelta(days=4000)):
        side = ours(opened_at=opened_at, told={})
        assert [each.repair for each in found(side, seen(**nothing_of_ours, opened_at=opened_at))] == [
            Repair.NUMBER
        ]  # fmt: skip
        for other in (opened_at - timedelta(seconds=1), opened_at + timedelta(seconds=1)):
            [difference] = found(side, seen(**nothing_of_ours, opened_at=other))
            assert (difference.theirs, difference.repair) == ("another, bears none", Repair.CREATE)


def test_what_the_partner_set_last_is_told_again():
    side = ours(heard=frozenset({"priority", "unit"}))
    assert [each.repair for each in found(side, seen(priority="10", unit="ROC_IT"))] == [
        Repair.TELL, Repair.TELL,
    ]  # fmt: skip


def test_an_outcome_that_is_lost_there_is_told_again():
    side = ours(status=Status.SOLVED, remote_state="resolved")
    [state] = found(side, seen(state="open"))
    assert (state.field, state.repair) == ("state", Repair.TELL)
    assert found(ours(status=Status.CLOSED), seen(state="resolved")) == []


def test_a_state_that_they_told_and_we_let_be_does_not_diverge():
    assert found(ours(status=Status.SOLVED, remote_state="open"), seen(state="open")) == []


def test_a_stage_that_they_had_reached_is_told_again():
    side = ours(status=Status.ON_HOLD, remote_state="stalled")
    assert [each.repair for each in found(side, seen(state="new"))] == [Repair.TELL]


def test_who_may_have_forgotten_something_tells_no_value_again():
    """A version higher than the one that was heard: they went on, or we were restored from a backup."""
    side = ours(heard=frozenset({"priority"}), remote_state="open", heard_version=7)
    lost = {"state": "new", "priority": "10", "messages": frozenset({"<m1>"})}
    told = [Repair.REPEAT, Repair.TELL, Repair.TELL]
    for version, repairs in (
        (0, told),
        (5, told),
        (7, told),
        (8, [Repair.REPEAT, Repair.NONE, Repair.NONE]),
    ):
        assert [each.repair for each in found(side, seen(**lost, version=version))] == repairs


def test_while_something_is_under_way_at_theirs_only_the_link_is_judged():
    assert found(ours(), seen(state="resolved", quiet=False)) == []
    assert found(ours(), seen(number=0, quiet=False)) == []
    [lost] = found(ours(), seen(gone=True, state="", quiet=False))
    assert lost.repair is Repair.CREATE


def test_of_a_conversation_that_is_under_way_only_the_link_is_judged():
    assert found(ours(quiet=False), seen(state="resolved", messages=frozenset(), number=0)) == []
    assert [each.field for each in found(ours(quiet=False), seen(gone=True, state=""))] == [
        "ticket"
    ]


def test_with_closing_only_priority_and_unit_are_not_agreed_on():
    assert found(ours(everything=False), seen(priority="90", unit="ROC_IT")) == []


def some_ours():
    return st.builds(
        ours,
        status=st.sampled_from(Status),
        priority=st.sampled_from(Priority),
        unit=st.sampled_from(["ROC_DE", "ROC_IT", "TPM"]),
        remote_state=st.sampled_from(["", *STATES]),
        heard=st.frozensets(st.sampled_from(["priority", "unit"])),
        everything=st.booleans(),
        quiet=st.booleans(),
        opened_at=st.sampled_from([None, BEFORE, LATER]),
    )


def some_seen():
    return st.builds(
        seen,
        gone=st.booleans(),
        moved_to=st.sampled_from(["", "58"]),
        opened_at=st.sampled_from([None, BEFORE, LATER]),
        number=st.sampled_from([0, 42, 7]),
        state=st.sampled_from(STATES),
        priority=st.sampled_from(["", "0", "40", "90", "x"]),
        unit=st.sampled_from(["", "ROC_DE", "ROC_IT", "Storage group"]),
        messages=st.none() | st.frozensets(st.sampled_from(["<m1>", "<m2>", "<m3>"])),
    )


@settings(deadline=None)
@given(side=some_ours(), other=some_seen())
def test_every_case_has_one_answer_and_rules_touch_only_what_is_certainly_ours(side, other):
    result = found(side, other)
    fields = [each.field for each in result]
    assert len(fields) == len(set(fields))
    link = {"ticket"} & set(fields) or ("number" in fields and result[0].repair is Repair.NONE)
    if link:
        assert len(result) == 1, "a ticket that may be another is not compared further"
    if not side.quiet:
        assert {each.repair for each in result} <= {Repair.CREATE, Repair.FOLLOW, Repair.NONE}
    if other.number not in (0, side.number):
        assert {each.repair for each in result} <= {Repair.CREATE, Repair.FOLLOW, Repair.NONE}, (
            "nothing is written to a ticket with the number of another"
        )
    assert not [each for each in result if each.ours == each.theirs]
    assert found(side, other) == result


@settings(deadline=None)
@given(status=st.sampled_from(Status), remote=st.sampled_from(["", *STATES]))
def test_what_we_would_write_never_diverges(status, remote):
    word = WORDS.states.ours[status.value]
    assert found(ours(status=status, remote_state=remote), seen(state=word)) == []


@settings(deadline=None)
@given(
    status=st.sampled_from(Status), state=st.sampled_from(STATES), before=st.sampled_from(STATES)
)
def test_a_state_is_told_again_only_where_they_had_it_or_the_work_is_over(status, state, before):
    for each in found(ours(status=status, remote_state=before), seen(state=state)):
        if each.repair is Repair.TELL:
            had = WORDS.states.read(before)
            assert status not in OPEN or (had and stage(Status(had)) == stage(status))
            assert state != before, "as they told it: that is no loss"
