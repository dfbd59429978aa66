"""Partners' pasts through a draft mapping, and the corrections that follow a publication: begun, followed, read."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Cursor, Limit, Reader, Visit, Writer, answer
from api.direct import DirectRoute
from api.documentation import answers
from api.pagination import Listing, listing
from api.retranslation_progress import RunView
from api.retranslation_runs import RetranslationRuns
from api.retranslation_views import RetranslatedTicket
from api.routes.mappings import STATES, Name, TablesGiven
from domain.errors import EntryNotFound
from domain.rights import Right

router = APIRouter(prefix="/helpdesks/{name}", tags=["exchange"], route_class=DirectRoute)

RunNumber = Annotated[
    int, Path(ge=1, le=999_999_999, description="Of the run with this helpdesk.", examples=[1])
]
_BEGUN: Any = answers(RunView, "It runs: read it to follow it", 202)


class Trial(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"draft": STATES}]})

    draft: TablesGiven
    """A table that is given takes the place of the adapter's as a whole; others stay the adapter's."""


class Correcting(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"dry_run": True}]})

    dry_run: Annotated[bool, Field(description="Only find out what would be done.")] = True


def _runs(visit: Visit) -> RetranslationRuns:
    return RetranslationRuns(visit.services)


@router.post(
    "/retranslations",
    summary="Read everything ever received with other words",
    responses=_BEGUN,
    status_code=202,
)
async def try_draft(name: Name, body: Trial, desk: Writer) -> Response:
    """Nothing is changed. One run at a time of each helpdesk; it takes the place of the one before."""
    run = await _runs(desk).try_draft(desk.actor, name, body.draft.tables())
    return _begun(run)


@router.post(
    "/corrections",
    summary="Put right what mappings before the one in force left wrong",
    responses=_BEGUN,
    status_code=202,
)
async def correct(name: Name, body: Correcting, desk: Writer) -> Response:
    """By ordinary commands, caused by the publication. What somebody changed since is left. Safe to repeat."""
    run = await _runs(desk).correct(desk.actor, name, dry_run=body.dry_run)
    return _begun(run)


@router.get("/retranslation", summary="The last run", responses=answers(RunView))
async def last(name: Name, visit: Reader) -> Response:
    """Whatever it was: a draft, a plan of corrections, or corrections."""
    found = await _runs(visit).last(visit.actor, name)
    if found is None:
        raise EntryNotFound("retranslation", name)
    return answer(found)


@router.get("/retranslations/{number}", summary="How a run goes", responses=answers(RunView))
async def one(name: Name, number: RunNumber, visit: Reader) -> Response:
    """Counts, how far it came, and about how long it takes still. Only the last run is kept."""
    return answer(await _runs(visit).one(visit.actor, name, number))


@router.get(
    "/retranslations/{number}/tickets",
    summary="Tickets that a run found",
    responses=answers(Listing[RetranslatedTicket]),
)
async def tickets(
    name: Name, number: RunNumber, visit: Reader, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Per ticket: each field with its value now and by the mapping, and the messages that are responsible."""
    visit.require(Right.AUDIT)
    page = await _runs(visit).tickets(visit.actor, name, number, cursor=cursor, limit=limit)
    return listing(visit.request, page)


@router.post(
    "/retranslations/{number}/cancel",
    summary="End a run before its end",
    responses=answers(RunView),
)
async def cancel(name: Name, number: RunNumber, desk: Writer) -> Response:
    """What it found can be read; what it put right stays so."""
    return answer(await _runs(desk).cancel(desk.actor, name, number))


def _begun(run: RunView) -> Response:
    path = f"/api/v1/helpdesks/{run.helpdesk}/retranslations/{run.number}"
    begun = answer(run, {"Location": path})
    begun.status_code = 202
    return begun
