"""Where a partner looks at the tickets that are exchanged with it: ``GET /api/v1/partners/{helpdesk}/tickets``."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct

from adapters.kit.sharing import LOOK_MAX, SharedTicket, of_conversation, shared, shared_file
from adapters.kit.webhook import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from api.attachments import UNKNOWN
from api.bootstrap import Services
from api.dependencies import Cursor, answer
from api.documentation import PROBLEMS, answers
from api.pagination import next_link
from api.problems import problem
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
NamedOne = Annotated[
    str,
    Query(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f]+$",
        description="The ticket, under our name or the partner's.",
        examples=["GGUS-1"],
    ),
]
Hash = Annotated[
    str, Query(pattern=r"^[0-9a-f]{64}$", description="Of the file.", examples=["0" * 64])
]
_RANGE: Final = re.compile(r"bytes=(\d{1,12})-")
_SIGNED: Final = "For a look that is signed instead of bearing a token. "


_HEADERS: Final[dict[str, Any]] = {
    "parameters": [
        header(ID_HEADER, f"{_SIGNED}Another one each time.", required=False),
        header(TIMESTAMP_HEADER, f"{_SIGNED}Seconds since 1970.", required=False),
        header(SIGNATURE_HEADER, f"{_SIGNED}Of `GET ?` and the query, in place of a body.", required=False),
    ]
}  # fmt: skip
_TOO_MANY: Final = {**PROBLEMS[503], "description": "More than agreed: see Retry-After"}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": description,
        "content": {UNKNOWN: {"schema": {"type": "string", "format": "binary"}}},
    }
    for status, description in ((200, "The file"), (206, "The rest of it"))
}


@router.get(
    "/partners/{helpdesk}/tickets",
    summary="Look at tickets that are exchanged",
    responses={
        **answers(SharedTickets),
        429: _TOO_MANY,
    },
    openapi_extra=_HEADERS,
)
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


@router.get(
    "/partners/{helpdesk}/tickets/files",
    summary="Fetch a file of a ticket that is exchanged",
    response_class=Response,
    responses={
        **_FILE,
        416: {**PROBLEMS[400], "description": "The file is not as long as that"},
        429: _TOO_MANY,
    },
    openapi_extra=_HEADERS,
)
async def file(
    helpdesk: HelpdeskPath, request: Request, ticket: NamedOne, sha256: Hash
) -> Response:
    """A public file by its hash. `Range: bytes=N-` asks for the rest, `If-Range` with its `ETag` is understood."""
    try:
        partner = await looking(request, helpdesk, 1)
    except (Stranger, TooMany) as error:
        return refusal(error)
    services: Services = request.app.state.services
    found = await shared_file(services.exchange.conversations, partner, ticket, sha256)
    if found is None:
        raise EntryNotFound("file", sha256)
    return _sent(request, found[0].sha256, found[1])


def _sent(request: Request, sha256: str, body: bytes) -> Response:
    tag = f'"{sha256}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Disposition": "attachment"}
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    if wanted is None or request.headers.get("if-range", tag) != tag:
        return Response(body, 200, headers, UNKNOWN)
    begin, size = int(wanted[1]), len(body)
    if begin >= size:
        return problem(
            416,
            "no-such-range",
            f"the file has {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
    headers["Content-Range"] = f"bytes {begin}-{size - 1}/{size}"
    return Response(body[begin:], 206, headers, UNKNOWN)
