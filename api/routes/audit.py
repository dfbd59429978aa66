"""The event log itself, as it is stored: for auditors and for programs that keep a copy."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Response
from msgspec import Struct

from api.dependencies import Auditor, answer
from api.direct import DirectRoute
from api.documentation import answers
from api.moments import POSITION_MAX
from api.pagination import next_link
from api.restoring import Loss, losses
from domain.identifiers import NUMBER_MAX, ticket_id
from domain.rights import Right

router = APIRouter(tags=["audit"], route_class=DirectRoute)

LOG: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE position > %b ORDER BY position LIMIT %b
"""
STREAM: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE originator_id = %b AND position > %b ORDER BY originator_version LIMIT %b
"""
_LIMIT_MAX: Final = 1_000


class LoggedEvent(Struct, frozen=True):
    position: int
    recorded_at: datetime
    event: dict[str, Any]
    """Exactly as it is stored; ``topic`` says what happened. Texts are not in events."""


class EventPage(Struct, frozen=True):
    items: list[LoggedEvent]
    last: int
    """Ask for what comes ``after`` this to follow the log."""
    next: str | None
    """Path and query of the next page; null when there is none yet."""


@router.get("/events", summary="Read the log", responses=answers(EventPage))
async def events(
    visit: Auditor,
    after: Annotated[int, Query(ge=0, le=POSITION_MAX)] = 0,
    ticket: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
    stream: Annotated[UUID | None, Query(description="Of anything, instead of a ticket.")] = None,
    limit: Annotated[int, Query(ge=1, le=_LIMIT_MAX)] = 100,
) -> Response:
    """In order of position. Without a stream there are no holes, but before an event `log.restored`."""
    visit.require(Right.AUDIT)
    chosen = ticket_id(ticket) if ticket is not None else stream
    store = visit.services.store
    rows = await (
        store.rows(LOG, [after, limit])
        if chosen is None
        else store.rows(STREAM, [chosen, after, limit])
    )
    last = rows[-1][0] if rows else after
    page = {
        "items": [
            {"position": position, "recorded_at": recorded_at, "event": msgspec.Raw(state)}
            for position, recorded_at, state in rows
        ],
        "last": last,
        "next": next_link(visit.request, after=last) if len(rows) == limit else None,
    }
    return answer(page)


class Losses(Struct, frozen=True):
    items: list[Loss]


@router.get("/losses", summary="What the log lost", responses=answers(Losses))
async def lost(visit: Auditor) -> Response:
    """When the log was restored without its last events, and which positions and numbers were left out because of it."""
    visit.require(Right.AUDIT)
    return answer(Losses(await losses(visit.services)))
