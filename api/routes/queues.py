"""Queues: what waits for a unit or a person, now or as of any moment."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api import moments
from api.dependencies import After, AsOfText, Cursor, Limit, NameQuery, Reader, answer
from api.documentation import answers
from api.pagination import Listing, listing
from domain.lifecycle import OPEN, Status
from domain.vocabulary import Priority
from projections.queues import QueueCount, QueueRow, queue, queue_counts

router = APIRouter(tags=["queues"])


@router.get("/queues", summary="Count what waits", responses=answers(list[QueueCount]))
async def counts(visit: Reader, as_of: AsOfText = None, after: After = None) -> Response:
    """Open tickets by unit and status."""
    visit.require_reading_all()
    moment = moments.as_of(as_of)
    return answer(await visit.ask(lambda connection: queue_counts(connection, as_of=moment), after))


@router.get("/queue", summary="Read a queue", responses=answers(Listing[QueueRow]))
async def rows(
    visit: Reader,
    unit: NameQuery = None,
    person: Annotated[UUID | None, Query(description="Who has taken the tickets.")] = None,
    status: Annotated[list[Status] | None, Query(max_length=10)] = None,
    priority: Priority | None = None,
    vo: NameQuery = None,
    site: NameQuery = None,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Most urgent first, then what waits longest. Open tickets, unless statuses are named."""
    visit.require_reading_all()
    moment = moments.as_of(as_of)
    page = await visit.ask(
        lambda connection: queue(
            connection,
            unit=unit,
            person=person,
            statuses=status or OPEN,
            priority=priority.value if priority else None,
            vo=vo,
            site=site,
            as_of=moment,
            cursor=cursor,
            limit=limit,
        ),
        after,
    )
    return listing(visit.request, page)
