"""Queues: what waits for a unit or a person, now or as of any moment."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api import moments
from api.dependencies import Reader, answer
from api.direct import DirectRoute
from api.documentation import answers
from api.pagination import Listing, listing
from api.questions import (
    After,
    AsOfText,
    Cursor,
    Limit,
    Name,
    Question,
    Statuses,
    asked,
    parameters,
)
from domain.lifecycle import OPEN
from domain.vocabulary import Priority
from projections.queues import QueueCount, QueueRow, queue, queue_counts

router = APIRouter(tags=["queues"], route_class=DirectRoute)


class OneQueue(Question):
    unit: Name = None
    person: Annotated[UUID | None, Field(description="Who has taken the tickets.")] = None
    status: Statuses = None
    priority: Priority | None = None
    vo: Name = None
    site: Name = None
    as_of: AsOfText = None
    after: After = None
    cursor: Cursor = None
    limit: Limit = 50


class AllQueues(Question):
    as_of: AsOfText = None
    after: After = None


@router.get(
    "/queue",
    summary="Read a queue",
    responses=answers(Listing[QueueRow]),
    openapi_extra=parameters(OneQueue),
)
async def rows(visit: Reader, ask: Annotated[OneQueue, Depends(asked(OneQueue))]) -> Response:
    """Most urgent first, then what waits longest. Open tickets, unless statuses are named."""
    visit.require_reading_all()
    moment = moments.as_of(ask.as_of)
    page = await visit.ask(
        lambda connection: queue(
            connection,
            unit=ask.unit,
            person=ask.person,
            statuses=ask.status or OPEN,
            priority=ask.priority.value if ask.priority else None,
            vo=ask.vo,
            site=ask.site,
            as_of=moment,
            cursor=ask.cursor,
            limit=ask.limit,
        ),
        ask.after,
    )
    return listing(visit.request, page)


@router.get(
    "/queues",
    summary="Count what waits",
    responses=answers(list[QueueCount]),
    openapi_extra=parameters(AllQueues),
)
async def counts(visit: Reader, ask: Annotated[AllQueues, Depends(asked(AllQueues))]) -> Response:
    """Open tickets by unit and status."""
    visit.require_reading_all()
    moment = moments.as_of(ask.as_of)
    return answer(
        await visit.ask(lambda connection: queue_counts(connection, as_of=moment), ask.after)
    )
