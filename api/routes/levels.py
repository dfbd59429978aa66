"""Service levels: statistics of a time frame, and the verdict on one ticket with its reasons."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from api import levels, moments
from api.dependencies import After, AsOfText, Number, Reader
from api.direct import DirectRoute
from api.documentation import answers
from domain.errors import Invalid
from domain.rights import Right
from domain.vocabulary import Priority, TicketType
from projections.level_figures import Dimension
from projections.level_reading import Filters
from projections.levels import Report, TicketLevels, as_bytes

router = APIRouter(tags=["levels"], route_class=DirectRoute)

Names = Annotated[
    list[Annotated[str, Query(max_length=100, pattern=r"^[^\x00-\x1f]+$")]] | None,
    Query(max_length=50),
]
Position = Annotated[
    int | None,
    Query(ge=1, le=moments.POSITION_MAX, description="What was recorded later is unknown."),
]
Policy = Annotated[
    str | None, Query(max_length=200, description="A name, or one version of it: `ggus@2`.")
]
Calendars = Annotated[
    list[Annotated[str, Query(max_length=200)]] | None,
    Query(max_length=50, description="One version of a calendar that is to count: `office@2026`."),
]


@router.get("/levels", summary="Service level statistics", responses=answers(Report))
async def statistics(
    visit: Reader,
    begin: Annotated[
        AwareDatetime | None, Query(description="A year before `end`, if not given.")
    ] = None,
    end: Annotated[
        AwareDatetime | None, Query(description="Exclusive; the instant of asking, if not given.")
    ] = None,
    by: Annotated[
        list[Dimension] | None, Query(max_length=2, description="One table, grouped by one or two.")
    ] = None,
    unit: Names = None,
    site: Names = None,
    vo: Names = None,
    priority: Annotated[list[Priority] | None, Query(max_length=4)] = None,
    type: Annotated[list[TicketType] | None, Query(max_length=5)] = None,  # noqa: A002 - public name
    category: Names = None,
    as_of: AsOfText = None,
    position: Position = None,
    policy: Policy = None,
    calendar: Calendars = None,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - public name
    header: Annotated[bool, Query(description="Whether CSV begins with a line of names.")] = True,
    after: After = None,
) -> Response:
    """Responses, solutions, waiting and life times, in total and by group, judged by the policy in force.

    The answer names all it depends on. `Content-Location` has the request that gives the same bytes for ever.
    """
    visit.require(Right.READ_STATISTICS)
    if by is not None and len(set(by)) < len(by):
        raise Invalid("by: the same twice")
    await _included(visit, after if after is not None else position)
    found = await levels.report(
        visit.services,
        levels.Basis(moments.as_of(as_of), position, policy or "", tuple(calendar or ())),
        begin=begin,
        end=end,
        by=[by] if by else (),
        filters=Filters(
            units=tuple(unit or ()), sites=tuple(site or ()), vos=tuple(vo or ()),
            priorities=tuple(each.value for each in priority or ()),
            types=tuple(each.value for each in type or ()), categories=tuple(category or ()),
        ),
    )  # fmt: skip
    again = levels.again(found)
    if format == "csv":
        again += [("format", "csv"), *([] if header else [("header", "false")])]
        body, media_type = levels.as_csv(found, header=header).encode(), "text/csv; charset=utf-8"
    else:
        body, media_type = as_bytes(found), "application/json"
    location = f"{visit.request.url.path}?{urlencode(again)}"
    return Response(body, 200, {"Content-Location": location}, media_type)


@router.get(
    "/tickets/{number}/levels",
    summary="The service levels of a ticket",
    responses=answers(TicketLevels),
)
async def ticket(
    number: Number,
    visit: Reader,
    as_of: AsOfText = None,
    position: Position = None,
    policy: Policy = None,
    calendar: Calendars = None,
    after: After = None,
) -> Response:
    """The verdict on every stay, the colour, and each clock segment with the reason why it counts or not."""
    await visit.services.tickets.read(visit.actor, number)
    await _included(visit, after if after is not None else position)
    found = await levels.explained(
        visit.services,
        number,
        levels.Basis(moments.as_of(as_of), position, policy or "", tuple(calendar or ())),
    )
    return Response(as_bytes(found), 200, media_type="application/json")


async def _included(visit: Reader, position: int | None) -> None:
    async def nothing(_: object) -> None:
        """Only the waiting matters."""

    if position is not None:
        await visit.ask(nothing, position)
