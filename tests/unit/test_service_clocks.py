"""What is shown of a running clock: its explanation, segment by segment, and the colour of a ticket."""

import pytest

from domain.service_clocks import TERMINAL_COLOURS, colour, explain
from domain.service_levels import (
    TERMINAL,
)
from tests.service_level_cases import (
    HOUR,
    LEVELS,
    at,
    history,
)


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
