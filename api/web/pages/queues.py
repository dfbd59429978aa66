"""The queue pages: what waits for whom, live or as of a moment."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Request
from fastapi.responses import Response

from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import address, page, page_or_part
from domain.errors import Invalid, UnknownValue
from domain.lifecycle import OPEN, Status
from domain.rights import Right, require
from domain.vocabulary import Priority
from projections import queues

router = page_router()

_STATUSES = [status.value for status in Status if status in OPEN]
_PRIORITIES = [priority.value for priority in reversed(Priority)]
_ROWS = 50

Word = Annotated[str, Query(max_length=100)]


@router.get("/queues")
async def all_queues(request: Request, caller: Reader) -> Response:
    """Every unit with what it has to do."""
    require(caller.actor, Right.READ_STATISTICS)
    counts = await services_of(request).ask(queues.queue_counts)
    units: dict[str, dict[str, int]] = {}
    for each in counts:
        units.setdefault(each.unit, {})[each.status] = each.tickets
    return page(
        request, "queues.html", {"units": dict(sorted(units.items())), "statuses": _STATUSES}
    )


@router.get("/queues/{unit}")
async def one_queue(  # a page has as many parameters as its form has fields
    request: Request,
    caller: Reader,
    unit: str,
    status: Word = "",
    priority: Word = "",
    vo: Word = "",
    as_of: Word = "",
    cursor: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    require(caller.actor, Right.READ_STATISTICS)
    chosen = {"status": status, "priority": priority, "vo": vo, "as_of": as_of}
    found = await services_of(request).ask(
        lambda connection: queues.queue(
            connection,
            unit=unit,
            statuses=_chosen(status),
            priority=priority or None,
            vo=vo or None,
            as_of=_instant(as_of),
            cursor=cursor or None,
            limit=_ROWS,
        )
    )
    base = f"/queues/{quote(unit, safe='')}"
    values = {
        "unit": unit, "page": found, "statuses": _STATUSES, "priorities": _PRIORITIES,
        "address": address(base, **chosen, cursor=cursor),
        "next_address": address(base, **chosen, cursor=found.next or ""),
        **chosen,
    }  # fmt: skip
    return page_or_part(request, "queue", values)


def _chosen(status: str) -> frozenset[Status]:
    if not status:
        return OPEN
    if status not in _STATUSES:
        raise UnknownValue("status", status, _STATUSES)
    return frozenset({Status(status)})


def _instant(text: str) -> datetime | None:
    """What a ``datetime-local`` field sends, meant as UTC (the label says so)."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"{text!r} is not a time such as 2026-05-26T14:00") from None
