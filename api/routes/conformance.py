"""Conformance runs: a partner proves its interface, and reads the report. Its own token is enough."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Scope
from api.bootstrap import Services
from api.callers import caller_of
from api.conformance.plan import Plan, plan
from api.conformance.report import RunReport, RunSummary, report, summary
from api.conformance.runs import ConformanceRuns
from api.dependencies import Cursor, Limit, Visit, answer, correlation_id
from api.documentation import answers
from api.pagination import Listing, listing
from api.problems import ScopeMissing
from domain.conformance_terms import Signal, Terms
from domain.errors import EntryNotFound
from domain.identifiers import random_id
from domain.provenance import Provenance, acting
from domain.rights import Right, require
from projections.paging import Page

router = APIRouter(prefix="/helpdesks/{name}/conformance-runs", tags=["exchange"])

Name = Annotated[
    str, Path(min_length=1, max_length=100, pattern=r"^\w+$", examples=["osg"], description="Name of the partner.")
]  # fmt: skip
RunNumber = Annotated[
    int, Path(ge=1, le=999_999, description="Of the run with this helpdesk.", examples=[1])
]
_SIGNAL: Any = {"case": "their-open", "signal": "skip"}


class Beginning(BaseModel):
    """Left out: all cases, and the usual patience."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"cases": ["open", "update"], "wait_s": 600}]},
    )

    cases: Annotated[
        list[Annotated[str, Field(max_length=50, pattern=r"^[a-z-]+$")]], Field(max_length=50)
    ] = []
    answer_s: Annotated[int, Field(ge=1, le=3_600)] = Terms().answer_s
    """For what a machine does by itself."""
    wait_s: Annotated[int, Field(ge=1, le=604_800)] = Terms().wait_s
    """For what people have to do."""
    quiet_s: Annotated[int, Field(ge=1, le=600)] = Terms().quiet_s
    """Afterwards, for what must not come."""
    slow_s: Annotated[int, Field(ge=1, le=300)] = Terms().slow_s
    """So late our doors answer in the case about that."""
    down_s: Annotated[int, Field(ge=1, le=3_600)] = Terms().down_s
    """So long our doors are shut in the case about that."""

    def terms(self) -> Terms:
        return Terms(**self.model_dump(exclude={"cases"}))


class SignalGiven(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SIGNAL]})

    case: Annotated[str, Field(max_length=50, pattern=r"^[a-z-]+$")]
    signal: Signal
    """``ready``: the partner did its part. ``skip``: the case is to be left out."""


class RunStarted(Struct, frozen=True):
    helpdesk: str
    number: int
    position: int
    recorded_at: datetime


class RunMoved(Struct, frozen=True):
    position: int
    recorded_at: datetime


class PartnerVisit(Struct, frozen=True):
    services: Services
    runs: ConformanceRuns
    actor: str
    correlation: str

    def acting(self) -> Any:
        return acting(Provenance(self.actor, random_id(), self.correlation))


async def _visit(request: Request, name: Name) -> PartnerVisit:
    """The partner itself, or staff: who reads may read all, who writes may administer."""
    services: Services = request.app.state.services
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    access = await services.tokens.of_token(token.strip()) if kind.lower() == "bearer" else None
    correlation = correlation_id(request.headers.get("x-correlation-id"))
    if access is not None and access.helpdesk is not None:
        if access.helpdesk != name:
            raise EntryNotFound("helpdesk", name)
        actor = f"helpdesk:{name}"
        return PartnerVisit(services, ConformanceRuns(services), actor, correlation)
    caller = await caller_of(request)
    reads = request.method == "GET"
    scope = Scope.READ if reads else Scope.WRITE
    if scope not in caller.scopes:
        raise ScopeMissing(scope.value)
    if reads:
        Visit(request, services, caller).require_reading_all()
    else:
        require(caller.actor, Right.ADMINISTER)
    return PartnerVisit(services, ConformanceRuns(services), caller.actor.name, correlation)


ConformanceVisit = Annotated[PartnerVisit, Depends(_visit)]


@router.post(
    "",
    summary="Start a conformance run",
    responses=answers(RunStarted, "It runs: read its report to follow it", 201),
    status_code=201,
)
async def start(name: Name, body: Beginning, visit: ConformanceVisit) -> Response:
    """One at a time. In production only with an interface in the state `testing`."""
    with visit.acting():
        run, receipt = await visit.runs.start(name, body.cases, body.terms())
    content = RunStarted(name, run.number, receipt.position, receipt.recorded_at)
    started = answer(
        content, {"Location": f"/api/v1/helpdesks/{name}/conformance-runs/{run.number}"}
    )
    started.status_code = 201
    return started


@router.get("", summary="Conformance runs of a helpdesk", responses=answers(Listing[RunSummary]))
async def runs(
    name: Name, visit: ConformanceVisit, request: Request, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """When it was tried, with which adapter and mapping, and how it ended; the last one first."""
    page = await visit.runs.page(name, cursor=cursor, limit=limit)
    return listing(request, Page([summary(run) for run in page.items], page.next))


@router.get("/plan", summary="What a conformance run would try", responses=answers(Plan))
async def planned(name: Name, visit: ConformanceVisit) -> Response:
    """The cases, which of them say nothing about this interface and why, and whether a run may be begun now."""
    return answer(await plan(visit.services, name))


@router.get("/{number}", summary="The report of a conformance run", responses=answers(RunReport))
async def one(name: Name, number: RunNumber, visit: ConformanceVisit) -> Response:
    """Each case: what is to be done, what was checked, what was seen and where in the log."""
    return answer(await report(visit.services, await visit.runs.run(name, number)))


@router.post("/{number}/signals", summary="Say how a case goes on", responses=answers(RunMoved))
async def signal(
    name: Name, number: RunNumber, body: SignalGiven, visit: ConformanceVisit
) -> Response:
    """That the partner did its part, or that the case is to be left out."""
    with visit.acting():
        receipt = await visit.runs.signal(name, number, body.case, body.signal)
    return answer(RunMoved(receipt.position, receipt.recorded_at))


@router.post("/{number}/abandon", summary="End a conformance run", responses=answers(RunMoved))
async def abandon(name: Name, number: RunNumber, visit: ConformanceVisit) -> Response:
    """Before its end: what has a verdict keeps it."""
    with visit.acting():
        receipt = await visit.runs.abandon(name, number)
    return answer(RunMoved(receipt.position, receipt.recorded_at))
