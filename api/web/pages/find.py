"""Finding a ticket by its number, or by what a partner calls it."""

from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.responses import RedirectResponse, Response

from api.dependencies import reads_all
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import page
from projections.ticket_page import TicketFilter, tickets

router = page_router()

_FOUND_MAX: Final = 50


@router.get("/find")
async def find(
    request: Request, caller: Reader, number: Annotated[str, Query(max_length=200)]
) -> Response:
    """Straight to our ticket by its number, with or without ``#``; else by a partner's name for it.

    ``osg:7932`` means 7932 at osg.
    """
    asked = number.strip()
    digits = asked.lstrip("#")
    if digits.isascii() and digits.isdigit() and len(digits) <= 9:
        return RedirectResponse(f"/tickets/{int(digits)}", 303)
    helpdesk, colon, external_id = asked.partition(":")
    theirs = bool(colon) and helpdesk.isidentifier()
    chosen = TicketFilter(
        external_id=external_id.strip() if theirs else asked,
        helpdesk=helpdesk if theirs else None,
        submitter=None if reads_all(caller.actor) else caller.person,
    )
    found = await services_of(request).ask(
        lambda connection: tickets(connection, chosen, limit=_FOUND_MAX)
    )
    if len(found.items) == 1:
        return RedirectResponse(f"/tickets/{found.items[0].number}", 303)
    return page(request, "found.html", {"asked": asked, "tickets": found.items})
