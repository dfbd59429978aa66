"""Conflicts: both sides changed a field at the same time, a rule decided, and an operator may overrule it."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from adapters.kit.overruling import REASON_CHARACTERS_MAX
from api.dependencies import After, Cursor, Limit, NameQuery, Reader, Writer, answer
from api.direct import DirectRoute
from api.documentation import COMMAND_HEADERS, answers
from api.pagination import Listing, listing
from domain.conflicts import Side
from projections.conflicts import ConflictingView, conflicting

router = APIRouter(tags=["exchange"], route_class=DirectRoute)

Name = Annotated[str, Path(max_length=100, pattern=r"^\w+$", examples=["osg"])]
ExchangeId = Annotated[UUID, Path(examples=["3f1f2c8e-5a83-4d5f-9c1b-0f2b7f6f5a10"])]
FieldName = Annotated[str, Path(max_length=100, pattern=r"^\w+$", examples=["state"])]


class Resolving(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"wins": "theirs", "reason": "They work on it."}]},
    )

    wins: Literal["ours", "theirs"]
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]


class ResolvedAnswer(Struct, frozen=True):
    exchange: UUID
    field: str
    wins: str
    position: int
    recorded_at: datetime


class Ownership(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"owners": {"priority": "ours only"}}]}
    )

    owners: Annotated[dict[str, str], Field(max_length=50)]
    """By field: ``ours``, ``theirs``, ``origin``, ``responsible`` or ``ours only``. Others have their usual owner."""


class OwnershipAnswer(Struct, frozen=True):
    name: str
    owners: dict[str, str]
    version: int
    """Of the helpdesk's entry."""
    position: int
    recorded_at: datetime


@router.get(
    "/exchanges/conflicts",
    summary="Conflicts with partners",
    responses=answers(Listing[ConflictingView]),
)
async def conflicts(
    visit: Reader,
    helpdesk: NameQuery = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Fields that both sides changed without knowing of the other's change, and which rule decided."""
    visit.require_reading_all()
    await visit.must_know(helpdesk)
    page = await visit.ask(
        lambda connection: conflicting(connection, helpdesk=helpdesk, cursor=cursor, limit=limit),
        after,
    )
    return listing(visit.request, page)


@router.post(
    "/exchanges/{exchange}/conflicts/{field}",
    summary="Say whose value is right",
    responses=answers(ResolvedAnswer),
)
async def resolve(
    exchange: ExchangeId, field: FieldName, body: Resolving, desk: Writer
) -> Response:
    """Confirms what the rule decided, or overrules it: then the ticket changes, and the partner is told."""
    with desk.acting():
        receipt = await desk.services.exchange.overruling.resolve(
            desk.actor, exchange, field, Side(body.wins), body.reason
        )
    return answer(ResolvedAnswer(exchange, field, body.wins, receipt.position, receipt.recorded_at))


@router.put(
    "/helpdesks/{name}/ownership",
    summary="Agree on who owns which field",
    responses=answers(OwnershipAnswer),
    openapi_extra=COMMAND_HEADERS,
)
async def set_ownership(name: Name, body: Ownership, desk: Writer) -> Response:
    """Whose value holds when both sides change a field; with ``ours only`` the partner does not change it at all."""
    with desk.acting():
        entry, receipt = await desk.services.exchange.overruling.set_ownership(
            desk.actor, name, body.owners, expected_version=desk.expected_version
        )
    return answer(
        OwnershipAnswer(
            entry.name, entry.ownership, entry.version, receipt.position, receipt.recorded_at
        )
    )
