import statistics
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendars import Calendar
from domain.figures import Figures, Share, figures, share, stay_figures
from domain.service_levels import ServiceLevels, Spell
from domain.service_policy import ggus_policy


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Figures(0, 0, None, None)),
        ([7], Figures(1, 7, 7, 7)),
        ([1, 2], Figures(2, 3, 2, 2)),  # 1.5 and 1.5: halves go up
        ([3, 1, 2], Figures(3, 6, 2, 2)),
        ([0, 0, 1], Figures(3, 1, 0, 0)),
        ([10, 1, 4, 2], Figures(4, 17, 4, 3)),
    ],
)
def test_count_sum_average_and_median(values, expected):
    assert figures(values) == expected


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_figures_are_exact_fractions_rounded_once_in_any_order(values):
    result = figures(values)

    assert result.average_s == floor(Fraction(sum(values), len(values)) + Fraction(1, 2))
    assert result.median_s == floor(statistics.median(map(Fraction, values)) + Fraction(1, 2))
    assert figures(iter(sorted(values, reverse=True))) == result


@pytest.mark.parametrize(
    ("met", "measured", "basis_points"),
    [(3, 4, 7500), (1, 3, 3333), (2, 3, 6667), (0, 5, 0), (0, 0, None)],
)
def test_shares_are_hundredths_of_a_percent(met, measured, basis_points):
    assert share(met, measured) == Share(met, measured, basis_points)


def test_a_group_of_stays_counts_overdue_responses_but_not_those_that_may_still_come():
    office = Calendar(name="office", version="1", hours=(("00:00-24:00",),) * 7)
    levels = ServiceLevels(ggus_policy("1"), {"office": office})
    hour, day = 3600, 86_400
    now = 1_780_000_000
    tickets = [
        # in time, solved, an hour of waiting
        [("assigned", 10 * hour), ("waiting for reply", 9 * hour), ("solved", 8 * hour)],
        [("assigned", 10 * day), ("in progress", 5 * day)],  # late
        [("assigned", 10 * day)],  # overdue
        [("assigned", 2 * hour)],  # may still come
        [("reopened", 5 * hour), ("solved", 2 * hour)],  # unmeasured
    ]
    stays = []
    for ticket in tickets:
        begins = [now - before for _, before in ticket]
        spells = [
            Spell(status, "A", "urgent", begin, end)
            for (status, _), begin, end in zip(ticket, begins, [*begins[1:], None], strict=True)
        ]
        stays += levels.verdict(spells, "urgent", now).stays

    result = stay_figures(stays)

    assert result.stays == 5
    assert result.response == Figures(2, 121 * hour, 121 * hour // 2, 121 * hour // 2)
    assert result.response_met == Share(1, 3, 3333)
    assert result.solution == Figures(2, 5 * hour, 9000, 9000)
    assert result.solution_without_waiting == Figures(2, 4 * hour, 2 * hour, 2 * hour)
    assert result.waiting == Figures(1, hour, hour, hour)
