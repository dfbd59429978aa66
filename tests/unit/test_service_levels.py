"""Verdicts by table; by property against the explanation, which adds the same time up per spell."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendars import Calendar, epoch
from domain.service_clocks import TERMINAL_COLOURS, colour, explain
from domain.service_levels import (
    TERMINAL,
    WAITING,
    CalendarMissing,
    PriorityUnknown,
    ServiceLevels,
    Spell,
)
from domain.service_policy import PRIORITIES, ggus_policy

HOUR = 3600
OFFICE = Calendar(name="office", version="1", first_year=2026, last_year=2027)
ROME = Calendar(name="rome", version="7", zone="Europe/Rome", first_year=2026, last_year=2027)
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPEN = ("new", "assigned", "in progress", WAITING, "on hold", "reopened")

LEVELS = ServiceLevels(
    ggus_policy(
        "2026-1",
        levels={"TPM": "first level", "Medium": "medium", "Advanced": "advanced"},
        middleware=frozenset({"Advanced"}),
        calendars={"Rome": "rome"},
    ),
    {"office": OFFICE, "rome": ROME},
)


def at(text: str) -> int:
    """``tue 10:30``, or ``2tue 10:30`` a week later."""
    day, clock = text.split()
    weeks = int(day[0]) - 1 if day[0].isdigit() else 0
    hours, minutes = map(int, clock.split(":"))
    return epoch(
        MONDAY + timedelta(weeks=weeks, days=DAYS.index(day[-3:]), hours=hours, minutes=minutes)
    )


def history(*steps: str, priority: str = "urgent") -> list[Spell]:
    """Each step is ``when | status | unit``; it lasts until the next."""
    rows = [[part.strip() for part in step.split("|")] for step in steps]
    ends = [*(at(row[0]) for row in rows[1:]), None]
    return [
        Spell(status, unit, priority, at(when), end)
        for (when, status, unit), end in zip(rows, ends, strict=True)
    ]


def judged(*steps: str, priority: str = "urgent", as_of: str = "4fri 17:00", levels=LEVELS):
    return levels.verdict(history(*steps), priority, at(as_of))


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


def test_the_explanation_names_each_clock_segment_and_why_it_counts():
    spells = history(
        "mon 09:00 | new |", "mon 10:00 | assigned | A", "mon 16:00 | in progress | A",
        "tue 10:00 | waiting for reply | A", "tue 12:00 | solved | A",
    )  # fmt: skip

    segments = explain(LEVELS, spells, "urgent", at("wed 09:00"))

    assert [
        (s.status, s.working_s // HOUR, s.response, s.waiting, s.why) for s in segments
    ] == [
        ("new", 0, False, False, "no unit is responsible: no clock runs"),
        ("assigned", 6, True, False, "no response yet: 6h of 5d used (level base, urgent)"),
        ("in progress", 2, False, False, "the unit has the ticket: solution time"),
        ("waiting for reply", 2, False, True,
         "the submitter has to reply: left out of the solution time without waiting"),
        ("solved", 0, False, False, "done: every clock stands still"),
    ]  # fmt: skip


COLOURS = {
    "fresh": (["mon 09:00 | assigned | A"], "mon 09:00", "green"),
    "half a week": (["mon 09:00 | assigned | A"], "wed 13:00", "yellow"),
    "amber": (["mon 09:00 | assigned | A"], "thu 15:00", "amber"),
    "red": (["mon 09:00 | assigned | A"], "fri 17:00", "red"),
    "answered: green again": (
        ["mon 09:00 | assigned | A", "fri 09:00 | on hold | A"], "fri 10:00", "green"),
    "in progress: green again": (
        ["mon 09:00 | assigned | A", "mon 10:00 | on hold | A", "fri 09:00 | in progress | A"],
        "fri 10:00", "green"),
    "waiting goes on counting": (
        ["mon 09:00 | assigned | A", "mon 10:00 | in progress | A", "tue 09:00 | waiting for reply | A"],
        "wed 14:00", "yellow"),
    "middleware has its own steps": (["mon 09:00 | assigned | Advanced"], "mon 13:00", "yellow"),
    "nobody is responsible": (["mon 09:00 | new |"], "fri 17:00", "green"),
    "solved": (["mon 09:00 | assigned | A", "mon 10:00 | solved | A"], "fri 17:00", "blue"),
    "unsolved": (["mon 09:00 | unsolved | A"], "fri 17:00", "light blue"),
    "not there yet": (["fri 09:00 | assigned | A"], "mon 09:00", "green"),
}  # fmt: skip


@pytest.mark.parametrize("case", COLOURS)
def test_colours_of_waiting_tickets(case):
    steps, as_of, name = COLOURS[case]

    assert colour(LEVELS, history(*steps), at(as_of)).name == name


def test_a_colour_tells_when_it_changes():
    spells = history("mon 09:00 | assigned | A", priority="top priority")

    seen = []
    now = at("mon 09:00")
    while now is not None:
        name, since, now = colour(LEVELS, spells, now)
        assert since == at("mon 09:00")
        seen.append((name, now))

    assert seen == [
        ("green", at("tue 13:00")),
        ("yellow", at("wed 11:00")),
        ("amber", at("wed 17:00")),
        ("red", None),
    ]


def test_every_terminal_status_has_a_colour():
    assert TERMINAL_COLOURS.keys() == TERMINAL


# -- properties ---------------------------------------------------------------------------------------

steps_of_a_life = st.lists(
    st.tuples(
        st.sampled_from([*OPEN, *sorted(TERMINAL)]),
        st.sampled_from(["", "A", "Advanced", "Rome"]),
        st.sampled_from([0, 0, 60, HOUR, 5 * HOUR, 26 * HOUR, 100 * HOUR]),
    ),
    min_size=1,
    max_size=9,
)


def life(steps) -> list[Spell]:
    spells = []
    now = at("mon 08:00")
    for status, unit, lasts_s in steps:
        spells.append(Spell(status, unit, "urgent", now, now + lasts_s))
        now += lasts_s
    spells[-1] = spells[-1]._replace(to_at=None)
    return spells


@settings(deadline=None)
@given(steps_of_a_life, st.integers(0, 400))
def test_what_happens_later_does_not_change_a_verdict(steps, hours):
    spells = life(steps)
    as_of = at("mon 00:00") + hours * HOUR
    known = [
        spell._replace(to_at=None if spell.to_at is None or spell.to_at > as_of else spell.to_at)
        for spell in spells
        if spell.from_at <= as_of
    ]

    assert LEVELS.verdict(spells, "urgent", as_of) == LEVELS.verdict(known, "urgent", as_of)


@settings(deadline=None)
@given(steps_of_a_life)
def test_the_segments_of_the_explanation_add_up_to_the_verdict(steps):
    spells, as_of = life(steps), at("4fri 17:00")

    verdict = LEVELS.verdict(spells, "urgent", as_of)
    segments = explain(LEVELS, spells, "urgent", as_of)

    for number, stay in enumerate(verdict.stays):
        own = [segment for segment in segments if segment.stay == number]
        assert {segment.unit for segment in own} <= {stay.unit}
        assert sum(segment.working_s for segment in own) == stay.held_s
        assert sum(s.working_s for s in own if s.waiting) == stay.waiting_s
        assert sum(s.working_s for s in own if s.response) == (stay.response_s or 0)
    assert sum(s.working_s for s in segments if s.stay is None) == 0


@settings(deadline=None)
@given(steps_of_a_life, st.integers(0, 8))
def test_splitting_a_spell_where_nothing_changes_does_not_change_a_verdict(steps, place):
    spells, as_of = life(steps), at("4fri 17:00")
    cut = spells[min(place, len(spells) - 1)]
    index = spells.index(cut)
    middle = cut.from_at + ((cut.to_at or as_of) - cut.from_at) // 2
    split = [
        *spells[:index], cut._replace(to_at=middle), cut._replace(from_at=middle), *spells[index + 1 :],
    ]  # fmt: skip

    whole = LEVELS.verdict(spells, "urgent", as_of)

    assert LEVELS.verdict(split, "urgent", as_of) == whole


@settings(deadline=None)
@given(steps_of_a_life)
def test_stays_lie_one_after_the_other_within_the_open_life_of_a_ticket(steps):
    spells, as_of = life(steps), at("4fri 17:00")

    verdict = LEVELS.verdict(spells, "urgent", as_of)

    last = verdict.submitted_at
    for stay in verdict.stays:
        assert last <= stay.from_at
        last = as_of if stay.to_at is None else stay.to_at
        assert stay.from_at <= last
        assert stay.answered_at is None or stay.from_at <= stay.answered_at <= last
        assert 0 <= stay.waiting_s <= stay.held_s
        assert (stay.due_at is None) == (stay.answered_at is not None or stay.state == "unmeasured")
    held = {spell.unit for spell in spells if spell.status in OPEN} - {""}
    assert {stay.unit for stay in verdict.stays} <= held
