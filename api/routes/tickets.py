"""Reading tickets: one as of any moment."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import moments
from api.dependencies import AsOfText, Number, Reader, answer
from api.documentation import answers
from api.views import TicketView, read_ticket

router = APIRouter(prefix="/tickets", tags=["tickets"])


@router.get("/{number}", summary="A ticket", responses=answers(TicketView))
async def ticket(
    number: Number,
    visit: Reader,
    as_of: AsOfText = None,
    version: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
) -> Response:
    """As it is now, or as it was at a time, a position of the log or a version."""
    view = await read_ticket(
        visit.ledger, visit.caller, number, as_of=moments.as_of(as_of), version=version
    )
    return answer(view, {"ETag": f'"{view.version}"'})
