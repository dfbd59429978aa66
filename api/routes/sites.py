"""The site view: what every ticket of a site, NGI or VO went through in a time frame."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from api.dependencies import After, Cursor, NameQuery, Reader
from api.direct import DirectRoute
from api.documentation import answers
from api.pagination import Listing, listing
from domain.errors import Invalid
from projections.sites import SEGMENTS_MAX, Segment, segments

router = APIRouter(tags=["sites"], route_class=DirectRoute)

FRAME_MAX: Final = timedelta(days=400)


@router.get("/segments", summary="The site view", responses=answers(Listing[Segment]))
async def site_view(
    visit: Reader,
    begin: Annotated[AwareDatetime, Query(examples=["2026-11-01T00:00:00Z"])],
    end: Annotated[
        AwareDatetime,
        Query(
            description="Exclusive; at most 400 days after begin.",
            examples=["2026-12-01T00:00:00+01:00"],
        ),
    ],
    site: Annotated[NameQuery, Query(examples=["EXAMPLE-T2"])] = None,
    ngi: NameQuery = None,
    vo: NameQuery = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=SEGMENTS_MAX)] = 1_000,
) -> Response:
    """Segments of equal status, unit and priority, by ticket and time. Name a site, an NGI or a VO."""
    visit.require_reading_all()
    _must_be_frame(begin, end)
    page = await visit.ask(
        lambda connection: segments(
            connection, site=site, ngi=ngi, vo=vo, begin=begin, end=end, cursor=cursor, limit=limit
        ),
        after,
    )
    return listing(visit.request, page)


def _must_be_frame(begin: datetime, end: datetime) -> None:
    if not timedelta() < end - begin <= FRAME_MAX:
        raise Invalid(f"end must be after begin, and at most {FRAME_MAX.days} days")
