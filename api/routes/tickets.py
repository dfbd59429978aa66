"""Reading tickets: one as of any moment, and lists."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from api import moments
from api.dependencies import After, AsOfText, Cursor, Limit, NameQuery, Number, Reader, answer
from api.documentation import answers
from api.pagination import Listing, listing
from api.views import TicketInFull
from domain.lifecycle import Status
from domain.vocabulary import Priority, TicketType
from projections import timeline as timelines
from projections.ticket_page import TicketFilter, TicketView, tickets
from projections.timeline import Entry

router = APIRouter(prefix="/tickets", tags=["tickets"])


@router.get("", summary="List tickets", responses=answers(Listing[TicketView]))
async def list_(
    visit: Reader,
    status: Annotated[list[Status] | None, Query(max_length=10)] = None,
    unit: NameQuery = None,
    site: NameQuery = None,
    vo: NameQuery = None,
    priority: Priority | None = None,
    type: TicketType | None = None,  # noqa: A002 - the parameter's public name
    category: NameQuery = None,
    assignee: UUID | None = None,
    submitter: UUID | None = None,
    opened_from: AwareDatetime | None = None,
    opened_until: AwareDatetime | None = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Newest first. Who is not support staff sees the own tickets."""
    chosen = TicketFilter(
        statuses=status,
        unit=unit,
        site=site,
        vo=vo,
        priority=priority.value if priority else None,
        type=type.value if type else None,
        category=category,
        assignee=assignee,
        submitter=submitter if visit.reads_all else visit.caller.person,
        opened_from=opened_from,
        opened_until=opened_until,
    )
    page = await visit.ask(
        lambda connection: tickets(connection, chosen, cursor=cursor, limit=limit), after
    )
    return listing(visit.request, page)


@router.get("/{number}", summary="Read a ticket", responses=answers(TicketInFull))
async def ticket(
    number: Number,
    visit: Reader,
    as_of: AsOfText = None,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> Response:
    """As it is now, or as it was at a time, a position of the log or a version."""
    view = await visit.services.tickets.read(
        visit.actor, number, as_of=moments.as_of(as_of), version=version
    )
    return answer(view, {"ETag": f'"{view.version}"'})


@router.get("/{number}/timeline", summary="What happened", responses=answers(Listing[Entry]))
async def timeline(
    number: Number,
    visit: Reader,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> Response:
    """Events of the ticket and of its exchanges, oldest first; internal entries for support staff only."""
    moment = moments.as_of(as_of)
    await visit.services.tickets.read(visit.actor, number)  # refuses who may not read it
    page = await visit.ask(
        lambda connection: timelines.timeline(
            connection,
            number,
            as_of=moment,
            internal=visit.reads_internal,
            cursor=cursor,
            limit=limit,
        ),
        after,
    )
    return listing(visit.request, page)
