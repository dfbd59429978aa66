"""Days as the fields of a form send them; all of them are days of UTC, as the pages say."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from domain import clock
from domain.errors import Invalid

_FRAME: Final = timedelta(days=28)


def day(text: str) -> date:
    """Raises ``Invalid`` with an example."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a day such as 2026-05-26") from None


def midnight(day: date) -> datetime:
    """The instant at which the day begins."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def first_and_last(begin: str, end: str) -> tuple[date, date]:
    """The days of a time frame, both included: the last four weeks where none is named. Raises ``Invalid``."""
    last = day(end) if end else clock.now().date()
    first = day(begin) if begin else last - _FRAME
    if first > last:
        raise Invalid("the time frame ends before it begins")
    return first, last
