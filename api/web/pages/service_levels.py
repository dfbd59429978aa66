"""The service level page: how well tickets were served, as figures and as a chart, per unit, site, VO or month."""

from datetime import UTC, timedelta
from typing import Annotated, Final, get_args
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import Response
from msgspec import Struct

from api import levels
from api.web.pages.moments import first_and_last, midnight
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import page
from domain import clock
from domain.durations import format_working
from domain.errors import UnknownValue
from domain.figures import Figures, Share, rounded
from domain.rights import Right, require
from projections.level_figures import Dimension, Group
from projections.level_reading import Filters

router = page_router()

_DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
_BY_NAME: Final[dict[str, Dimension]] = {each: each for each in _DIMENSIONS}
_ROWS_MAX: Final = 200
"""A page shows so many groups; the CSV has all of them."""
_BARS_MAX: Final = 30
_BAR, _GAP, _LEFT, _WIDTH = 18, 6, 190, 760
Word = Annotated[str, Query(max_length=100)]


class Bar(Struct, frozen=True):
    """One line of the chart, in its pixels."""

    name: str
    y: int
    met: float
    missed: float
    text: str


@router.get("/levels")
async def service_levels(
    request: Request,
    caller: Reader,
    by: Word = "unit",
    begin: Word = "",
    end: Word = "",
    unit: Word = "",
    site: Word = "",
    vo: Word = "",
) -> Response:
    require(caller.actor, Right.READ_STATISTICS)
    dimension = _BY_NAME.get(by)
    if dimension is None:
        raise UnknownValue("by", by, _DIMENSIONS)
    first, last = first_and_last(begin, end)
    services = services_of(request)
    found = await levels.report(
        services,
        levels.Basis(None, None, "", ()),
        begin=midnight(first),
        end=min(midnight(last + timedelta(days=1)), clock.now().astimezone(UTC)),
        by=[[dimension]],
        filters=Filters(
            **{
                name: (value,)
                for name, value in (("units", unit), ("sites", site), ("vos", vo))
                if value
            }
        ),
    )
    total, groups = found.tables[0].groups[0], found.tables[1].groups
    values = {
        "by": by, "dimensions": _DIMENSIONS, "begin": str(first), "end": str(last), "unit": unit, "site": site, "vo": vo,
        "total": total, "groups": groups[:_ROWS_MAX], "left_out": max(len(groups) - _ROWS_MAX, 0),
        "basis": found.basis, "tickets": found.tickets,
        "bars": _bars(groups, dimension), "bars_width": _LEFT + _WIDTH + 190, "left": _LEFT, "bar": _BAR,
        "bars_height": min(len(groups), _BARS_MAX) * (_BAR + _GAP) + _GAP,
        "duration": _duration, "calendar": _calendar, "percent": _percent,
        "csv": f"/api/v1/levels?{urlencode([*levels.again(found), ('format', 'csv')])}",
    }  # fmt: skip
    return page(request, "levels.html", values)


def _bars(groups: list[Group], dimension: Dimension) -> list[Bar]:
    """Responses in time and late, for the groups with most of them."""
    measured = [group for group in groups if group.figures.response_met.measured]
    if dimension != "month":
        measured.sort(key=lambda group: -group.figures.response_met.measured)
    measured = measured[:_BARS_MAX]
    longest = max((group.figures.response_met.measured for group in measured), default=1)
    bars = []
    for place, group in enumerate(measured):
        met = group.figures.response_met
        unit = _WIDTH / longest
        bars.append(
            Bar(
                group.group[dimension] or "(none)",
                _GAP + place * (_BAR + _GAP),
                round(met.met * unit, 1),
                round((met.measured - met.met) * unit, 1),
                f"{met.met} of {met.measured} in time ({_percent(met)})",
            )
        )
    return bars


def _duration(figures: Figures, which: str = "average") -> str:
    """Working time to the minute: a day has eight hours."""
    seconds = figures.average_s if which == "average" else figures.median_s
    return "" if seconds is None else format_working(rounded(seconds, 60) * 60)


def _calendar(figures: Figures, which: str = "average") -> str:
    """Calendar time: a day has twenty-four hours."""
    seconds = figures.average_s if which == "average" else figures.median_s
    if seconds is None:
        return ""
    days, rest = divmod(seconds, 86_400)
    return f"{days}d {rest // 3600}h"


def _percent(share: Share) -> str:
    return "" if share.basis_points is None else f"{share.basis_points / 100:.1f} %"
