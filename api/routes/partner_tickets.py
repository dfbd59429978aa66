"""Where a partner looks at the tickets that are exchanged with it: ``GET /api/v1/partners/{helpdesk}/tickets``."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct

from adapters.kit.sharing import LOOK_MAX, SharedTicket, of_conversation, shared
from adapters.kit.webhook import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from api.bootstrap import Services
from api.dependencies import Cursor, answer
from api.documentation import PROBLEMS, answers
from api.pagination import next_link
from api.routes.feeds import feed_visit
from api.routes.webhooks import HelpdeskPath, door_of, header, refusal
from api.webhooks import Stranger, TooMany
from domain.errors import EntryNotFound
from domain.helpdesk import Helpdesk
from projections.divergences import linked_page

router = APIRouter(tags=["partners"])


class SharedTickets(Struct, frozen=True, kw_only=True):
    tickets: list[SharedTicket]
    missing: list[str]
    """Of those that were named: there is none, or none that is exchanged with this partner."""
    next: str | None
    """Path and query of the next page of the list; null on the last one."""


async def looking(request: Request, helpdesk: str, tickets: int) -> Helpdesk:
    """The partner that looks, by its signature or its token; or of which somebody does who may read the whole log.

    Raises ``Stranger``, ``TooMany``, ``EntryNotFound``.
    """
    services: Services = request.app.state.services
    if SIGNATURE_HEADER in request.headers:
        headers = {name.lower(): value for name, value in request.headers.items()}
        await door_of(request.app.state).look(helpdesk, headers, request.scope["query_string"])
    else:
        await feed_visit(request, helpdesk)
    door_of(request.app.state).count_look(helpdesk, tickets)
    partner = await services.exchange.conversations.terms(helpdesk)
    if partner is None:
        raise EntryNotFound("helpdesk", helpdesk)
    return partner


_DESCRIPTION: Final = (
    "A ticket, under our name or the partner's; at most 50. Without any: a list of all."
)
Named = Annotated[
    list[Annotated[str, Query(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]] | None,
    Query(max_length=LOOK_MAX, description=_DESCRIPTION, examples=["GGUS-1"]),
]
_SIGNED: Final = "For a look that is signed instead of bearing a token. "


@router.get(
    "/partners/{helpdesk}/tickets",
    summary="Look at tickets that are exchanged",
    responses={
        **answers(SharedTickets),
        429: {**PROBLEMS[503], "description": "More than agreed: see Retry-After"},
    },
    openapi_extra={
        "parameters": [
            header(ID_HEADER, f"{_SIGNED}Another one each time.", required=False),
            header(TIMESTAMP_HEADER, f"{_SIGNED}Seconds since 1970.", required=False),
            header(SIGNATURE_HEADER, f"{_SIGNED}Of `GET ?` and the query, in place of a body.", required=False),
        ]
    },
)  # fmt: skip
async def look(
    helpdesk: HelpdeskPath,
    request: Request,
    ticket: Named = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=LOOK_MAX)] = LOOK_MAX,
) -> Response:
    """What both sides agreed on, as it is now, to be compared. Nothing is changed, and no other ticket is shown."""
    try:
        partner = await looking(request, helpdesk, len(ticket) if ticket else limit)
    except (Stranger, TooMany) as error:
        return refusal(error)
    services: Services = request.app.state.services
    conversations = services.exchange.conversations
    if ticket:
        named = {each: await shared(conversations, partner, each) for each in ticket}
        found = [each for each in named.values() if each]
        missing = [name for name, each in named.items() if each is None]
        return answer(SharedTickets(tickets=found, missing=missing, next=None))
    page = await services.ask(
        lambda connection: linked_page(connection, partner.name, cursor=cursor, limit=limit)
    )
    listed = [await of_conversation(conversations, partner, each) for each in page.items]
    link = next_link(request, cursor=page.next) if page.next else None
    found = [each for each in listed if each]
    return answer(SharedTickets(tickets=found, missing=[], next=link))
