"""What was agreed: how fast a unit answers, when it is warned, which colour a waiting ticket gets.

Data, published as an event and named by its version in every verdict; the rules that read it are in
``service_levels``. Amounts are working hours, a working day has eight of them.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple, Self

import msgspec
from msgspec import Struct

PRIORITIES: Final = ("less urgent", "urgent", "very urgent", "top priority")

Hours = dict[str, int]
"""Priority to working hours."""
DEFAULT_CALENDAR: Final = "office"


class PolicyInvalid(ValueError):
    """The tables of a policy do not fit together; the message says where."""

    code: ClassVar[str] = "policy-invalid"


class Steps(NamedTuple):
    """Working hours after which a ticket turns yellow, amber and red; until then it is green."""

    yellow_h: int
    amber_h: int
    red_h: int


class ServicePolicy(Struct, frozen=True, kw_only=True):
    """One version of the agreement. Raises ``PolicyInvalid`` when a table is incomplete."""

    name: str
    version: str
    response_h: dict[str, Hours]
    """Service level to the longest response for each priority."""
    default_level: str
    """Of units that declared none."""
    level_of_unit: dict[str, str] = {}
    warn_at_percent: int = 75
    """Of the longest response: then the unit is warned."""
    awaiting: tuple[str, ...] = ("new", "assigned")
    """Statuses in which a unit has not answered yet. ``new`` counts only where a unit holds the ticket.
    A policy that also wants reopened tickets answered in time adds ``reopened``."""
    colours: dict[str, dict[str, Steps]]
    """Colour scheme to the steps for each priority."""
    default_scheme: str
    scheme_of_unit: dict[str, str] = {}
    default_calendar: str = DEFAULT_CALENDAR
    calendar_of_unit: dict[str, str] = {}
    """Unit to the name of its calendar: the time zone and holidays of the people who answer."""
    colour_calendar: str = ""
    """Name of one calendar for all colours; empty: each unit's own."""

    def __post_init__(self) -> None:
        _must_know(self.response_h, "service level", self.default_level, self.level_of_unit)
        _must_know(self.colours, "colour scheme", self.default_scheme, self.scheme_of_unit)
        for kind, tables in (("service level", self.response_h), ("colour scheme", self.colours)):
            for name, table in tables.items():
                if table.keys() != set(PRIORITIES):
                    raise PolicyInvalid(
                        f"{kind} {name!r} has {sorted(table)}, needed are {', '.join(PRIORITIES)}"
                    )
        for level, hours in self.response_h.items():
            if min(hours.values()) < 1:
                raise PolicyInvalid(f"service level {level!r}: a response takes at least an hour")
        for scheme, table in self.colours.items():
            for priority, (yellow_h, amber_h, red_h) in table.items():
                if not 0 < yellow_h <= amber_h <= red_h:
                    raise PolicyInvalid(f"colour scheme {scheme!r}: {priority} is not in order")
        if not 0 < self.warn_at_percent <= 100:
            raise PolicyInvalid(f"a warning at {self.warn_at_percent} % makes no sense")

    def level(self, unit: str) -> str:
        return self.level_of_unit.get(unit, self.default_level)

    def calendar(self, unit: str) -> str:
        """The name of the calendar that the unit works by."""
        return self.calendar_of_unit.get(unit, self.default_calendar)

    def calendars(self) -> frozenset[str]:
        """The names of all calendars that the policy needs."""
        named = {self.default_calendar, *self.calendar_of_unit.values(), self.colour_calendar}
        return frozenset(named - {""})

    def steps(self, unit: str, priority: str) -> Steps:
        """When the unit's tickets of this priority change colour."""
        return self.colours[self.scheme_of_unit.get(unit, self.default_scheme)][priority]

    def to_plain(self) -> dict[str, Any]:
        """Strings, numbers, lists and objects only."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of ``to_plain``."""
        try:
            return msgspec.convert(plain, cls)
        except msgspec.ValidationError as error:
            raise PolicyInvalid(str(error)) from error


def _must_know(
    tables: Mapping[str, object], kind: str, default: str, units: Hours | dict[str, str]
) -> None:
    for unit, name in {"units without their own": default, **units}.items():
        if name not in tables:
            raise PolicyInvalid(f"{unit}: there is no {kind} {name!r}, only {', '.join(tables)}")


# The tables below are those of GGUS: the quality of support levels, and the colours of its dashboards.


def _row(*values: Any) -> dict[str, Any]:
    return dict(zip(PRIORITIES, values, strict=True))


BASE: Final = "base"
MEDIUM: Final = "medium"
ADVANCED: Final = "advanced"
FIRST_LEVEL: Final = "first level"

RESPONSE_H: Final[dict[str, Hours]] = {
    #                 less urgent  urgent  very urgent  top priority
    BASE:        _row(40,          40,     40,          40),
    MEDIUM:      _row(40,          40,     8,           8),
    ADVANCED:    _row(40,          8,      8,           4),
    FIRST_LEVEL: _row(1,           1,      1,           1),
}  # fmt: skip

_WEEK: Final = Steps(20, 30, 40)
_DAY: Final = Steps(4, 6, 8)
_HALF_DAY: Final = Steps(2, 3, 4)

OTHER: Final = "other"
COLOURS: Final[dict[str, dict[str, Steps]]] = {
    #                        less urgent  urgent  very urgent          top priority
    "middleware base":     _row(_WEEK,    _WEEK,  _WEEK,               _WEEK),
    "middleware medium":   _row(_WEEK,    _WEEK,  _DAY,                _DAY),
    "middleware advanced": _row(_WEEK,    _DAY,   _DAY,                _HALF_DAY),
    OTHER:                 _row(_WEEK,    _WEEK,  Steps(16, 24, 32),   Steps(12, 18, 24)),
}  # fmt: skip


def ggus_policy(
    version: str,
    *,
    levels: Mapping[str, str] = {},
    middleware: frozenset[str] = frozenset(),
    calendars: Mapping[str, str] = {},
) -> ServicePolicy:
    """The agreement of the grid: unit to level, units with middleware colours, unit to calendar.

    First-level support (TPM) is a unit at level ``first level``.
    """
    schemes = {unit: f"middleware {levels.get(unit, BASE)}" for unit in sorted(middleware)}
    return ServicePolicy(
        name="ggus",
        version=version,
        response_h=RESPONSE_H,
        default_level=BASE,
        level_of_unit=dict(levels),
        colours=COLOURS,
        default_scheme=OTHER,
        scheme_of_unit=schemes,
        calendar_of_unit=dict(calendars),
    )
