"""Feeds of partners: pages, long waits, streams. A partner sees its own feed alone."""

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from msgspec import Struct

from api.auth import NotSignedIn, Scope
from api.bootstrap import Services
from api.callers import caller_of
from api.dependencies import answer, correlation_id
from api.documentation import answers
from api.feed_cursors import certain_place, must_be_in_feed
from api.feed_description import described
from api.feed_stream import FeedStream
from api.moments import instant
from api.problems import BadRequest, ScopeMissing
from domain.directory import Grant
from domain.errors import EntryNotFound, Forbidden
from domain.feeds import Entry, Mark
from domain.identifiers import random_id
from domain.provenance import Provenance, acting
from domain.rights import Actor, Right, require
from projections import feed_pages
from projections.feed_pages import LIMIT_MAX, FeedPage, FeedState, page_of, rendered

router = APIRouter(tags=["feeds"])

WAIT_S_MAX: Final = 30
SEQUENCE_MAX: Final = 2**53
_EXAMPLE: Final = "osg"

HelpdeskPath = Annotated[
    str,
    Path(min_length=1, max_length=100, pattern=r"^\w+$", examples=[_EXAMPLE], description="Name of the partner."),
]  # fmt: skip
AfterSequence = Annotated[
    int, Query(ge=0, le=SEQUENCE_MAX, description="The last sequence that the reader has.")
]
HASH: Final = r"^[0-9a-f]{64}$"
AfterHash = Annotated[
    str | None,
    Query(alias="hash", pattern=HASH, description="Its hash: refused with 409 if the feed has another there."),
]  # fmt: skip


class FeedVisit(Struct, frozen=True, gc=False):
    request: Request
    services: Services
    helpdesk: str
    actor: str

    async def allowed(self) -> bool:
        """Whether it still is: for streams, which last longer than tokens."""
        try:
            await feed_visit(self.request, self.helpdesk)
        except (NotSignedIn, ScopeMissing, Forbidden, EntryNotFound):
            return False
        return True

    async def must_stand(self, after: int, hash_: str | None) -> None:
        """The reader's last entry is in the feed, as it has it. Raises ``FeedLeft``, ``NotYet``."""
        if after or hash_ is not None:
            await must_be_in_feed(self.services, self.helpdesk, after, hash_)

    def acting(self) -> Any:
        header = correlation_id(self.request.headers.get("x-correlation-id"))
        return acting(Provenance(self.actor, random_id(), header))


async def feed_visit(request: Request, helpdesk: HelpdeskPath) -> FeedVisit:
    """The partner itself, or somebody who may read the whole log. Others are not told that it exists."""
    services: Services = request.app.state.services
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    access = await services.tokens.of_token(token.strip()) if kind.lower() == "bearer" else None
    if access is not None and access.helpdesk is not None:
        if access.helpdesk != helpdesk:
            raise EntryNotFound("feed", helpdesk)
        actor = Actor(f"helpdesk:{helpdesk}", grants=frozenset({Grant("helpdesk", helpdesk)}))
        return FeedVisit(request, services, helpdesk, actor.name)
    caller = await caller_of(request)
    if Scope.FEED not in caller.scopes:
        raise ScopeMissing(Scope.FEED.value)
    require(caller.actor, Right.AUDIT if request.method == "GET" else Right.ADMINISTER)
    await services.feed_pushing.must_be_known(helpdesk)
    return FeedVisit(request, services, helpdesk, caller.actor.name)


FeedReader = Annotated[FeedVisit, Depends(feed_visit)]


@router.get("/feeds/{helpdesk}", summary="How long a feed is", responses=answers(FeedState))
async def feed(visit: FeedReader) -> Response:
    """The last sequence and its hash."""
    return answer(
        await visit.services.ask(lambda connection: feed_pages.state(connection, visit.helpdesk))
    )


