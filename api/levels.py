"""Asking for service levels: what the route, the command line and the pages share."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct

from api.bootstrap import Services
from domain import clock
from domain.calendars import OutsideCalendar
from domain.errors import Invalid, NotFound
from domain.figures import Figures, Share
from domain.ledger import AsOf
from domain.publications import DEFAULT_POLICY, InForce, in_force
from domain.service_levels import CalendarMissing, PriorityUnknown
from projections.level_figures import Dimension
from projections.level_reading import Filters
from projections.levels import Report, TicketLevels, statistics, ticket_levels

FRAME: Final = timedelta(days=365)
"""Up to the instant of asking, where none is given."""
FRAME_MAX: Final = timedelta(days=20 * 366)


class Basis(Struct, frozen=True):
    """As of when to judge, and by what. Empty: as of now, by what is in force then."""

    as_of: AsOf | None = None
    position: int | None = None
    """Beside an instant: what was recorded later is unknown too."""
    policy: str = ""
    """A name, or a version that is to count whenever it was published: ``ggus@2``."""
    calendars: tuple[str, ...] = ()
    """Versions that are to count: ``office@2026``."""


async def report(
    services: Services,
    basis: Basis,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    by: Sequence[Sequence[Dimension]] = (),
    filters: Filters = Filters(),  # noqa: B008 - frozen
) -> Report:
    """Statistics of a time frame (``projections.levels``). Raises ``Invalid``, ``NotFound``, ``NotNow``."""
    now, position = await _moment(services, basis)
    end = _sensible(end or now)
    begin = _sensible(begin or end - FRAME)
    if not timedelta() < end - begin <= FRAME_MAX:
        raise Invalid("end must be after begin, and at most 20 years")
    rules = await _rules(services, basis, now, position)
    try:
        return await services.ask(
            lambda connection: statistics(
                connection, rules,
                begin=begin, end=end, as_of=now, position=position, by=by, filters=filters,
            )
        )  # fmt: skip
    except (OutsideCalendar, PriorityUnknown) as error:
        raise Invalid(str(error)) from error


async def explained(services: Services, number: int, basis: Basis) -> TicketLevels:
    """One ticket's verdict with its clocks. Raises ``TicketNotFound`` and what ``report`` raises."""
    now, position = await _moment(services, basis)
    rules = await _rules(services, basis, now, position)
    try:
        return await services.ask(
            lambda connection: ticket_levels(
                connection, rules, number, as_of=now, position=position
            )
        )
    except (OutsideCalendar, PriorityUnknown) as error:
        raise Invalid(str(error)) from error


def as_csv(asked: Report, *, header: bool = True) -> str:
    """The last table of a report, one line a group; amounts in seconds, shares in hundredths of a percent."""
    table = asked.tables[-1]
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow([*table.by, *_columns()])
    for group in table.groups:
        writer.writerow([*map(_harmless, group.group.values()), *_cells(group.figures)])
    return text.getvalue()


def again(asked: Report) -> list[tuple[str, str]]:
    """The parameters with which this report comes out the same for ever."""
    basis, by = asked.basis, asked.tables[-1].by
    filters = msgspec.structs.asdict(asked.filters)
    return [
        ("begin", _written(asked.begin)), ("end", _written(asked.end)),
        *(("by", dimension) for dimension in by),
        *((_SINGULAR[name], value) for name, values in filters.items() for value in values),
        ("as_of", _written(basis.as_of)), ("position", str(basis.as_of_position)),
        ("policy", f"{basis.policy.name}@{basis.policy.version}"),
        *(("calendar", f"{each.name}@{each.version}") for each in basis.calendars),
    ]  # fmt: skip


_SINGULAR: Final = {
    "units": "unit", "sites": "site", "vos": "vo",
    "priorities": "priority", "types": "type", "categories": "category",
}  # fmt: skip


async def _moment(services: Services, basis: Basis) -> tuple[datetime, int | None]:
    """The instant and the position as of which to judge. Of a position alone: when it was recorded."""
    if isinstance(basis.as_of, datetime):
        return _sensible(basis.as_of), basis.position
    position = basis.position if basis.as_of is None else basis.as_of
    if position is None:
        return _whole_second(clock.now()), None
    recorded = await services.store.log(position - 1, 1) if position > 0 else []
    if not recorded or recorded[0].position != position:
        raise Invalid(f"the log has no position {position} yet")
    return _whole_second(recorded[0].recorded_at), position


async def _rules(services: Services, basis: Basis, now: datetime, position: int | None) -> InForce:
    try:
        return await in_force(
            services.store, as_of=now, position=position,
            policy=basis.policy or DEFAULT_POLICY.name, calendars=basis.calendars,
        )  # fmt: skip
    except CalendarMissing as error:
        raise Invalid(str(error)) from error
    except NotFound as error:
        raise Invalid(f"{error} that is in force then") from error


def _sensible(instant: datetime) -> datetime:
    """Not so far away that nothing can be reckoned with it."""
    if not _YEARS[0] <= instant.year <= _YEARS[1]:
        raise Invalid(f"the year {instant.year} is too far away: {_YEARS[0]} to {_YEARS[1]}")
    return instant


_YEARS: Final = (1971, 9000)


def _whole_second(instant: datetime) -> datetime:
    """The next one, so that what has just happened is known."""
    whole = instant.replace(microsecond=0)
    return whole if whole == instant else whole + timedelta(seconds=1)


def _written(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _columns() -> Iterator[str]:
    for name, kind in _FIELDS:
        if kind is int:
            yield name
        else:
            yield from (f"{name}_{part}" for part in kind.__struct_fields__)


def _cells(figures: Any) -> Iterator[Any]:
    for name, kind in _FIELDS:
        value = getattr(figures, name)
        if kind is int:
            yield value
        else:
            yield from msgspec.structs.astuple(value)


_FIELDS: Final[tuple[tuple[str, Any], ...]] = (
    ("submitted", int), ("stays", int), ("response", Figures), ("response_met", Share),
    ("solution", Figures), ("solution_without_waiting", Figures), ("waiting", Figures),
    ("lifetime", Figures), ("open", Figures),
)  # fmt: skip


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins like this for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
