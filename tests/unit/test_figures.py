import statistics
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.figures import Figures, Share, figures, share


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
