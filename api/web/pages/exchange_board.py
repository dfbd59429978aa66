"""The exchange board: how each partner does, what is parked and why, and what an operator can do about it."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from adapters.kit.by_hand import REASON_CHARACTERS_MAX
from api import partners
from api.bootstrap import Services
from api.conformance.going_live import agreed
from api.outcomes import LOG_EVENTS_MAX, MessageOutcome, outcome, outcomes, tried_again
from api.repair import Choice, repair
from api.web.pages.operating import as_caller, decided, for_writing, may, may_write
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import address, page, page_or_part
from domain.conflicts import Side
from domain.exchange import Direction
from domain.helpdesk import InterfaceState
from domain.rights import Right, require
from projections import exchanges
from projections.conflicts import ConflictingView, conflicting
from projections.paging import Page

router = page_router()

_PATH: Final = "/exchange"
_ROWS: Final = 50
_STATES: Final = [state.value for state in InterfaceState]

Word = Annotated[str, Query(max_length=100)]
CursorQuery = Annotated[str, Query(max_length=400)]
Helpdesk = Annotated[str, Form(max_length=100)]
How = Annotated[Literal["retry", "skip"], Form()]
Reference = Annotated[int, Path(ge=1, le=1_000_000)]


@router.get(_PATH)
async def board(
    request: Request,
    caller: Reader,
    helpdesk: Word = "",
    cursor: CursorQuery = "",
    partners_from: CursorQuery = "",
    conflicts_from: CursorQuery = "",
    refused_from: CursorQuery = "",
    tried: Annotated[str, Query(pattern=r"^(\d{1,18}-\d{1,18})?$")] = "",
) -> Response:
    """All partners, or one of them with what an operator can set.

    ``tried``: the positions between which messages were tried again, whose outcomes are shown.
    """
    require(caller.actor, Right.READ_STATISTICS)
    services = services_of(request)
    if helpdesk:
        shown = Page([await partners.partner(services, helpdesk)])
    else:
        shown = await partners.partners(services, cursor=partners_from or None, limit=_ROWS)
    may_repair = may_write(caller, Right.SEND)
    parked: Page[exchanges.MessageView] = Page([])
    conflicts: Page[ConflictingView] = Page([])
    refused: Page[exchanges.MessageView] = Page([])
    if may_repair:
        refused = await services.ask(
            lambda connection: exchanges.refused(
                connection, helpdesk=helpdesk or None, cursor=refused_from or None, limit=_ROWS
            )
        )
        parked = await services.ask(
            lambda connection: exchanges.parked(
                connection, helpdesk=helpdesk or None, cursor=cursor or None, limit=_ROWS
            )
        )
        conflicts = await services.ask(
            lambda connection: conflicting(
                connection, helpdesk=helpdesk or None, cursor=conflicts_from or None, limit=_ROWS
            )
        )
    chosen = {
        "helpdesk": helpdesk,
        "cursor": cursor,
        "partners_from": partners_from,
        "tried": tried,
        "conflicts_from": conflicts_from,
        "refused_from": refused_from,
    }
    values = {
        "helpdesk": helpdesk,
        "partners": shown,
        "parked": parked,
        "tried": await _tried(services, helpdesk, tried) if tried and may_repair else [],
        "conflicts": conflicts,
        "conflicts_address": address(_PATH, **chosen | {"conflicts_from": conflicts.next or ""}),
        "refused": refused,
        "refused_address": address(_PATH, **chosen | {"refused_from": refused.next or ""}),
        "address": address(_PATH, **chosen),
        "parked_address": address(_PATH, **chosen | {"cursor": parked.next or ""}),
        "partners_address": address(_PATH, **chosen | {"partners_from": shown.next or ""}),
        "may_repair": may_repair,
        "may_administer": may_write(caller, Right.ADMINISTER),
        "may_audit": may(caller, Right.AUDIT),
        "states": _STATES,
    }
    return page_or_part(request, "exchange", values)


@router.get("/exchange/preview/{exchange}/{reference}")
async def preview(
    request: Request, caller: Reader, exchange: UUID, reference: Reference, helpdesk: Word = ""
) -> Response:
    """What a parked message would do if it were tried again now."""
    services = services_of(request)
    found = await services.exchange.by_hand.preview(caller.actor, exchange, reference)
    values: dict[str, Any] = {
        "found": found,
        "message": await outcome(services, exchange, reference),
        "may_audit": may(caller, Right.AUDIT),
        "exchange": exchange,
        "reference": reference,
        "helpdesk": helpdesk,
    }
    return page(request, "exchange_preview.html", values)


@router.post("/exchange/resume")
async def resume(
    request: Request,
    caller: Reader,
    exchange: Annotated[UUID, Form()],
    reference: Annotated[int, Form(ge=1, le=1_000_000)],
    how: How,
    helpdesk: Helpdesk = "",
) -> Response:
    """Retry a message or leave it out. A second click, or somebody else's, changes nothing."""
    services = for_writing(request, caller)
    decision = services.exchange.by_hand.resume(
        caller.actor, exchange, reference, skip=how == "skip"
    )
    position = await decided(services, caller, decision)
    return _back(helpdesk, f"{position}-{position}" if position and how == "retry" else "")


