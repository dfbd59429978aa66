"""The site view: every ticket of a site, NGI or VO in a time frame, as coloured segments and as a table."""

from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response
from msgspec import Struct

from api.web.pages.moments import first_and_last, midnight
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import page
from domain.errors import Invalid
from domain.lifecycle import Status
from domain.rights import Right, require
from projections import directory, sites
from projections.paging import Page

router = page_router()

_FRAME_MAX: Final = timedelta(days=3700)
_SEGMENTS_MAX: Final = 10_000
_TABLE_ROWS: Final = 200
Word = Annotated[str, Query(max_length=100)]


class Frame(Struct, frozen=True):
    """Of whom, from when, until when."""

    kind: str
    name: str
    begin: datetime
    end: datetime


def _frame(site: str, ngi: str, vo: str, begin: str, end: str) -> Frame:
    named = [
        (kind, name.strip())
        for kind, name in (("site", site), ("ngi", ngi), ("vo", vo))
        if name.strip()
    ]
    if len(named) > 1:
        raise Invalid("name one of site, NGI and VO")
    first, last = first_and_last(begin, end)
    if last - first > _FRAME_MAX:
        raise Invalid("the time frame is longer than ten years")
    kind, name = named[0] if named else ("", "")
    return Frame(kind, name, midnight(first), midnight(last + timedelta(days=1)))


async def _segments(request: Request, frame: Frame, cursor: str, limit: int) -> Page[Any]:
    which = {frame.kind: frame.name}
    return await services_of(request).ask(
        lambda connection: sites.segments(
            connection,
            **which,
            begin=frame.begin,
            end=frame.end,
            cursor=cursor or None,
            limit=limit,
        )
    )


@router.get("/site-view")
async def site_view(
    request: Request, caller: Reader, site: Word = "", ngi: Word = "", vo: Word = "",
    begin: Word = "", end: Word = "", cursor: Annotated[str, Query(max_length=400)] = "",
) -> Response:  # fmt: skip
    require(caller.actor, Right.READ_STATISTICS)
    refused = ""
    try:
        frame = _frame(site, ngi, vo, begin, end)
    except Invalid as error:
        refused, frame = str(error), _frame("", "", "", "", "")
    found = await _segments(request, frame, cursor, _TABLE_ROWS) if frame.name else Page([], None)
    known = await services_of(request).ask(
        lambda connection: directory.sites(connection, limit=200)
    )
    first, last = frame.begin.date(), (frame.end - timedelta(days=1)).date()
    asked = {frame.kind: frame.name, "begin": str(first), "end": str(last)} if frame.name else {}
    values = {
        "name": frame.name, "site": site, "ngi": ngi, "vo": vo, "begin": str(first), "end": str(last),
        "refused": refused, "statuses": [status.value for status in Status],
        "sites": [each.name for each in known.items],
        "segments": found.items, "more": found.next, "table": bool(cursor),
        "data_address": f"/site-view.json?{urlencode(asked)}",
        "table_next": f"/site-view?{urlencode(asked | {'cursor': found.next or ''})}#timeline",
    }  # fmt: skip
    return page(request, "site_view.html", values, status=422 if refused else 200)


@router.get("/site-view.json")
async def site_view_data(
    request: Request,
    caller: Reader,
    site: Word = "",
    ngi: Word = "",
    vo: Word = "",
    begin: Word = "",
    end: Word = "",
) -> Response:
    """What ``site-timeline.js`` draws. At most 10,000 segments; the table pages through all."""
    require(caller.actor, Right.READ_STATISTICS)
    frame = _frame(site, ngi, vo, begin, end)
    found = await _segments(request, frame, "", _SEGMENTS_MAX)
    lanes = []
    for number, group in groupby(found.items, attrgetter("number")):
        segments = list(group)
        lanes.append({
            "number": number, "subject": segments[-1].subject or "", "priority": segments[-1].priority,
            "segments": [
                (_seconds(each.from_at), _seconds(each.to_at or frame.end), each.status, each.unit) for each in segments
            ],
        })  # fmt: skip
    body = {
        "begin": _seconds(frame.begin),
        "end": _seconds(frame.end),
        "lanes": lanes,
        "complete": found.next is None,
    }
    return Response(
        msgspec.json.encode(body),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
