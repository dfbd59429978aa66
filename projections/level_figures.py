"""From verdicts to statistics: what is counted where. Pure, so that anything can be checked against it."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Any, Final, Literal, NamedTuple, get_args

from msgspec import Struct

from domain.calendars import DAY_S
from domain.figures import Figures, Share, figures, share
from domain.service_levels import ServiceLevels, TicketVerdict

Dimension = Literal["unit", "site", "vo", "month", "priority"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)

Key = tuple[str, ...] | str
"""Values of the dimensions asked for; of one dimension the value itself, which is faster."""
_ALL: Final = ()


class Frame(NamedTuple):
    """From ``begin`` until before ``end``, in seconds since 1970."""

    begin: int
    end: int


class About(NamedTuple):
    """What a ticket counts under, apart from its units."""

    number: int
    site: str
    vo: str
    priority: str
    """The original one."""


class LevelFigures(Struct, frozen=True):
    """One group. Of responses, solutions, waiting and open stays in seconds of working time."""

    submitted: int
    """Tickets."""
    stays: int
    """That began: each owes a response, if its status waits for one."""
    response: Figures
    """Of those that were answered."""
    response_met: Share
    """An open response counts only when it is overdue: the others may still be in time."""
    solution: Figures
    solution_without_waiting: Figures
    waiting: Figures
    lifetime: Figures
    """Of tickets, in seconds of calendar time."""
    open: Figures
    """How long the stays that last have lasted."""


class Group(Struct, frozen=True):
    group: dict[str, str]
    """Dimension to value, in the order asked for; an empty value where the tickets have none."""
    figures: LevelFigures


class Months(dict[int, str]):
    """Day since 1970 to its month, ``2026-03``."""

    def __missing__(self, day: int) -> str:
        self[day] = month = datetime.fromtimestamp(day * DAY_S, UTC).strftime("%Y-%m")
        return month


_WIDTH: Final = len(DIMENSIONS) + 1

Facts = list[Any]
"""The dimensions in their order and one value, again and again: one flat list is a third of the work of
hundreds of thousands of tuples, which the garbage collector would follow one by one."""


class Tally:
    """Takes verdicts one by one, keeps what falls into the frame, and groups it in the end."""

    def __init__(
        self,
        levels: ServiceLevels,
        frame: Frame,
        as_of: int,
        *,
        units: frozenset[str] = frozenset(),
    ) -> None:
        """With ``units`` only what these units did is counted."""
        self._levels = levels
        self._frame = frame
        self._as_of = as_of
        self._units = units
        self._months = Months()
        self._moments = self._ends_of_months()
        self._submitted: Facts = []
        self._begun: Facts = []
        """With the state of the response."""
        self._response: Facts = []
        self._solution: Facts = []
        self._solution_without_waiting: Facts = []
        self._waiting: Facts = []
        self._lifetime: Facts = []
        self._lasting: Facts = []
        """Open at the ends of months before the last."""
        self._open: Facts = []

    def add(self, about: About, verdict: TicketVerdict) -> None:
        """Count one ticket wherever it falls into the frame."""
        self._add_ticket(about, verdict)
        begin, end = self._frame
        _, site, vo, priority = about
        months, units = self._months, self._units
        for stay in verdict.stays:
            unit, from_at, to_at = stay.unit, stay.from_at, stay.to_at
            if units and unit not in units:
                continue
            month = months[from_at // DAY_S]
            if begin <= from_at < end:
                self._begun += unit, site, vo, month, priority, stay.state
                if stay.answered_at is not None:
                    self._response += unit, site, vo, month, priority, stay.response_s
            if to_at is None or to_at >= end:
                self._count_open(about, unit, from_at, to_at)
            elif to_at >= begin:
                began, month = month, months[to_at // DAY_S]
                if began != month:
                    self._count_open(about, unit, from_at, to_at)
                waited_s = stay.waiting_s
                if waited_s:
                    self._waiting += unit, site, vo, month, priority, waited_s
                if stay.solved:
                    held_s = stay.held_s
                    self._solution += unit, site, vo, month, priority, held_s
                    self._solution_without_waiting += (
                        unit,
                        site,
                        vo,
                        month,
                        priority,
                        held_s - waited_s,
                    )

    def _add_ticket(self, about: About, verdict: TicketVerdict) -> None:
        begin, end = self._frame
        _, site, vo, priority = about
        stays, units = verdict.stays, self._units
        first, last = (stays[0].unit, stays[-1].unit) if stays else ("", "")
        submitted_at, solved_at = verdict.submitted_at, verdict.solved_at
        if (
            submitted_at is not None
            and begin <= submitted_at < end
            and (not units or first in units)
        ):
            month = self._months[submitted_at // DAY_S]
            self._submitted += first, site, vo, month, priority, 1
        if solved_at is not None and begin <= solved_at < end and (not units or last in units):
            month = self._months[solved_at // DAY_S]
            self._lifetime += last, site, vo, month, priority, verdict.lifetime_s

    def _count_open(self, about: About, unit: str, from_at: int, to_at: int | None) -> None:
        """At every end of a month, and of the frame, at which the stay lasted."""
        _, site, vo, priority = about
        moments = self._moments
        calendar = self._levels.terms(unit).calendar
        for index in range(bisect_right(moments, from_at), len(moments)):
            moment = moments[index]
            if to_at is not None and to_at < moment:
                break
            held_s = calendar.between_epoch(from_at, min(moment, self._as_of))
            facts = self._open if index == len(moments) - 1 else self._lasting
            facts += unit, site, vo, self._months[(moment - 1) // DAY_S], priority, held_s

    def _ends_of_months(self) -> list[int]:
        """The ends of all months in the frame, cut off where the frame ends or nothing is known."""
        begin, end = self._frame
        last = min(end, self._as_of + 1)  # what begins at the moment of asking is known, and open
        moments: list[int] = []
        at = datetime.fromtimestamp(begin, UTC).replace(day=1, hour=0, minute=0, second=0)
        while begin < last:
            at = at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
            if (moment := int(at.timestamp())) >= last:
                return [*moments, last]
            moments.append(moment)
        return moments

    def groups(self, by: Sequence[Dimension]) -> list[Group]:
        """One group for each combination of values that occurs, in order; by nothing: one of all."""
        submitted = Counter(_keys(self._submitted, by))
        states = Counter(zip(_keys(self._begun, by), _values(self._begun), strict=True))
        begun: Counter[Key] = Counter()
        for (key, _), count in states.items():
            begun[key] += count
        lasting = self._lasting + self._open if "month" in by else self._open
        response, solution, solution_without_waiting, waiting, lifetime, open_ = (
            _grouped(facts, by)
            for facts in (
                self._response, self._solution, self._solution_without_waiting,
                self._waiting, self._lifetime, lasting,
            )
        )  # fmt: skip
        keys = {*submitted, *begun, *solution, *waiting, *lifetime, *open_}
        found = []
        for key in sorted(keys) if by else [_ALL]:
            met = states[key, "met"]
            all_figures = LevelFigures(
                submitted=submitted[key],
                stays=begun[key],
                response=figures(response.get(key, ())),
                response_met=share(met, met + states[key, "violated"]),
                solution=figures(solution.get(key, ())),
                solution_without_waiting=figures(solution_without_waiting.get(key, ())),
                waiting=figures(waiting.get(key, ())),
                lifetime=figures(lifetime.get(key, ())),
                open=figures(open_.get(key, ())),
            )
            values = (key,) if isinstance(key, str) else key
            found.append(Group(dict(zip(by, values, strict=True)), all_figures))
        return found


def _keys(facts: Facts, by: Sequence[Dimension]) -> Iterable[Key]:
    columns = [facts[DIMENSIONS.index(dimension) :: _WIDTH] for dimension in by]
    match columns:
        case []:
            return repeat(_ALL, len(facts) // _WIDTH)
        case [column]:
            return column
        case _:
            return zip(*columns, strict=True)


def _values(facts: Facts) -> list[Any]:
    return facts[_WIDTH - 1 :: _WIDTH]


def _grouped(facts: Facts, by: Sequence[Dimension]) -> dict[Key, list[int]]:
    if not by:
        return {_ALL: _values(facts)}
    groups: defaultdict[Key, list[int]] = defaultdict(list)
    for key, value in zip(_keys(facts, by), _values(facts), strict=True):
        groups[key].append(value)
    return groups
