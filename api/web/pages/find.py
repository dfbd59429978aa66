"""Finding a ticket by its number, or by what a partner calls it."""

from contextlib import suppress
from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.responses import RedirectResponse, Response

from api.dependencies import reads_all
from api.views import TicketInFull
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import address, page
from domain.errors import Forbidden, TicketNotFound
from projections.ticket_page import TicketFilter, TicketView, tickets

router = page_router()

_FOUND_MAX: Final = 50
_DIGITS_MAX: Final = 9


@router.get("/find")
async def find(
    request: Request,
    caller: Reader,
    number: Annotated[str, Query(max_length=200)],
    cursor: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """Tickets of that number, ours or a partner's; straight to it where there is one.

    ``#7932`` means ours, ``osg:7932`` that of osg.
    """
    asked = number.strip()
    helpdesk, colon, external_id = asked.partition(":")
    theirs = bool(colon) and helpdesk.isidentifier()
    services, ours = services_of(request), _our_number(asked)
    if asked.startswith("#") and ours:
        return _to(ours)
    chosen = TicketFilter(
        external_id=external_id.strip() if theirs else asked,
        helpdesk=helpdesk if theirs else None,
        submitter=None if reads_all(caller.actor) else caller.person,
    )
    found = await services.ask(
        lambda connection: tickets(connection, chosen, cursor=cursor or None, limit=_FOUND_MAX)
    )
    if ours and not found.items and not cursor:
        return _to(ours)
    rows: dict[int, TicketView | TicketInFull] = {}
    if ours and not cursor:
        with suppress(TicketNotFound, Forbidden):
            rows[ours] = await services.tickets.read(caller.actor, ours)
    rows |= {each.number: each for each in found.items}
    if len(rows) == 1 and not cursor and not found.next:
        return _to(*rows)
    values = {
        "asked": asked,
        "tickets": list(rows.values()),
        "next": found.next,
        "address": address("/find", number=asked, cursor=found.next or ""),
    }
    return page(request, "found.html", values)


def _our_number(asked: str) -> int:
    """0 for what cannot be one."""
    digits = asked.removeprefix("#")
    possible = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX
    return int(digits) if possible else 0


def _to(number: int) -> Response:
    return RedirectResponse(f"/tickets/{number}", 303)
