"""Reading tickets: one as of any moment, its timeline, and lists."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, Field

from api import moments
from api.dependencies import Number, Reader, answer
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
from api.readable import must_be_readable
from api.views import TicketInFull
from domain.vocabulary import Priority, TicketType
from projections import timeline as timelines
from projections.ticket_page import TicketFilter, TicketView, tickets
from projections.timeline_entries import Entry

router = APIRouter(prefix="/tickets", tags=["tickets"], route_class=DirectRoute)


class OneTicket(Question):
    as_of: AsOfText = None
    version: Annotated[int | None, Field(ge=1, le=1_000_000)] = None


class ManyTickets(Question):
    status: Statuses = None
    unit: Name = None
    site: Name = None
    vo: Name = None
    priority: Priority | None = None
    type: TicketType | None = None
    category: Name = None
    assignee: UUID | None = None
    submitter: UUID | None = None
    external_id: Annotated[
        str | None,
        Field(
            max_length=200,
            pattern=r"^[^\x00-\x1f]+$",
            description="The ticket's identifier or reference at a partner, present or former.",
        ),
    ] = None
    helpdesk: Annotated[
        str | None,
        Field(max_length=100, pattern=r"^\w+$", description="Whose `external_id` it is."),
    ] = None
    opened_from: AwareDatetime | None = None
    opened_until: AwareDatetime | None = None
    after: After = None
    cursor: Cursor = None
    limit: Limit = 50


class WhatHappened(Question):
    as_of: AsOfText = None
    after: After = None
    cursor: Cursor = None
    limit: Limit = 200


@router.get(
    "/{number}",
    summary="Read a ticket",
    responses=answers(TicketInFull),
    openapi_extra=parameters(OneTicket),
)
async def ticket(
    number: Number, visit: Reader, ask: Annotated[OneTicket, Depends(asked(OneTicket))]
) -> Response:
    """As it is now, or as it was at a time, a position of the log or a version."""
    view = await visit.services.tickets.read(
        visit.actor, number, as_of=moments.as_of(ask.as_of), version=ask.version
    )
    return answer(view, visit.services.tags.etag(view.version, number))


@router.get(
    "",
    summary="List tickets",
    responses=answers(Listing[TicketView]),
    openapi_extra=parameters(ManyTickets),
)
async def list_(
    visit: Reader, ask: Annotated[ManyTickets, Depends(asked(ManyTickets))]
) -> Response:
    """Newest first. Who is not support staff sees the own tickets."""
    chosen = TicketFilter(
        statuses=ask.status,
        unit=ask.unit,
        site=ask.site,
        vo=ask.vo,
        priority=ask.priority.value if ask.priority else None,
        type=ask.type.value if ask.type else None,
        category=ask.category,
        assignee=ask.assignee,
        submitter=ask.submitter if visit.reads_all else visit.caller.person,
        external_id=ask.external_id,
        helpdesk=ask.helpdesk,
        opened_from=ask.opened_from,
        opened_until=ask.opened_until,
    )
    page = await visit.ask(
        lambda connection: tickets(connection, chosen, cursor=ask.cursor, limit=ask.limit),
        ask.after,
    )
    return listing(visit.request, page)


@router.get(
    "/{number}/timeline",
    summary="What happened",
    responses=answers(Listing[Entry]),
    openapi_extra=parameters(WhatHappened),
)
async def timeline(
    number: Number, visit: Reader, ask: Annotated[WhatHappened, Depends(asked(WhatHappened))]
) -> Response:
    """Events of the ticket and of its exchanges, oldest first; internal entries for support staff only."""
    moment = moments.as_of(ask.as_of)
    if not visit.reads_all:
        await must_be_readable(visit.services, visit.actor, number)
    page = await visit.ask(
        lambda connection: timelines.timeline(
            connection,
            number,
            as_of=moment,
            internal=visit.reads_internal,
            cursor=ask.cursor,
            limit=ask.limit,
        ),
        ask.after,
    )
    return listing(visit.request, page)
