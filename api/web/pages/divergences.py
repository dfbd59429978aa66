"""What a partner and we have not alike, as the last comparison found it, and whose value is right."""

from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from adapters.kit.repairing import REASON_CHARACTERS_MAX
from api.auth import Scope
from api.web.pages.operating import as_caller, for_writing, may
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import page
from domain.divergences import FIELDS, HINTS
from domain.errors import NotNow
from domain.rights import Right, require
from projections.divergences import diverging

router = page_router()

_ROWS = 50

Helpdesk = Annotated[str, Query(min_length=1, max_length=100)]
Field = Annotated[
    Literal["", "ticket", "number", "state", "priority", "unit", "messages", "doubled"], Query()
]


@router.get("/exchange/divergences")
async def divergences(
    request: Request,
    caller: Reader,
    helpdesk: Helpdesk,
    field: Field = "",
    cursor: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """The tickets that diverge at one partner."""
    require(caller.actor, Right.READ_STATISTICS)
    services = services_of(request)
    await services.exchange.conversations.known_partner(helpdesk)
    found = await services.ask(
        lambda connection: diverging(
            connection, helpdesk, field=field or None, cursor=cursor or None, limit=_ROWS
        )
    )
    values = {
        "helpdesk": helpdesk,
        "field": field,
        "fields": FIELDS,
        "hints": HINTS,
        "found": found,
        "progress": await services.exchange.comparison.progress(helpdesk),
        "next_address": _address(helpdesk, field, found.next or ""),
        "may_settle": Scope.WRITE in caller.scopes and may(caller, Right.SEND),
    }
    return page(request, "divergences.html", values)


@router.post("/exchange/divergences")
async def settle(
    request: Request,
    caller: Reader,
    exchange: Annotated[UUID, Form()],
    field: Annotated[str, Form(max_length=100)],
    wins: Annotated[Literal["ours", "theirs"], Form()],
    reason: Annotated[str, Form(min_length=1, max_length=REASON_CHARACTERS_MAX)],
    helpdesk: Annotated[str, Form(min_length=1, max_length=100)],
) -> Response:
    """Say whose value is right. A second click, or somebody else's, changes nothing."""
    services = for_writing(request, caller)
    with as_caller(caller):
        try:
            receipt = await services.exchange.repairing.settle(
                caller.actor, exchange, field, ours=wins == "ours", reason=reason.strip()
            )
        except NotNow:
            return RedirectResponse(_address(helpdesk), 303)
    await services.projector.wait_for(receipt.position, services.settings.wait_s_max)
    return RedirectResponse(_address(helpdesk), 303)


def _address(helpdesk: str, field: str = "", cursor: str = "") -> str:
    chosen = {"helpdesk": helpdesk, "field": field, "cursor": cursor}
    given = {name: value for name, value in chosen.items() if value}
    return f"/exchange/divergences?{urlencode(given)}"
