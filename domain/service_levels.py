"""How well a ticket was served: a pure function of its spells, a policy, calendars and an instant.

Nothing here is a fact of the ticket. Another policy gives another verdict on the same history, and a
verdict as of an instant uses only what had happened by then.

The words: a *stay* is a period in which one unit holds an open ticket. It begins when the ticket is
assigned, or reopened, and ends when it goes to another unit, is assigned anew, is reopened, or is done
(solved, unsolved, or at once verified or closed, as in some foreign histories). A unit that gets a
ticket back has two stays; one that was only passed through, for no time at all, has none; who receives
a ticket that is already done has none either.

Instants are whole seconds since 1970, because hundreds of thousands of them are compared; durations
that end in ``_s`` are seconds of working time unless they say otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final, Literal, NamedTuple

from msgspec import Struct

from domain.calendars import Calendar
from domain.durations import HOUR_S
from domain.service_policy import PRIORITIES, ServicePolicy

TERMINAL: Final = frozenset({"solved", "unsolved", "verified", "closed"})
RESTARTING: Final = frozenset({"assigned", "reopened"})
"""Entering one of these from work begins a new stay, even of the same unit."""
WAITING: Final = "waiting for reply"

State = Literal["unmeasured", "running", "warning", "violated", "met"]
"""Of a response. ``unmeasured``: the stay began in a status that needs no response. ``violated`` also
while an overdue response is still open."""


class CalendarMissing(ValueError):
    """The policy names a calendar that was not given."""

    code: ClassVar[str] = "calendar-missing"


class PriorityUnknown(ValueError):
    """No service level says how fast a ticket of this priority is answered."""

    code: ClassVar[str] = "priority-unknown"


class Spell(NamedTuple):
    """A period in which nothing about the ticket changed; in order, each beginning where one ended."""

    status: str
    unit: str
    """Empty while nobody is responsible."""
    priority: str
    from_at: int
    to_at: int | None
    """``None``: it lasts."""


Spells = Iterable[tuple[str, str, str, int, int | None]]
"""A history in order: of ``Spell``, or of bare tuples, which a report over all tickets makes faster."""


class Stay(Struct, gc=False):
    """What the history says, before any clock is read."""

    unit: str
    from_at: int
    awaited: bool
    """A response was due: the stay began in a status that waits for one."""
    answered_at: int | None = None
    """First status that is no waiting for a response, or given away before that."""
    to_at: int | None = None
    """``None``: the unit still holds the ticket."""
    solved: bool = False
    waits: tuple[tuple[int, int], ...] = ()
    """Slots of ``waiting for reply``."""


class StayVerdict(Struct, frozen=True, gc=False):
    """The service levels of one stay. Durations in working seconds of the unit's calendar."""

    unit: str
    level: str
    from_at: int
    to_at: int | None
    state: State
    allowed_s: int
    """The longest response, by the level of the unit and the ticket's original priority."""
    response_s: int | None
    """So far, while the response is open; ``None`` when unmeasured."""
    answered_at: int | None
    warns_at: int | None
    """While the response is open: when the unit is warned, ..."""
    due_at: int | None
    """... and the last working instant at which an answer is in time."""
    solved: bool
    held_s: int
    """From assignment to the end of the stay, or so far."""
    waiting_s: int
    """The part of ``held_s`` in which the submitter's reply was awaited."""


class TicketVerdict(Struct, frozen=True, gc=False):
    """The service levels of one ticket as of an instant. Durations here are calendar time."""

    basis: str
    """Name and version of the policy and of the calendars that were used."""
    as_of: int
    submitted_at: int | None
    """``None``: it did not exist yet."""
    solved_at: int | None
    """When it was done last; ``None`` while open, and when it was never seen open (imports)."""
    lifetime_s: int | None
    """From submission to ``solved_at``."""
    waiting_s: int
    """Sum of all slots of waiting for the submitter's reply."""
    stays: tuple[StayVerdict, ...]


class Story(NamedTuple):
    """A ticket's spells, read once: its stays and what concerns the ticket as a whole."""

    stays: list[Stay]
    submitted_at: int | None
    solved_at: int | None
    waiting_s: int
    horizon: int
    """Where open clocks are read: ``as_of``, or the end of the last spell if that is earlier."""


class Terms(NamedTuple):
    """What the policy says of one unit, looked up once."""

    level: str
    allowed_s: dict[str, int]
    calendar: Calendar


