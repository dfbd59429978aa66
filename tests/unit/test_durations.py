import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.durations import DurationUnreadable, format_working, parse_working

HOUR = 3600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12d 3h 5min", 99 * HOUR + 5 * 60),  # the example of the report generator's documentation
        ("1d 3h 23min", 11 * HOUR + 23 * 60),
        ("1d", 8 * HOUR),
        ("7h 59min 59s", 8 * HOUR - 1),
        ("3min", 180),
        ("1s", 1),
        ("0min", 0),
    ],
)
def test_durations_are_written_in_working_days_of_eight_hours(text, seconds):
    assert format_working(seconds) == text
    assert parse_working(text) == seconds


@given(st.integers(0, 10**12))
def test_a_duration_read_back_is_the_same_to_the_second(seconds):
    assert parse_working(format_working(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [(" 12h ", 12 * HOUR), ("1d3h", 11 * HOUR), ("1 d  3 h", 11 * HOUR)]
)
def test_people_may_write_it_a_little_differently(text, seconds):
    assert parse_working(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "  ", "5", "3h 1d", "1d 1d", "-1d", "1.5h", "1m", "1day", "1d 3"]
)
def test_other_texts_are_refused_with_an_example(text):
    with pytest.raises(DurationUnreadable, match="12d 3h 5min") as refused:
        parse_working(text)

    assert refused.value.code == "duration-unreadable"


def test_a_negative_duration_does_not_exist():
    with pytest.raises(ValueError, match="negative"):
        format_working(-1)
