"""Whether a partner and we have the same: compare, list what diverges, decide whose value is right."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from adapters.kit.comparing_pages import BEGINNING
from adapters.kit.comparing_runs import Progress
from adapters.kit.repairing import REASON_CHARACTERS_MAX
from api.comparing import ComparedPage, compare
from api.dependencies import After, Cursor, Limit, Reader, Writer, answer
from api.direct import DirectRoute
from api.documentation import answers
from api.pagination import Listing, listing
from domain.errors import EntryNotFound
from projections.divergences import DivergingView, diverging

router = APIRouter(tags=["exchange"], route_class=DirectRoute)

Name = Annotated[str, Path(max_length=100, pattern=r"^\w+$", examples=["osg"])]
ExchangeId = Annotated[UUID, Path(examples=["3f1f2c8e-5a83-4d5f-9c1b-0f2b7f6f5a10"])]
Diverging = Literal[
    "ticket", "number", "state", "priority", "unit", "messages", "forgotten", "doubled"
]
FieldName = Annotated[Diverging, Path(examples=["state"])]
OnlyField = Annotated[Diverging | None, Query(description="Only where this field diverges.")]


class Comparing(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"repair": False}]})

    repair: bool = False
    """Put right what a rule can."""
    after: UUID = BEGINNING
    """The ``next`` of the page before."""
    limit: Annotated[int, Field(ge=1, le=50)] = 50


class Settling(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"wins": "ours", "reason": "They restored a backup."}]},
    )

    wins: Literal["ours", "theirs"]
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]


class SettledAnswer(Struct, frozen=True):
    exchange: UUID
    field: str
    wins: str
    position: int
    recorded_at: datetime


@router.post(
    "/helpdesks/{name}/comparisons",
    summary="Compare tickets with a partner",
    responses=answers(ComparedPage),
)
async def compare_tickets(name: Name, body: Comparing, desk: Writer) -> Response:
    """Look at the next ``limit`` linked tickets on both sides. What differs is looked at twice and recorded."""
    with desk.acting():
        page = await compare(
            desk.services, desk.actor, name, repair=body.repair, after=body.after, limit=body.limit
        )
    return answer(page)


@router.get(
    "/helpdesks/{name}/comparison",
    summary="How the last comparison went",
    responses=answers(Progress),
)
async def last_comparison(name: Name, visit: Reader) -> Response:
    """Of all tickets, as it is made by itself now and then, or after a partner was restored from a backup."""
    visit.require_reading_all()
    progress = await visit.services.exchange.comparison.progress(name)
    if progress is None:
        raise EntryNotFound("comparison", name)
    return answer(progress)


@router.get(
    "/helpdesks/{name}/divergences",
    summary="Tickets that diverge",
    responses=answers(Listing[DivergingView]),
)
async def divergences(
    name: Name,
    visit: Reader,
    field: OnlyField = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What their ticket and ours should have alike and have not, as the last comparison found it."""
    visit.require_reading_all()
    await visit.must_know(name)
    page = await visit.ask(
        lambda connection: diverging(connection, name, field=field, cursor=cursor, limit=limit),
        after,
    )
    return listing(visit.request, page)


@router.post(
    "/exchanges/{exchange}/divergences/{field}",
    summary="Decide whose value is right",
    responses=answers(SettledAnswer),
)
async def settle(exchange: ExchangeId, field: FieldName, body: Settling, desk: Writer) -> Response:
    """Ours is told the partner. Theirs is taken, or where our ticket has no such value, let be."""
    with desk.acting():
        receipt = await desk.services.exchange.repairing.settle(
            desk.actor, exchange, field, ours=body.wins == "ours", reason=body.reason
        )
    return answer(SettledAnswer(exchange, field, body.wins, receipt.position, receipt.recorded_at))
