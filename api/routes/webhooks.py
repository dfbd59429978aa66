"""Where partners send their events: ``POST /api/v1/partners/{helpdesk}/events``, signed, kept, then answered."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from msgspec import Struct
from starlette.datastructures import State

from adapters.helpdesks.webhook.events import TicketEvent
from adapters.helpdesks.webhook.message import STRUCTURED
from adapters.kit.contract import Unreadable
from adapters.kit.doorkeeping import Shut
from adapters.kit.webhook import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from adapters.store.secrets import HelpdeskSecrets
from api.bootstrap import Services
from api.dependencies import answer
from api.documentation import PROBLEMS, answers, schema_of
from api.problems import problem
from api.webhooks import Stranger, TooMany, WebhookDoor
from domain import clock

router = APIRouter(tags=["partners"])

PATH: Final = "/partners/{helpdesk}/events"

HelpdeskPath = Annotated[
    str,
    Path(min_length=1, max_length=100, pattern=r"^\w+$", examples=["osg"], description="Name of the partner."),
]  # fmt: skip


class Taken(Struct, frozen=True):
    exchange: UUID
    """The conversation that it belongs to."""
    position: int
    received_at: datetime


def header(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    """As the document describes it."""
    return {
        "in": "header", "name": name, "required": required, "description": description,
        "schema": {"type": "string"},
    }  # fmt: skip


_EXAMPLE: Final = {
    "specversion": "1.0",
    "id": "6f1c-1",
    "source": "https://desk.example.org/tickets",
    "type": "org.ticketledger.ticket.opened",
    "time": "2026-03-02T09:00:00Z",
    "data": {
        "change": "opened",
        "ticket": {"id": "4711", "state": "new", "subject": "Gatekeeper down", "description": "Since noon."},
    },
}  # fmt: skip
_DOCUMENT: Final = {
    "security": [],
    "parameters": [
        header(ID_HEADER, "Of the delivery; the same when it is sent again."),
        header(TIMESTAMP_HEADER, "When it is sent: seconds since 1970."),
        header(SIGNATURE_HEADER, "Standard Webhooks, `v1,...`; several with a space between them."),
    ],
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {
                "schema": schema_of(TicketEvent),
                "example": _EXAMPLE,
            }
        },
    },
}  # fmt: skip


@router.post(
    PATH,
    summary="Take a partner's event",
    responses={
        **answers(Taken, "Kept; it has its effect soon", 202),
        204: {"description": "Kept before"},
        409: {**PROBLEMS[409], "description": "Another event came with this id"},
        415: {**PROBLEMS[400], "description": "The body is encoded"},
        429: {**PROBLEMS[503], "description": "More than agreed: see Retry-After"},
    },
    status_code=202,
    openapi_extra=_DOCUMENT,
)
async def take(helpdesk: HelpdeskPath, request: Request) -> Response:
    """A CloudEvent in structured or binary mode, signed with the partner's key as Standard Webhooks has it."""
    body = await request.body()
    headers = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]
    }
    if headers.get("content-encoding", "identity") != "identity":
        return problem(415, "encoded", "send the body as it is, without Content-Encoding")
    try:
        received = await door_of(request.app.state).take(
            helpdesk, request.scope["path"], headers, body
        )
    except (Stranger, TooMany, Shut, Unreadable) as error:
        return refusal(error)
    if received is None:
        return Response(status_code=204)
    taken = answer(Taken(received.exchange, received.position, clock.now()))
    taken.status_code = 202
    return taken


def refusal(error: Exception) -> Response:
    match error:
        case TooMany():
            after = {"Retry-After": str(error.retry_after_s)}
            return problem(429, "too-many", str(error), headers=after)
        case Shut():
            after = {"Retry-After": str(error.retry_after_s)}
            return problem(503, "shut", str(error), headers=after)
        case Unreadable():
            return problem(422, "no-cloud-event", str(error))
        case _:
            assert isinstance(error, Stranger)
            what = "this is not the address of a partner, or not signed with its key lately"
            return problem(401, "not-signed", what)


def door_of(state: State) -> WebhookDoor:
    """One for the application: it counts what each partner sends."""
    if not hasattr(state, "webhooks"):
        services: Services = state.services
        state.webhooks = WebhookDoor(
            services.exchange,
            HelpdeskSecrets(services.store),
            services.doors,
            per_s_max=services.settings.partner_messages_per_s_max,
        )
    door: WebhookDoor = state.webhooks
    return door


async def take_straight(request: Request) -> Response:
    """The same without FastAPI around it, which would check nothing that is not checked here."""
    return await take(request.path_params["helpdesk"], request)
