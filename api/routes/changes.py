"""What became different between two moments."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from api import moments
from api.dependencies import Number, Reader, answer
from api.differences import QueueChanges, TicketChanges, queue_changes, ticket_changes
from api.direct import DirectRoute
from api.documentation import answers
from api.questions import After, AsOfText, Question, asked, parameters

router = APIRouter(route_class=DirectRoute)


class Between(Question):
    since: Annotated[
        str,
        Field(
            min_length=1,
            max_length=60,
            description="An instant with a zone (as things happened) or a position of the log (as recorded).",
            examples=["1"],
        ),
    ]
    until: AsOfText = None
    after: After = None


class BetweenInQueue(Between):
    unit: Annotated[
        str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$", examples=["NGI_DE"])
    ]


@router.get(
    "/tickets/{number}/changes",
    summary="Compare a ticket with what it was",
    tags=["tickets"],
    responses=answers(TicketChanges),
    openapi_extra=parameters(Between),
)
async def of_ticket(
    number: Number, visit: Reader, ask: Annotated[Between, Depends(asked(Between))]
) -> Response:
    """Field by field, from one moment to another or to now. What happened in between stands in the timeline."""
    since, until = moments.as_of(ask.since), moments.as_of(ask.until)
    await visit.reached(ask.after)
    return answer(await ticket_changes(visit.services, visit.actor, number, since or 0, until))


@router.get(
    "/queue/changes",
    summary="Compare a queue with what it was",
    tags=["queues"],
    responses=answers(QueueChanges),
    openapi_extra=parameters(BetweenInQueue),
)
async def of_queue(
    visit: Reader, ask: Annotated[BetweenInQueue, Depends(asked(BetweenInQueue))]
) -> Response:
    """What came to the queue of a unit, what went, and what changed in it. At most 2,000 tickets at each moment."""
    visit.require_reading_all()
    since, until = moments.as_of(ask.since), moments.as_of(ask.until)
    await visit.reached(ask.after)
    return answer(await queue_changes(visit.services, ask.unit, since or 0, until))
