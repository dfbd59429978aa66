"""Partner helpdesks at work: how the exchange with each goes, and whether messages flow."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from adapters.kit.by_hand import REASON_CHARACTERS_MAX
from api.conformance.going_live import agreed
from api.conformance.runs import ConformanceRuns
from api.dependencies import After, Cursor, Limit, Reader, Writer, answer
from api.direct import DirectRoute
from api.documentation import COMMAND_HEADERS, answers
from api.pagination import Listing, listing
from api.partners import PartnerStatus, partner, partners
from domain.helpdesk import InterfaceState
from domain.rights import Right, require

router = APIRouter(prefix="/helpdesks", tags=["exchange"], route_class=DirectRoute)

Name = Annotated[str, Path(max_length=100, pattern=r"^\w+$", examples=["osg"])]


class InterfaceChange(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"state": "paused", "reason": "Their system moves until Monday."}]
        },
    )

    state: InterfaceState
    reason: Annotated[str, Field(max_length=REASON_CHARACTERS_MAX)] = ""
    unproved: bool = False
    """In production an interface goes live for the first time when a conformance run proved it, or with this."""


class InterfaceAnswer(Struct, frozen=True):
    name: str
    state: str
    version: int
    """Of the helpdesk's entry."""
    position: int
    recorded_at: datetime
    warning: str
    """A live interface that no conformance run has proved with its present mapping; empty otherwise."""


@router.get("", summary="How partners do", responses=answers(Listing[PartnerStatus]))
async def helpdesks(
    visit: Reader, after: After = None, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Each registered helpdesk: its interface, what waits, what failed, what was exchanged."""
    visit.require_reading_all()
    await visit.reached(after)
    return listing(visit.request, await partners(visit.services, cursor=cursor, limit=limit))


@router.get("/{name}/health", summary="How a partner does", responses=answers(PartnerStatus))
async def health(name: Name, visit: Reader, after: After = None) -> Response:
    """The same for one helpdesk."""
    visit.require_reading_all()
    await visit.reached(after)
    return answer(await partner(visit.services, name))


@router.post(
    "/{name}/interface",
    summary="Let messages flow, or hold them",
    responses=answers(InterfaceAnswer),
    openapi_extra=COMMAND_HEADERS,
)
async def set_interface(name: Name, body: InterfaceChange, desk: Writer) -> Response:
    """What waits for a paused partner is kept, and goes on when it is live again. Nothing is parked."""
    require(desk.actor, Right.ADMINISTER)
    by_hand = desk.services.exchange.by_hand
    before = await by_hand.registered(name)
    reason = await agreed(desk.services, before, body.state, body.reason, unproved=body.unproved)
    with desk.acting():
        entry, receipt = await by_hand.set_interface(
            desk.actor, name, body.state, reason, expected_version=desk.expected_version
        )
    return answer(
        InterfaceAnswer(
            entry.name,
            entry.interface.value,
            entry.version,
            receipt.position,
            receipt.recorded_at,
            await ConformanceRuns(desk.services).warning(entry),
        ),
        desk.services.tags.etag(entry.version),
    )