class ServiceLevels:
    """A policy with its calendars (by name), ready to judge any number of tickets.

    Raises ``CalendarMissing``; while judging ``PriorityUnknown`` and ``OutsideCalendar``.
    """

    def __init__(self, policy: ServicePolicy, calendars: Mapping[str, Calendar]) -> None:
        if missing := policy.calendars() - calendars.keys():
            raise CalendarMissing(f"policy {policy.name} {policy.version} needs {sorted(missing)}")
        used = (f"{name}@{calendars[name].version}" for name in sorted(policy.calendars()))
        self.policy = policy
        self.calendars = dict(calendars)
        self.basis = " ".join((f"{policy.name}@{policy.version}", *used))
        self._awaiting = frozenset(policy.awaiting)
        self._terms: dict[str, Terms] = {}

    def verdict(self, spells: Spells, priority: str, as_of: int) -> TicketVerdict:
        """Judge one ticket. ``priority`` is the original one, at submission."""
        stays, submitted_at, solved_at, waiting_s, horizon = self.story(spells, as_of)
        return TicketVerdict(
            self.basis,
            as_of,
            submitted_at,
            solved_at,
            None if solved_at is None or submitted_at is None else solved_at - submitted_at,
            waiting_s,
            tuple([self._judged(stay, priority, horizon) for stay in stays]),
        )

    # One pass in one function: a call per spell would double the time of a report over all tickets.
    def story(self, spells: Spells, as_of: int) -> Story:  # noqa: C901, PLR0912
        """Cut the history into stays. Everything after ``as_of`` is unknown."""
        awaiting = self._awaiting
        stays: list[Stay] = []
        stay: Stay | None = None
        submitted_at = solved_at = None
        waiting_s = horizon = 0
        last_status, last_at = "", 0
        for status, unit, _, from_at, to_at in spells:
            if from_at > as_of:
                break
            assert from_at >= last_at, "spells are in order"
            horizon = as_of if to_at is None or to_at > as_of else to_at
            if submitted_at is None:
                submitted_at = from_at
            if status in TERMINAL:
                if stay is not None:
                    _end(stay, from_at)
                    stay.solved = True
                    stay = None
                if last_status not in TERMINAL and last_status:
                    solved_at = from_at
            else:
                solved_at = None
                if stay is not None:
                    open_response = stay.awaited and stay.answered_at is None
                    restarts = status in RESTARTING and status != last_status and not open_response
                    if unit != stay.unit or restarts:
                        _end(stay, from_at)
                        if stay.from_at == from_at:
                            stays.pop()  # passed through
                        stay = None
                    elif open_response and status not in awaiting:
                        stay.answered_at = from_at
                if stay is None and unit:
                    stay = Stay(unit, from_at, status in awaiting)
                    stays.append(stay)
                if status == WAITING:
                    waiting_s += horizon - from_at
                    if stay is not None:
                        stay.waits += ((from_at, horizon),)
            last_status, last_at = status, from_at
        return Story(stays, submitted_at, solved_at, waiting_s, horizon)

    def terms(self, unit: str) -> Terms:
        """Level, longest response in seconds for each priority, and calendar of a unit."""
        terms = self._terms.get(unit)
        if terms is None:
            level = self.policy.level(unit)
            hours = self.policy.response_h[level]
            allowed_s = {priority: count * HOUR_S for priority, count in hours.items()}
            terms = Terms(level, allowed_s, self.calendars[self.policy.calendar(unit)])
            self._terms[unit] = terms
        return terms

    def allowed_s(self, unit: str, priority: str) -> int:
        """The longest response of a unit to tickets of this original priority."""
        try:
            return self.terms(unit).allowed_s[priority]
        except KeyError:
            raise PriorityUnknown(f"{priority!r} is none of {', '.join(PRIORITIES)}") from None

    def colour_calendar(self, unit: str) -> Calendar:
        return self.calendars[self.policy.colour_calendar or self.policy.calendar(unit)]

    def _judged(self, stay: Stay, priority: str, horizon: int) -> StayVerdict:
        level, hours_s, calendar = self._terms.get(stay.unit) or self.terms(stay.unit)
        allowed_s = hours_s.get(priority) or self.allowed_s(stay.unit, priority)
        working = calendar.at_epoch
        begun_at, answered_at, to_at = stay.from_at, stay.answered_at, stay.to_at
        begun = working(begun_at)
        held_s = working(horizon if to_at is None else to_at) - begun
        response_s = warns_at = due_at = None
        state: State = "unmeasured"
        if answered_at is not None:
            response_s = held_s if answered_at == to_at else working(answered_at) - begun
            state = "met" if response_s <= allowed_s else "violated"
        elif stay.awaited:
            response_s = held_s
            warn_s = -(-allowed_s * self.policy.warn_at_percent // 100)
            warns_at = calendar.add_epoch(begun_at, warn_s)
            due_at = calendar.add_epoch(begun_at, allowed_s)
            if response_s > allowed_s:
                state = "violated"
            else:
                state = "warning" if response_s >= warn_s else "running"
        waiting_s = 0
        for from_at, until in stay.waits:
            waiting_s += working(until) - working(from_at)
        return StayVerdict(
            stay.unit, level, begun_at, to_at,
            state, allowed_s, response_s, answered_at, warns_at, due_at,
            stay.solved, held_s, waiting_s,
        )  # fmt: skip


def _end(stay: Stay, at: int) -> None:
    stay.to_at = at
    if stay.awaited and stay.answered_at is None:
        stay.answered_at = at
