"""Working time: how much of it lies between two instants, and when a given amount of it is over.

The rule is one sentence: an instant is working time when the wall clock of the calendar's zone shows a
time within the hours of that weekday and the date is no holiday. Clock changes need no further rule: an
hour that is skipped does not count, an hour that comes twice counts twice.

All working time of the covered years is summed up once, so that a question costs one binary search.
Instants are aware datetimes or, for many at once, whole seconds since 1970 (``..._epoch``); parts of a
second are cut off. Working time is a whole number of seconds.
"""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Final, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
OFFICE_HOURS: Final = (*((("09:00-17:00",),) * 5), (), ())
"""Monday to Friday, nine to five."""

DAY_S: Final = 86_400
YEARS_MAX: Final = 200
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)

_HOURS: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class CalendarInvalid(ValueError):
    """This cannot be a calendar: the message says which part and what would be possible."""

    code: ClassVar[str] = "calendar-invalid"


class OutsideCalendar(ValueError):
    """An instant, or the answer, lies outside the years that the calendar covers."""

    code: ClassVar[str] = "outside-calendar"


class WorkingPeriod(NamedTuple):
    """Uninterrupted working time: one row of the table that a query can be joined with."""

    starts: int
    ends: int
    before: int
    """Working seconds of the calendar before this period."""


class _Table(NamedTuple):
    """The working periods of all years as parallel columns, in order of time."""

    starts: list[int]
    ends: list[int]
    befores: list[int]
    total: int
    first: int
    last: int