@router.get("/feeds/{helpdesk}/events", summary="Read a feed", responses=answers(FeedPage))
async def events(
    visit: FeedReader,
    after: AfterSequence = 0,
    hash_: AfterHash = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
    wait: Annotated[
        float, Query(ge=0, le=WAIT_S_MAX, description="Seconds to wait when there is nothing yet.")
    ] = 0,
) -> Response:
    """What follows a sequence. A full page never changes, except that texts may be erased from it.

    409 with the code `feed-forked` or `cursor-ahead` where the reader has an entry that the feed has not.
    """
    hub = visit.services.feed_hub
    items = await hub.entries(visit.helpdesk, after, limit)
    if not items or not _follows(items[0].data, after, hash_):
        await visit.must_stand(after, hash_)
    if not items and wait:
        with hub.following(visit.helpdesk) as channel:
            await hub.ready(channel)
            if await channel.wait(after, wait):
                items = await hub.entries(visit.helpdesk, after, limit)
    page = page_of(items, after)
    if len(items) < limit:
        return answer(page)
    # Kept by the reader, but asked for again: what was erased here must not live on in a cache.
    body = rendered(page)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if visit.request.headers.get("if-none-match") == tag:
        return Response(None, 304, headers)
    return Response(body, 200, headers, "application/json")


@router.get("/feeds/{helpdesk}/position", summary="Find a place", responses=answers(Mark))
async def position(
    visit: FeedReader,
    at: Annotated[
        str | None, Query(max_length=60, description="An instant with a zone.", examples=["2026-03-02T09:00:00Z"])
    ] = None,
    sequence: Annotated[int | None, Query(ge=0, le=SEQUENCE_MAX)] = None,
) -> Response:  # fmt: skip
    """Where to begin, with the hash to begin with: for what came at an instant or later, or after a sequence.

    404 where no entry has that sequence.
    """
    if (at is None) == (sequence is None):
        raise BadRequest("name either at=INSTANT or sequence=NUMBER")
    if at is not None:
        return answer(await mark_at(visit, at))
    chosen = sequence or 0
    place = await certain_place(visit.services, visit.helpdesk, chosen)
    if place.here is None:
        raise EntryNotFound("entry", str(chosen))
    return answer(Mark(chosen, place.here))


def _follows(first: Entry, after: int, hash_: str | None) -> bool:
    """Whether the next entry alone shows that the reader is in the feed."""
    return first.sequence == after + 1 if hash_ is None else first.previous == hash_


async def mark_at(visit: FeedVisit, at: str) -> Mark:
    """Where a reader stands who has read all that could be read before an instant. Raises ``Invalid``."""
    moment = instant(at, "at")
    return await visit.services.ask(
        lambda connection: feed_pages.mark_at(connection, visit.helpdesk, moment)
    )


@router.get(
    "/feeds/{helpdesk}/stream",
    summary="Follow a feed",
    response_class=Response,
    responses={200: {"description": "Server-sent events", "content": {"text/event-stream": {}}}},
)
async def stream(visit: FeedReader, after: AfterSequence = 0, hash_: AfterHash = None) -> Response:
    """Server-sent events: one CloudEvent each, with its sequence as `id`. `Last-Event-ID` goes before `after` and `hash`.

    `event: dropped` says that the reader was too slow, `event: ended` that the service or the token ends; come again.
    """
    given = visit.request.headers.get("last-event-id", "").strip()
    if given and not (given.isascii() and given.isdigit() and int(given[:17]) <= SEQUENCE_MAX):
        raise BadRequest("Last-Event-ID: the sequence that was read last", "bad-header")
    begin = int(given) if given else after
    await visit.must_stand(begin, None if given else hash_)
    return FeedStream(visit.services.feed_hub, visit.helpdesk, begin, visit.allowed)


@router.get("/asyncapi.json", summary="The feeds as AsyncAPI 3.0", response_class=Response)
async def asyncapi(request: Request) -> Response:
    """Made from the same structures as the entries."""
    services: Services = request.app.state.services
    return answer(described(services.settings.public_url))
