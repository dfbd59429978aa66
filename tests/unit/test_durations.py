import pytest

from domain.durations import format_working

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


def test_a_negative_duration_does_not_exist():
    with pytest.raises(ValueError, match="negative"):
        format_working(-1)