class Calendar(Struct, frozen=True, kw_only=True, dict=True):
    """Immutable, plain data; what is computed from it is kept beside it.

    Raises ``CalendarInvalid`` when the zone is unknown, hours overlap or the years make no sense.
    """

    name: str
    version: str
    """Of the data: a corrected holiday is a new version."""
    zone: str = "UTC"
    """Name in the IANA data base, for example ``Europe/Berlin``."""
    hours: tuple[tuple[str, ...], ...] = OFFICE_HOURS
    """Monday first, each day any number of ``HH:MM-HH:MM``; a night shift ends at 24:00."""
    holidays: frozenset[date] = frozenset()
    """Local dates without working time."""
    first_year: int = 2004
    last_year: int = 2040
    """Inclusive."""

    def __post_init__(self) -> None:
        _zone(self.zone)
        if len(self.hours) != len(WEEKDAYS):
            raise CalendarInvalid(f"hours of 7 weekdays are needed, not of {len(self.hours)}")
        for weekday, hours in zip(WEEKDAYS, self.hours, strict=True):
            _shifts(weekday, hours)
        if not 1970 < self.first_year <= self.last_year < self.first_year + YEARS_MAX:
            raise CalendarInvalid(
                f"years {self.first_year} to {self.last_year}: "
                f"possible are at most {YEARS_MAX}, after 1970, in order"
            )

    # -- one question at a time ---------------------------------------------------------------------

    def between(self, a: datetime, b: datetime) -> int:
        """Working seconds from ``a`` to ``b`` (aware); negative when ``b`` is earlier."""
        return self.at_epoch(epoch(b)) - self.at_epoch(epoch(a))

    def add(self, instant: datetime, working_seconds: int) -> datetime:
        """The earliest instant (in UTC) at which so much working time has passed since ``instant``."""
        return EPOCH + self.add_epoch(epoch(instant), working_seconds) * SECOND

    # -- many questions -----------------------------------------------------------------------------

    def at_epoch(self, seconds: int) -> int:
        """Working seconds from the beginning of the calendar to this instant."""
        starts, ends, befores, _, first, last = self._table
        if not first <= seconds <= last:
            raise self._outside(seconds)
        index = bisect_right(starts, seconds) - 1
        if index < 0:
            return 0
        end = ends[index]
        until = seconds if seconds < end else end  # noqa: FURB136 - asked 160,000 times for a report
        return befores[index] + until - starts[index]

    def between_epoch(self, a: int, b: int) -> int:
        """Like ``between``."""
        return self.at_epoch(b) - self.at_epoch(a)

    def add_epoch(self, seconds: int, working_seconds: int) -> int:
        """Like ``add``."""
        if working_seconds < 0:
            raise ValueError(f"working time can only be added, not {working_seconds} s")
        table = self._table
        reached = self.at_epoch(seconds) + working_seconds
        if working_seconds == 0:
            return seconds
        if reached > table.total:
            raise OutsideCalendar(
                f"{working_seconds} working seconds after {_shown(seconds)} lie beyond the end of "
                f"calendar {self.name} {self.version} ({self.last_year})"
            )
        index = bisect_left(table.befores, reached) - 1
        return table.starts[index] + reached - table.befores[index]

    def days(self) -> list[WorkingPeriod]:
        """The whole calendar, one row a working period: for a table that SQL can join."""
        table = self._table
        return list(map(WorkingPeriod, table.starts, table.ends, table.befores))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the working periods: differs when other rules of the zone were installed."""
        rows = ";".join(f"{period.starts},{period.ends}" for period in self.days())
        return hashlib.sha256(rows.encode()).hexdigest()

    # -- as data ------------------------------------------------------------------------------------

    def to_plain(self) -> dict[str, Any]:
        """Strings, numbers and lists only, always in the same order."""
        return {
            "name": self.name,
            "version": self.version,
            "zone": self.zone,
            "hours": dict(zip(WEEKDAYS, map(list, self.hours), strict=True)),
            "holidays": [day.isoformat() for day in sorted(self.holidays)],
            "first_year": self.first_year,
            "last_year": self.last_year,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of ``to_plain``. A weekday that is not named is free."""
        try:
            hours = msgspec.convert(plain.get("hours", {}), dict[str, tuple[str, ...]])
            if unknown := hours.keys() - set(WEEKDAYS):
                raise CalendarInvalid(f"{sorted(unknown)} are no weekdays: {', '.join(WEEKDAYS)}")
            week = tuple(hours.get(weekday, ()) for weekday in WEEKDAYS)
            return msgspec.convert({**plain, "hours": week}, cls)
        except msgspec.ValidationError as error:
            raise CalendarInvalid(str(error)) from error

    # -- inside -------------------------------------------------------------------------------------

    @cached_property
    def _table(self) -> _Table:
        zone = _zone(self.zone)
        first = int(datetime(self.first_year, 1, 1, tzinfo=zone).timestamp())
        last = int(datetime(self.last_year + 1, 1, 1, tzinfo=zone).timestamp())
        week = [_shifts(weekday, day) for weekday, day in zip(WEEKDAYS, self.hours, strict=True)]
        free = {day.toordinal() - EPOCH.toordinal() for day in self.holidays}
        starts: list[int] = []
        ends: list[int] = []
        befores: list[int] = []
        total = 0
        for since, until, offset in _offsets(zone, first, last):
            for day in range((since + offset) // DAY_S, (until - 1 + offset) // DAY_S + 1):
                if day in free:
                    continue
                midnight = day * DAY_S - offset
                for opens, closes in week[(day + 3) % 7]:  # day 0 was a Thursday
                    start, end = max(since, midnight + opens), min(until, midnight + closes)
                    if start < end:
                        starts.append(start)
                        ends.append(end)
                        befores.append(total)
                        total += end - start
        return _Table(starts, ends, befores, total, first, last)

    def _outside(self, seconds: int) -> OutsideCalendar:
        return OutsideCalendar(
            f"{_shown(seconds)} is outside calendar {self.name} {self.version}, "
            f"which covers {self.first_year} to {self.last_year} in {self.zone}"
        )


def epoch(instant: datetime) -> int:
    """Whole seconds since 1970 of an aware datetime."""
    assert instant.tzinfo is not None
    return (instant - EPOCH) // SECOND


def _shown(seconds: int) -> str:
    try:
        return (EPOCH + seconds * SECOND).isoformat()
    except OverflowError:
        return f"second {seconds}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CalendarInvalid(f"{name!r} is no time zone; an example is Europe/Berlin") from error


def _shifts(weekday: str, hours: tuple[str, ...]) -> list[tuple[int, int]]:
    """Opening and closing as seconds after local midnight."""
    shifts: list[tuple[int, int]] = []
    previous = 0
    for text in hours:
        match = _HOURS.fullmatch(text)
        if match is None:
            raise CalendarInvalid(f"{weekday}: {text!r} does not look like 09:00-17:00")
        from_h, from_min, to_h, to_min = map(int, match.groups())
        opens, closes = from_h * 3600 + from_min * 60, to_h * 3600 + to_min * 60
        if not previous <= opens < closes <= DAY_S:
            raise CalendarInvalid(f"{weekday}: {text!r} ends before it starts, or overlaps")
        shifts.append((opens, closes))
        previous = closes
    return shifts


def _offsets(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Where the zone's distance from UTC is constant: since, until, seconds east.

    ``zoneinfo`` does not tell its transitions, so they are searched: no zone changes twice a day.
    """

    def east(seconds: int) -> int:
        distance = datetime.fromtimestamp(seconds, zone).utcoffset()
        assert distance is not None
        return distance // SECOND

    since, offset = first, east(first)
    for day in range(first, last, DAY_S):
        tomorrow = min(day + DAY_S, last)
        if east(tomorrow) != offset:
            low, high = day, tomorrow
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if east(middle) == offset else (low, middle)
            yield since, high, offset
            since, offset = high, east(high)
    yield since, last, offset