@router.post("/exchange/repair")
async def repair_many(
    request: Request,
    caller: Reader,
    helpdesk: Helpdesk,
    how: How,
    direction: Annotated[Literal["", "in", "out"], Form()] = "",
    code: Annotated[str, Form(max_length=100)] = "",
    most: Annotated[int, Form(ge=1, le=200)] = 50,
) -> Response:
    """The oldest parked messages of a partner."""
    services = for_writing(request, caller)
    choice = Choice(
        helpdesk=helpdesk,
        code=code.strip() or None,
        direction=Direction(direction) if direction else None,
    )
    with as_caller(caller):
        done = await repair(
            services, caller.actor, choice, skip=how == "skip", dry_run=False, limit=most
        )
    retried = done.first if how == "retry" else 0
    return await _back_after(services, helpdesk, done.position, first=retried)


@router.post("/exchange/conflict")
async def resolve(
    request: Request,
    caller: Reader,
    exchange: Annotated[UUID, Form()],
    field: Annotated[str, Form(max_length=100)],
    wins: Annotated[Side, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=REASON_CHARACTERS_MAX)],
    helpdesk: Helpdesk = "",
) -> Response:
    """Say whose value is right. A second click, or somebody else's, changes nothing."""
    services = for_writing(request, caller)
    decision = services.exchange.overruling.resolve(
        caller.actor, exchange, field, wins, reason.strip()
    )
    await decided(services, caller, decision)
    return _back(helpdesk)


@router.post("/exchange/interface")
async def set_interface(
    request: Request,
    caller: Reader,
    helpdesk: Helpdesk,
    state: Annotated[InterfaceState, Form()],
    reason: Annotated[str, Form(max_length=REASON_CHARACTERS_MAX)] = "",
    *,
    unproved: Annotated[bool, Form()] = False,
) -> Response:
    """Let messages flow, or hold them."""
    services = for_writing(request, caller)
    require(caller.actor, Right.ADMINISTER)
    before = await services.exchange.by_hand.registered(helpdesk)
    why = await agreed(services, before, state, reason.strip(), unproved=unproved)
    with as_caller(caller):
        _, receipt = await services.exchange.by_hand.set_interface(
            caller.actor, helpdesk, state, why
        )
    return await _back_after(services, helpdesk, receipt.position)


def _back(helpdesk: str, tried: str = "") -> Response:
    return RedirectResponse(address(_PATH, helpdesk=helpdesk, tried=tried), 303)


async def _back_after(
    services: Services, helpdesk: str, position: int, *, first: int = 0
) -> Response:
    """``first``: the position from which on messages were tried again; 0 for none."""
    await services.projector.wait_for(position, services.settings.wait_s_max)
    near = first > 0 and position - first < LOG_EVENTS_MAX
    return _back(helpdesk, f"{first}-{position}" if near else "")


async def _tried(services: Services, helpdesk: str, tried: str) -> list[MessageOutcome]:
    first, _, last = tried.partition("-")
    messages = await tried_again(services, helpdesk, int(first), int(last))
    return await outcomes(services, messages)
