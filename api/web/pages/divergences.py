"""What a partner and we have not alike, as the last comparison found it, and whose value is right."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from adapters.kit.repairing import REASON_CHARACTERS_MAX
from api.comparing import compare
from api.web.pages.operating import as_caller, decided, for_writing, may_write
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import address, page_or_part
from domain import clock
from domain.divergences import FIELDS, HINTS
from domain.rights import Right, require
from projections.divergences import diverging

router = page_router()

_PATH = "/exchange/divergences"
_ROWS = 50

Helpdesk = Annotated[str, Query(min_length=1, max_length=100)]
Field = Annotated[
    Literal[
        "", "ticket", "number", "state", "priority", "unit", "messages", "forgotten", "doubled"
    ],
    Query(),
]


@router.get(_PATH)
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
    await services.exchange.by_hand.registered(helpdesk)
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
        "address": address(_PATH, helpdesk=helpdesk, field=field, cursor=cursor),
        "next_address": address(_PATH, helpdesk=helpdesk, field=field, cursor=found.next or ""),
        "may_settle": may_write(caller, Right.SEND),
    }
    return page_or_part(request, "divergences", values)


@router.post("/exchange/compare")
async def compare_all(
    request: Request,
    caller: Reader,
    helpdesk: Annotated[str, Form(min_length=1, max_length=100)],
) -> Response:
    """Let the service compare all tickets; the page shows how that goes. A partner that cannot be asked is told at once."""
    services = for_writing(request, caller)
    with as_caller(caller):
        await compare(services, caller.actor, helpdesk, repair=False, limit=1)
    await services.exchange.comparison.begin(helpdesk, clock.now())
    return RedirectResponse(address(_PATH, helpdesk=helpdesk), 303)


@router.post(_PATH)
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
    decision = services.exchange.repairing.settle(
        caller.actor, exchange, field, ours=wins == "ours", reason=reason.strip()
    )
    await decided(services, caller, decision)
    return RedirectResponse(address(_PATH, helpdesk=helpdesk), 303)
