"""Days as the fields of a form send them; all of them are days of UTC, as the pages say."""

from datetime import UTC, date, datetime

from domain.errors import Invalid


def day(text: str) -> date:
    """Raises ``Invalid`` with an example."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a day such as 2026-05-26") from None


def midnight(day: date) -> datetime:
    """The instant at which the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
