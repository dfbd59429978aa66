"""The exchange with partner helpdesks: the board, what is parked, and what an operator can do about it."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from adapters.kit.rehearsing import Preview
from api import outcomes
from api.dependencies import After, Cursor, Desk, Limit, NameQuery, Number, Reader, Writer, answer
from api.direct import DirectRoute
from api.documentation import answers
from api.moments import POSITION_MAX
from api.outcomes import MessageOutcome
from api.pagination import Listing, listing
from api.repair import Choice, Repaired, repair
from domain.exchange import Direction
from domain.rights import Right
from domain.store import Receipt
from projections.exchanges import ExchangeView, MessageView, board, messages, parked, refused

router = APIRouter(tags=["exchange"], route_class=DirectRoute)

_RAW_HEADERS: Final = {
    # What a stranger sent is shown as a download, never as a page of ours.
    "Content-Disposition": 'attachment; filename="message.eml"',
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
ExchangeId = Annotated[UUID, Path(examples=["3f1f2c8e-5a83-4d5f-9c1b-0f2b7f6f5a10"])]
Reference = Annotated[
    int, Path(ge=1, le=1_000_000, description="Of the message in its exchange.", examples=[2])
]


PositionQuery = Annotated[int, Query(ge=0, le=POSITION_MAX, examples=[1])]


class Outcomes(Struct, frozen=True):
    items: list[MessageOutcome]


class Sending(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"helpdesk": "osg"}]})

    helpdesk: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\w+$")]
    """Name of the partner."""


class Repair(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"helpdesk": "osg", "how": "retry", "dry_run": True}]},
    )

    helpdesk: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\w+$")]
    how: Literal["retry", "skip"]
    code: Annotated[str | None, Field(max_length=100)] = None
    """Only those that were parked for this reason."""
    direction: Direction | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    dry_run: bool = False
    """Only say which messages these are."""
    until: Annotated[int | None, Field(ge=0, le=POSITION_MAX)] = None
    cursor: Annotated[str | None, Field(max_length=1000)] = None
    """With ``until``, as the answer before gave them: the next messages."""


class ExchangeAnswer(Struct, frozen=True):
    exchange: UUID
    position: int
    """Ask a query with ``after=`` this to be sure that it has seen the change."""
    recorded_at: datetime


@router.get("/exchanges", summary="The exchange board", responses=answers(Listing[ExchangeView]))
async def exchanges(
    visit: Reader,
    helpdesk: NameQuery = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Every conversation with a partner helpdesk, the one that changed last first."""
    visit.require_reading_all()
    await visit.must_know(helpdesk)
    page = await visit.ask(
        lambda connection: board(connection, helpdesk=helpdesk, cursor=cursor, limit=limit), after
    )
    return listing(visit.request, page)


