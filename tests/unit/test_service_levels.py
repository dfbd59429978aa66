"""Verdicts by table: response, solution and lifetimes."""

import pytest

from domain.service_clocks import explain
from domain.service_levels import (
    CalendarMissing,
    PriorityUnknown,
    ServiceLevels,
    Spell,
)
from domain.service_policy import PRIORITIES, ggus_policy
from tests.service_level_cases import HOUR, LEVELS, OFFICE, at, history, judged


def responses(verdict) -> list[tuple[str, str, float | None]]:
    """Unit, state, hours until the response."""
    return [
        (stay.unit, stay.state, None if stay.response_s is None else stay.response_s / HOUR)
        for stay in verdict.stays
    ]


RESPONSES = {
    "answered on the same day": (
        ["mon 09:00 | assigned | A", "mon 12:00 | in progress | A"],
        [("A", "met", 3)],
    ),
    "any other status is an answer": (
        ["mon 09:00 | assigned | A", "mon 12:00 | on hold | A"],
        [("A", "met", 3)],
    ),
    "solving at once is an answer": (
        ["mon 09:00 | assigned | A", "tue 09:00 | solved | A"],
        [("A", "met", 8)],
    ),
    "giving it away is an answer": (
        ["mon 09:00 | assigned | A", "mon 11:00 | assigned | B", "mon 16:00 | in progress | B"],
        [("A", "met", 2), ("B", "met", 5)],
    ),
    "a unit that gets it back is asked twice": (
        ["mon 09:00 | assigned | A", "mon 10:00 | assigned | B", "mon 12:00 | assigned | A"],
        [("A", "met", 1), ("B", "met", 2), ("A", "violated", 21 + 8 * 17)],
    ),
    "assigned anew to the same unit from work is a new stay": (
        ["mon 09:00 | assigned | A", "mon 10:00 | in progress | A", "mon 12:00 | assigned | A",
         "mon 13:00 | in progress | A"],
        [("A", "met", 1), ("A", "met", 1)],
    ),
    "another change while assigned does not restart the clock": (
        ["mon 09:00 | assigned | A", "mon 10:00 | assigned | A", "mon 12:00 | in progress | A"],
        [("A", "met", 3)],
    ),
    "nights and weekends do not count": (
        ["fri 16:00 | assigned | A", "2mon 10:00 | in progress | A"],
        [("A", "met", 2)],
    ),
    "assigned and answered at night": (
        ["mon 20:00 | assigned | A", "mon 23:00 | in progress | A"],
        [("A", "met", 0)],
    ),
    "the last second of five working days is in time": (
        ["mon 09:00 | assigned | A", "2mon 09:00 | in progress | A"],
        [("A", "met", 40)],
    ),
    "a minute later is not": (
        ["mon 09:00 | assigned | A", "2mon 09:01 | in progress | A"],
        [("A", "violated", 40 + 1 / 60)],
    ),
    "without a unit nobody is asked": (
        ["mon 09:00 | new |", "mon 12:00 | assigned | A", "mon 13:00 | in progress | A"],
        [("A", "met", 1)],
    ),
    "a new ticket with the first level is theirs to answer, within an hour": (
        ["mon 09:00 | new | TPM", "mon 11:00 | assigned | A", "mon 12:00 | in progress | A"],
        [("TPM", "violated", 2), ("A", "met", 1)],
    ),
    "new and then assigned to the same unit is one stay": (
        ["mon 09:00 | new | A", "mon 10:00 | assigned | A", "mon 12:00 | in progress | A"],
        [("A", "met", 3)],
    ),
    "a unit that was only passed through is not judged": (
        ["mon 09:00 | assigned | TPM", "mon 09:00 | assigned | A", "mon 10:00 | in progress | A"],
        [("A", "met", 1)],
    ),
    "unit first and status after it, in the same second": (
        ["mon 09:00 | assigned | A", "mon 10:00 | in progress | A", "mon 12:00 | in progress | B",
         "mon 12:00 | assigned | B", "mon 13:00 | in progress | B"],
        [("A", "met", 1), ("B", "met", 1)],
    ),
    "status first and unit after it, in the same second": (
        ["mon 09:00 | assigned | A", "mon 10:00 | in progress | A", "mon 12:00 | assigned | A",
         "mon 12:00 | assigned | B", "mon 13:00 | in progress | B"],
        [("A", "met", 1), ("B", "met", 1)],
    ),
    "handed over in the middle of work nothing is awaited": (
        ["mon 09:00 | assigned | A", "mon 10:00 | in progress | A", "mon 12:00 | in progress | B"],
        [("A", "met", 1), ("B", "unmeasured", None)],
    ),
    "opened, assigned and solved in one second": (
        ["mon 09:00 | new |", "mon 09:00 | assigned | A", "mon 09:00 | solved | A"],
        [("A", "met", 0)],
    ),
    "reopening asks for no response, being assigned again does": (
        ["mon 09:00 | assigned | A", "mon 10:00 | solved | A", "tue 09:00 | reopened | A",
         "tue 10:00 | assigned | B", "tue 14:00 | in progress | B"],
        [("A", "met", 1), ("A", "unmeasured", None), ("B", "met", 4)],
    ),
    "a ticket taken from everybody": (
        ["mon 09:00 | assigned | A", "mon 10:00 | new |", "tue 09:00 | assigned | A",
         "tue 10:00 | in progress | A"],
        [("A", "met", 1), ("A", "met", 1)],
    ),
    "born solved": (["mon 09:00 | solved | A"], []),
    "moved when it was done": (
        ["mon 09:00 | assigned | A", "mon 10:00 | solved | A", "mon 11:00 | solved | B"],
        [("A", "met", 1)],
    ),
    "a zone of its own": (
        ["mon 07:00 | assigned | Rome", "mon 09:00 | in progress | Rome"],
        [("Rome", "met", 2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RESPONSES)
def test_response_times(case):
    steps, expected = RESPONSES[case]

    assert responses(judged(*steps)) == expected


@pytest.mark.parametrize(
    ("unit", "hours"),
    [
        ("Anybody", (40, 40, 40, 40)),
        ("Medium", (40, 40, 8, 8)),
        ("Advanced", (40, 8, 8, 4)),
        ("TPM", (1, 1, 1, 1)),
    ],
)
def test_the_longest_response_is_that_of_the_level_and_the_original_priority(unit, hours):
    for priority, allowed_h in zip(PRIORITIES, hours, strict=True):
        spells = [Spell("assigned", unit, "less urgent", at("mon 09:00"), None)]

        (stay,) = LEVELS.verdict(spells, priority, at("mon 09:30")).stays

        assert stay.allowed_s == allowed_h * HOUR


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        ("mon 09:00", "running"),
        ("mon 14:59", "running"),
        ("mon 15:00", "warning"),  # 75 % of 8 hours
        ("mon 17:00", "warning"),
        ("tue 09:00", "warning"),  # the night did not count
        ("tue 09:01", "violated"),
    ],
)
def test_an_open_response_is_warned_of_and_then_overdue(as_of, state):
    spells = [Spell("assigned", "Advanced", "urgent", at("mon 09:00"), None)]

    (stay,) = LEVELS.verdict(spells, "urgent", at(as_of)).stays

    assert stay.state == state
    assert stay.answered_at is None
    assert (stay.warns_at, stay.due_at) == (at("mon 15:00"), at("mon 17:00"))


def solutions(verdict) -> list[tuple[str, float | None, float | None]]:
    """Unit, solution hours with and without waiting for the submitter."""
    return [
        (
            stay.unit,
            stay.held_s / HOUR if stay.solved else None,
            (stay.held_s - stay.waiting_s) / HOUR if stay.solved else None,
        )
        for stay in verdict.stays
    ]


SOLUTIONS = {
    "from assignment": (
        ["mon 09:00 | assigned | A", "mon 12:00 | in progress | A", "tue 12:00 | unsolved | A"],
        [("A", 11, 11)],
    ),
    "only of the unit that solved it": (
        ["mon 09:00 | assigned | A", "tue 09:00 | assigned | B", "tue 12:00 | solved | B"],
        [("A", None, None), ("B", 3, 3)],
    ),
    "waiting can be left out, also outside of office hours": (
        ["mon 09:00 | assigned | A", "mon 16:00 | waiting for reply | A", "tue 11:00 | in progress | A",
         "tue 12:00 | waiting for reply | A", "tue 14:00 | waiting for reply | A", "wed 09:00 | solved | A"],
        [("A", 16, 8)],
    ),
    "from scratch when reopened": (
        ["mon 09:00 | assigned | A", "mon 12:00 | solved | A", "wed 09:00 | reopened | A",
         "wed 10:00 | in progress | A", "wed 13:00 | solved | A", "2wed 13:00 | closed | A"],
        [("A", 3, 3), ("A", 4, 4)],
    ),
    "reopened with a fresh assignment": (
        ["mon 09:00 | assigned | A", "mon 12:00 | solved | A", "wed 09:00 | reopened | TPM",
         "wed 10:00 | assigned | A", "wed 13:00 | solved | A"],
        [("A", 3, 3), ("TPM", None, None), ("A", 3, 3)],
    ),
    "a foreign ticket that went straight to closed": (
        ["mon 09:00 | assigned | A", "mon 12:00 | closed | A"],
        [("A", 3, 3)],
    ),
    "not while open": (["mon 09:00 | assigned | A"], [("A", None, None)]),
    "not of those who received it done": (["mon 09:00 | closed | A", "mon 10:00 | closed | B"], []),
}  # fmt: skip


@pytest.mark.parametrize("case", SOLUTIONS)
def test_solution_times(case):
    steps, expected = SOLUTIONS[case]

    assert solutions(judged(*steps)) == expected


LIFETIMES = {
    # calendar time from submission to the last outcome
    "solved": (["mon 09:00 | new |", "wed 10:00 | solved | A"], 49, 0),
    "verified later": (
        ["mon 09:00 | new |", "mon 10:00 | solved | A", "fri 09:00 | verified | A"], 1, 0),
    "open again": (
        ["mon 09:00 | new |", "mon 10:00 | solved | A", "mon 11:00 | reopened | A"], None, 0),
    "solved twice": (
        ["mon 09:00 | new |", "mon 10:00 | solved | A", "tue 09:00 | reopened | A",
         "wed 09:00 | unsolved | A"], 48, 0),
    "waited for twice": (
        ["mon 09:00 | waiting for reply |", "mon 10:00 | in progress | A",
         "fri 17:00 | waiting for reply | A", "2mon 09:00 | solved | A"], 168, 1 + 64),
    "born solved, so nobody knows": (["mon 09:00 | solved | A", "tue 09:00 | closed | A"], None, 0),
    "still open": (["mon 09:00 | new |"], None, 0),
}  # fmt: skip


@pytest.mark.parametrize("case", LIFETIMES)
def test_lifetime_and_waiting_time_are_calendar_time(case):
    steps, lifetime_h, waiting_h = LIFETIMES[case]

    verdict = judged(*steps)

    assert verdict.lifetime_s == (None if lifetime_h is None else lifetime_h * HOUR)
    assert verdict.waiting_s == waiting_h * HOUR


def test_before_its_submission_a_ticket_has_no_figures():
    verdict = judged("tue 09:00 | assigned | A", as_of="mon 09:00")

    assert verdict.submitted_at is None
    assert verdict.stays == ()
    assert explain(LEVELS, history("tue 09:00 | assigned | A"), "urgent", at("mon 09:00")) == []


def test_open_clocks_stop_where_the_last_spell_ends():
    spells = [Spell("assigned", "A", "urgent", at("mon 09:00"), at("mon 11:00"))]

    (stay,) = LEVELS.verdict(spells, "urgent", at("fri 17:00")).stays

    assert stay.response_s == stay.held_s == 2 * HOUR


def test_a_policy_may_want_reopened_tickets_answered():
    policy = ggus_policy("2").to_plain() | {"awaiting": ["new", "assigned", "reopened"]}
    levels = ServiceLevels(type(LEVELS.policy).from_plain(policy), {"office": OFFICE})

    verdict = judged(
        "mon 09:00 | solved | A", "tue 09:00 | reopened | A", "tue 11:00 | in progress | A",
        levels=levels,
    )  # fmt: skip

    assert responses(verdict) == [("A", "met", 2)]


def test_a_verdict_names_the_versions_it_rests_on():
    assert judged("mon 09:00 | new |").basis == "ggus@2026-1 office@1 rome@7"


def test_a_policy_without_its_calendar_is_refused():
    with pytest.raises(CalendarMissing, match="rome") as refused:
        ServiceLevels(LEVELS.policy, {"office": OFFICE})
    assert refused.value.code == "calendar-missing"


def test_a_priority_without_a_target_is_refused():
    with pytest.raises(PriorityUnknown, match="top priority") as refused:
        judged("mon 09:00 | assigned | A", priority="normal")
    assert refused.value.code == "priority-unknown"


def test_spells_that_are_not_in_order_are_a_fault_of_the_caller():
    with pytest.raises(AssertionError, match="in order"):
        judged("tue 09:00 | assigned | A", "mon 09:00 | solved | A")
