"""The state of each partner's interface, and the conformance runs that prove it: start one, follow it, read it."""

from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import quote

from fastapi import Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from msgspec import Struct

from api import partners
from api.bootstrap import Services
from api.commanding import Caller
from api.conformance.plan import Plan, plan
from api.conformance.report import RunReport, RunSummary, report, summary
from api.conformance.runs import ConformanceRuns
from api.web.pages.operating import as_caller, for_writing, may, may_write
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import address, page, page_or_part
from domain.conformance import ConformanceRun
from domain.conformance_terms import Signal, Terms
from domain.identifiers import ticket_number
from domain.rights import Right, require
from projections.conformance_runs import Evidence, evidence
from projections.paging import Page

router = page_router()

_INTERFACES: Final = 25
_RUNS: Final = 25
_MESSAGES: Final = frozenset({"exchange.message-received", "exchange.dispatch-decided"})
"""Events that keep a message, byte for byte."""

Name = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^\w+$")]
Number = Annotated[int, Path(ge=1, le=999_999)]
CursorQuery = Annotated[str, Query(max_length=400)]
CaseName = Annotated[str, Form(max_length=50, pattern=r"^[a-z-]+$")]


class Row(Struct, frozen=True):
    """One line of the overview."""

    partner: partners.PartnerStatus
    plan: Plan
    last: RunSummary | None


class Shown(Struct, frozen=True):
    """An event that is evidence, as it is shown."""

    what: str
    at: datetime
    position: int
    address: str
    """Of the ticket, or of the message itself; empty for what only the log has."""


@router.get("/exchange/interfaces")
async def interfaces(request: Request, caller: Reader, cursor: CursorQuery = "") -> Response:
    """Each partner: not interfaced, testing, live or paused, and what proves it."""
    require(caller.actor, Right.READ_STATISTICS)
    services = services_of(request)
    runs = ConformanceRuns(services)
    found = await partners.partners(services, cursor=cursor or None, limit=_INTERFACES)
    rows = []
    for each in found.items:
        last = await runs.last(each.name)
        rows.append(Row(each, await plan(services, each.name), summary(last) if last else None))
    values = {
        "rows": rows,
        "next": found.next,
        "address": address("/exchange/interfaces", cursor=cursor),
        "next_address": address("/exchange/interfaces", cursor=found.next or ""),
    }
    return page_or_part(request, "interfaces", values)


@router.get("/exchange/interfaces/{name}")
async def interface(
    request: Request, caller: Reader, name: Name, cursor: CursorQuery = ""
) -> Response:
    """One partner: what would be tried, and all its runs."""
    require(caller.actor, Right.READ_STATISTICS)
    services = services_of(request)
    status = await partners.partner(services, name)
    planned = await plan(services, name)
    found: Page[ConformanceRun] = Page([])
    if planned.manner:
        found = await ConformanceRuns(services).page(name, cursor=cursor or None, limit=_RUNS)
    may_see_terms = may(caller, Right.ADMINISTER) or may(caller, Right.AUDIT)
    values = {
        "partner": status,
        "registered": await services.exchange.by_hand.registered(name) if may_see_terms else None,
        "plan": planned,
        "runs": Page([summary(run) for run in found.items], found.next),
        "runs_address": address(_address(name), cursor=found.next or ""),
        "may_start": may_write(caller, Right.ADMINISTER),
        "terms": Terms(),
    }
    return page(request, "interface.html", values)


@router.get("/exchange/interfaces/{name}/{number}")
async def run(request: Request, caller: Reader, name: Name, number: Number) -> Response:
    """One run: each case, its result, and the evidence."""
    require(caller.actor, Right.READ_STATISTICS)
    services = services_of(request)
    found = await report(services, await ConformanceRuns(services).run(name, number))
    values = {
        "run": found,
        "evidence": await _evidence(services, found),
        "address": _address(name, number),
        "may_start": may_write(caller, Right.ADMINISTER),
    }
    return page_or_part(request, "conformance_run", values)


@router.post("/exchange/interfaces/{name}/runs")
async def start(
    request: Request,
    caller: Reader,
    name: Name,
    case: Annotated[list[CaseName] | None, Form(max_length=50)] = None,
    wait_minutes: Annotated[int, Form(ge=1, le=10_080)] = 60,
) -> Response:
    """Begin a run with the chosen cases."""
    services = _for_writing(request, caller)
    with as_caller(caller):
        begun, _ = await ConformanceRuns(services).start(
            name, case or (), Terms(wait_s=60 * wait_minutes)
        )
    return RedirectResponse(_address(name, begun.number), 303)


@router.post("/exchange/interfaces/{name}/{number}/abandon")
async def abandon(request: Request, caller: Reader, name: Name, number: Number) -> Response:
    """End it before its end."""
    services = _for_writing(request, caller)
    with as_caller(caller):
        await ConformanceRuns(services).abandon(name, number)
    return RedirectResponse(_address(name, number), 303)


@router.post("/exchange/interfaces/{name}/{number}/say")
async def say(
    request: Request,
    caller: Reader,
    name: Name,
    number: Number,
    case: CaseName,
    signal: Annotated[Literal["ready", "skip"], Form()],
) -> Response:
    """Say for the partner that it did its part, or that a case is to be left out."""
    services = _for_writing(request, caller)
    with as_caller(caller):
        await ConformanceRuns(services).signal(name, number, case, Signal(signal))
    return RedirectResponse(_address(name, number), 303)


async def _evidence(services: Services, found: RunReport) -> dict[str, list[Shown]]:
    """By case, in the order in which it happened."""
    positions = [position for case in found.cases for position in case.positions]
    known = await services.ask(lambda connection: evidence(connection, positions))
    return {
        case.case: [_shown(known[position]) for position in case.positions if position in known]
        for case in found.cases
    }


def _shown(event: Evidence) -> Shown:
    address = ""
    if number := ticket_number(event.stream):
        address = f"/tickets/{number}"
    elif event.topic in _MESSAGES:
        address = f"/api/v1/exchanges/{event.stream}/messages/{event.version}/raw"
    what = event.topic.replace(".", ": ").replace("-", " ")
    return Shown(what, event.recorded_at, event.position, address)


def _for_writing(request: Request, caller: Caller) -> Services:
    services = for_writing(request, caller)
    require(caller.actor, Right.ADMINISTER)
    return services


def _address(name: str, number: int = 0) -> str:
    return f"/exchange/interfaces/{quote(name)}{f'/{number}' if number else ''}"