@router.get("/exchanges/parked", summary="Parked messages", responses=answers(Listing[MessageView]))
async def parked_messages(
    visit: Reader,
    helpdesk: NameQuery = None,
    direction: Direction | None = None,
    code: NameQuery = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What waits for an operator and why, the oldest first."""
    visit.require(Right.SEND)
    await visit.must_know(helpdesk)
    way = direction.value if direction else None
    page = await visit.ask(
        lambda connection: parked(
            connection, helpdesk=helpdesk, direction=way, code=code, cursor=cursor, limit=limit
        ),
        after,
    )
    return listing(visit.request, page)


@router.get(
    "/exchanges/refused", summary="Refused messages", responses=answers(Listing[MessageView])
)
async def refused_messages(
    visit: Reader,
    helpdesk: NameQuery = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """What partners asked for in vain and why, the latest first. It had no effect, and nothing waits for it."""
    visit.require(Right.SEND)
    await visit.must_know(helpdesk)
    page = await visit.ask(
        lambda connection: refused(connection, helpdesk=helpdesk, cursor=cursor, limit=limit), after
    )
    return listing(visit.request, page)


@router.post(
    "/exchanges/parked",
    summary="Retry or skip parked messages of a helpdesk",
    responses=answers(Repaired),
)
async def repair_parked(body: Repair, desk: Writer) -> Response:
    """At most ``limit`` of them, the oldest first, each by itself. Send the answer's ``until`` and ``next`` to go on."""
    choice = Choice(
        helpdesk=body.helpdesk, code=body.code, direction=body.direction, until=body.until
    )
    with desk.acting():
        done = await repair(
            desk.services,
            desk.actor,
            choice,
            skip=body.how == "skip",
            dry_run=body.dry_run,
            cursor=body.cursor,
            limit=body.limit,
        )
    if not done.messages:
        await desk.services.exchange.by_hand.registered(body.helpdesk)
    return answer(done)


@router.get(
    "/exchanges/outcomes",
    summary="What became of messages that were tried again",
    responses=answers(Outcomes),
)
async def outcomes_of_many(
    visit: Reader, first: PositionQuery, last: PositionQuery, helpdesk: NameQuery = None
) -> Response:
    """Those between two positions of the log, such as `first` and `position` of trying many of them again."""
    visit.require(Right.SEND)
    tried = await outcomes.tried_again(visit.services, helpdesk or "", first, last)
    return answer(Outcomes(await outcomes.outcomes(visit.services, tried)))


@router.get(
    "/exchanges/{exchange}/messages/{reference}",
    summary="What became of a message",
    responses=answers(MessageOutcome),
)
async def outcome_of_one(exchange: ExchangeId, reference: Reference, visit: Reader) -> Response:
    """As the log says it: also just after it was tried again."""
    visit.require(Right.SEND)
    return answer(await outcomes.outcome(visit.services, exchange, reference))


@router.get(
    "/tickets/{number}/exchanges",
    summary="The exchanged messages of a ticket",
    responses=answers(Listing[MessageView]),
)
async def messages_of_ticket(
    number: Number, visit: Reader, after: After = None, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Everything that came in and went out about it, with what became of each message."""
    visit.require_reading_all()
    await visit.ledger.ticket(number)
    page = await visit.ask(
        lambda connection: messages(connection, number, cursor=cursor, limit=limit), after
    )
    return listing(visit.request, page)


@router.get(
    "/exchanges/{exchange}/messages/{reference}/raw",
    summary="A message byte for byte",
    response_class=Response,
)
async def raw_message(exchange: ExchangeId, reference: Reference, visit: Reader) -> Response:
    """As it came in, or as it was to be sent."""
    by_hand = visit.services.exchange.by_hand
    media_type, body = await by_hand.raw(visit.actor, exchange, reference)
    return Response(body, 200, _RAW_HEADERS, media_type)


@router.get(
    "/exchanges/{exchange}/messages/{reference}/preview",
    summary="What a parked message would do now",
    responses=answers(Preview),
)
async def preview(exchange: ExchangeId, reference: Reference, visit: Reader) -> Response:
    """Read with the mapping in force: what trying it again would ask for, or why it would be parked again."""
    by_hand = visit.services.exchange.by_hand
    return answer(await by_hand.preview(visit.actor, exchange, reference))


@router.post(
    "/tickets/{number}/exchanges",
    summary="Send a ticket to a helpdesk",
    responses=answers(ExchangeAnswer, "The exchange began; the message is on its way", 202),
    status_code=202,
)
async def send(number: Number, body: Sending, desk: Writer) -> Response:
    """Begin to exchange the ticket with a partner, whatever unit has it."""
    with desk.acting():
        exchange, receipt = await desk.services.exchange.by_hand.send(
            desk.actor, number, body.helpdesk
        )
    return _accepted(exchange, receipt)


@router.post(
    "/exchanges/{exchange}/messages/{reference}/retry",
    summary="Try a parked message again",
    responses=answers(ExchangeAnswer, status=202),
    status_code=202,
)
async def retry(exchange: ExchangeId, reference: Reference, desk: Writer) -> Response:
    """Read it or send it again; what waits behind it follows."""
    return await _resume(desk, exchange, reference, skip=False)


@router.post(
    "/exchanges/{exchange}/messages/{reference}/skip",
    summary="Leave a parked message out",
    responses=answers(ExchangeAnswer, status=202),
    status_code=202,
)
async def skip(exchange: ExchangeId, reference: Reference, desk: Writer) -> Response:
    """It stays in the log and has no effect; what waits behind it follows."""
    return await _resume(desk, exchange, reference, skip=True)


async def _resume(desk: Desk, exchange: UUID, reference: int, *, skip: bool) -> Response:
    with desk.acting():
        receipt = await desk.services.exchange.by_hand.resume(
            desk.actor, exchange, reference, skip=skip
        )
    return _accepted(exchange, receipt)


def _accepted(exchange: UUID, receipt: Receipt) -> Response:
    content = ExchangeAnswer(exchange, receipt.position, receipt.recorded_at)
    accepted = answer(content)
    accepted.status_code = 202
    return accepted
