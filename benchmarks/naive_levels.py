"""Service level statistics as one would first write them: replay every ticket, walk the calendar day by day.

The definitions are those of ``projections.levels``, written a second time and straight on: nothing but the
names of the result and the arithmetic of averages is shared with what is checked against this.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from benchmarks.naive_lives import Life, Period, life
from domain.aggregate import Event
from domain.calendars import WEEKDAYS, Calendar
from domain.figures import figures, share
from domain.service_levels import ServiceLevels
from projections.level_figures import Dimension, Group, LevelFigures

_SECOND = timedelta(seconds=1)


class Facts(Struct):
    submitted: int = 0
    stays: int = 0
    met: int = 0
    violated: int = 0
    response: list[int] = []
    solution: list[int] = []
    without_waiting: list[int] = []
    waiting: list[int] = []
    lifetime: list[int] = []
    open: list[int] = []


def naive_tables(
    events: Iterable[Event], levels: ServiceLevels, begin: datetime, end: datetime, as_of: datetime,
    tables: Sequence[Sequence[Dimension]],
) -> list[tuple[tuple[Dimension, ...], list[Group]]]:  # fmt: skip
    """The tables of a report, from all events up to a position in their order."""
    streams: dict[object, list[Event]] = defaultdict(list)
    for event in events:
        streams[event.originator_id].append(event)
    lives = [life(stream, levels, as_of) for stream in streams.values()]
    return tables_of(
        [each for each in lives if each is not None], levels, begin, end, as_of, tables
    )


def tables_of(
    lives: Iterable[Life], levels: ServiceLevels, begin: datetime, end: datetime, as_of: datetime,
    tables: Sequence[Sequence[Dimension]],
) -> list[tuple[tuple[Dimension, ...], list[Group]]]:  # fmt: skip
    count = Counting(levels, begin, end, as_of, tables)
    for each in lives:
        count.add(each)
    return [(tuple(by), groups(by, count.facts[place])) for place, by in enumerate(tables)]


def working_s(calendar: Calendar, a: datetime, b: datetime) -> int:
    """Working seconds between two instants: what of each day's hours lies between them."""
    zone = ZoneInfo(calendar.zone)
    total = 0
    day = a.astimezone(zone).date() - timedelta(days=1)
    last = b.astimezone(zone).date()
    while day <= last:
        if day not in calendar.holidays:
            for hours in calendar.hours[day.weekday()]:
                opens, closes = (
                    datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(hours=int(h), minutes=int(m))
                    for h, m in (text.split(":") for text in hours.split("-"))
                )  # fmt: skip
                start, stop = max(opens.astimezone(UTC), a), min(closes.astimezone(UTC), b)
                if start < stop:
                    total += (stop - start) // _SECOND
        day += timedelta(days=1)
    return total


assert len(WEEKDAYS) == 7


class Counting:
    def __init__(
        self, levels: ServiceLevels, begin: datetime, end: datetime, as_of: datetime,
        tables: Sequence[Sequence[Dimension]],
    ) -> None:  # fmt: skip
        self.levels = levels
        self.begin, self.end, self.as_of = (
            each.replace(microsecond=0) for each in (begin, end, as_of)
        )
        self.tables = tables
        self.facts: list[dict[tuple[str, ...], Facts]] = [defaultdict(Facts) for _ in tables]
        self.ends = list(self.ends_of_months())

    def ends_of_months(self) -> Iterable[datetime]:
        """All months' ends in the frame, and the frame's own, as far as anything is known then."""
        last = min(self.end, self.as_of + _SECOND)
        if last <= self.begin:
            return
        at = self.begin
        while True:
            first = at.replace(day=1, hour=0, minute=0, second=0)
            at = (first + timedelta(days=32)).replace(day=1)
            if at >= last:
                yield last
                return
            yield at

    def cells(
        self, life: Life, unit: str, at: datetime, *, monthly: bool = False
    ) -> Iterable[Facts]:
        values = {
            "unit": unit, "site": life.site, "vo": life.vo, "month": f"{at:%Y-%m}", "priority": life.priority,
        }  # fmt: skip
        for by, facts in zip(self.tables, self.facts, strict=True):
            if not monthly or "month" in by:
                yield facts[tuple(values[dimension] for dimension in by)]

    def add(self, life: Life) -> None:
        units = [period.unit for period in life.periods] or [""]
        if self.begin <= life.submitted_at < self.end:
            for cell in self.cells(life, units[0], life.submitted_at):
                cell.submitted += 1
        if life.solved_at is not None and self.begin <= life.solved_at < self.end:
            lifetime_s = (life.solved_at - life.submitted_at) // _SECOND
            for cell in self.cells(life, units[-1], life.solved_at):
                cell.lifetime.append(lifetime_s)
        for period in life.periods:
            self.add_period(life, period)

    def add_period(self, life: Life, period: Period) -> None:  # noqa: C901
        unit, policy = period.unit, self.levels.policy
        calendar = self.levels.calendars[policy.calendar(unit)]
        if self.begin <= period.from_at < self.end:
            allowed_s = policy.response_h[policy.level(unit)][life.priority] * 3600
            given = period.answered_at is not None
            response_s = (
                working_s(calendar, period.from_at, period.answered_at or self.as_of)
                if period.awaited
                else 0
            )
            for cell in self.cells(life, unit, period.from_at):
                cell.stays += 1
                if period.awaited:
                    cell.met += given and response_s <= allowed_s
                    cell.violated += response_s > allowed_s
                    if given:
                        cell.response.append(response_s)
        if period.to_at is not None and self.begin <= period.to_at < self.end:
            held_s = working_s(calendar, period.from_at, period.to_at)
            waiting_s = sum(working_s(calendar, a, b) for a, b in period.waits)
            counts = period.solved or waiting_s
            for cell in self.cells(life, unit, period.to_at) if counts else ():
                if waiting_s:
                    cell.waiting.append(waiting_s)
                if period.solved:
                    cell.solution.append(held_s)
                    cell.without_waiting.append(held_s - waiting_s)
        for moment in self.ends:
            if period.from_at < moment and (period.to_at is None or period.to_at >= moment):
                held_s = working_s(calendar, period.from_at, min(moment, self.as_of))
                for cell in self.cells(
                    life, unit, moment - _SECOND, monthly=moment != self.ends[-1]
                ):
                    cell.open.append(held_s)


def groups(by: Sequence[Dimension], facts: dict[tuple[str, ...], Facts]) -> list[Group]:
    if not by:
        facts[()] = facts[()]
    return [
        Group(
            dict(zip(by, key, strict=True)),
            LevelFigures(
                submitted=cell.submitted, stays=cell.stays, response=figures(cell.response),
                response_met=share(cell.met, cell.met + cell.violated), solution=figures(cell.solution),
                solution_without_waiting=figures(cell.without_waiting), waiting=figures(cell.waiting),
                lifetime=figures(cell.lifetime), open=figures(cell.open),
            ),
        )
        for key, cell in sorted(facts.items())
    ]  # fmt: skip
