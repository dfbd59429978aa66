"""Feeds that are pushed: where to, from where on, and with which key. Each partner has its own to say."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import answer
from api.documentation import answers
from api.feed_pushing import OVERLAP, PushStatus
from api.problems import BadRequest
from api.routes.feeds import HASH, SEQUENCE_MAX, FeedReader, mark_at

router = APIRouter(tags=["feeds"])


class Subscribing(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://desk.example.org/feed", "after": 0}]},
    )

    url: Annotated[str, Field(min_length=1, max_length=500)]
    after: Annotated[int, Field(ge=0, le=SEQUENCE_MAX)] = 0
    """Entries with a higher sequence are pushed."""
    hash: Annotated[str, Field(pattern=HASH)] | None = None
    """Of that sequence: refused if the feed has another there."""


class Rewinding(BaseModel):
    """One of both."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"after": 0}]})

    after: Annotated[int, Field(ge=0, le=SEQUENCE_MAX)] | None = None
    """Entries with a higher sequence are pushed."""
    hash: Annotated[str, Field(pattern=HASH)] | None = None
    """With ``after``: refused if the feed has another there."""
    at: Annotated[str, Field(max_length=60)] | None = None
    """An instant with a zone: what came then or later is pushed."""


class Rotating(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_h": 24}]})

    overlap_h: Annotated[int, Field(ge=0, le=168)] = int(OVERLAP.total_seconds() // 3600)
    """Hours in which the old key signs beside the new one."""


class Subscribed(Struct, frozen=True):
    status: PushStatus
    secret: str | None
    """The key, when it is the first one. It is not shown again."""


class Rotated(Struct, frozen=True):
    secret: str
    """The new key. It is not shown again."""
    until: datetime
    """Until then, the old key signs too."""


_SUBSCRIPTION: Final = "/feeds/{helpdesk}/subscription"


@router.get(_SUBSCRIPTION, summary="How pushing goes", responses=answers(PushStatus))
async def subscription(visit: FeedReader) -> Response:
    """Where to, how far, and what went wrong last."""
    return answer(await visit.services.feed_pushing.status(visit.helpdesk))


@router.put(_SUBSCRIPTION, summary="Have a feed pushed", responses=answers(Subscribed))
async def subscribe(visit: FeedReader, body: Subscribing) -> Response:
    """As signed webhooks (Standard Webhooks), each entry in its order, until the receiver answers with success."""
    pushing = visit.services.feed_pushing
    await visit.must_stand(body.after, body.hash)
    with visit.acting():
        secret = await pushing.subscribe(visit.helpdesk, body.url, body.after)
    return answer(Subscribed(await pushing.status(visit.helpdesk), secret))


@router.delete(_SUBSCRIPTION, summary="Push no more", responses=answers(PushStatus))
async def unsubscribe(visit: FeedReader) -> Response:
    """The feed itself goes on."""
    with visit.acting():
        await visit.services.feed_pushing.end(visit.helpdesk)
    return await subscription(visit)


@router.post(f"{_SUBSCRIPTION}/pause", summary="Pause pushing", responses=answers(PushStatus))
async def pause(visit: FeedReader) -> Response:
    """Nothing is lost meanwhile."""
    with visit.acting():
        await visit.services.feed_pushing.pause(visit.helpdesk)
    return await subscription(visit)


@router.post(f"{_SUBSCRIPTION}/resume", summary="Go on pushing", responses=answers(PushStatus))
async def resume(visit: FeedReader) -> Response:
    """From where it was."""
    with visit.acting():
        await visit.services.feed_pushing.resume(visit.helpdesk)
    return await subscription(visit)


@router.post(f"{_SUBSCRIPTION}/rewind", summary="Push again", responses=answers(PushStatus))
async def rewind(visit: FeedReader, body: Rewinding) -> Response:
    """From any sequence or instant on."""
    if (body.after is None) == (body.at is None):
        raise BadRequest("name either after, a sequence, or at, an instant")
    after = body.after or 0
    if body.at is not None:
        after = (await mark_at(visit, body.at)).sequence
    else:
        await visit.must_stand(after, body.hash)
    with visit.acting():
        await visit.services.feed_pushing.rewind(visit.helpdesk, after)
    return await subscription(visit)


@router.post(f"{_SUBSCRIPTION}/rotate-key", summary="Get another key", responses=answers(Rotated))
async def rotate_key(visit: FeedReader, body: Rotating) -> Response:
    """For a while, deliveries carry a signature of each."""
    with visit.acting():
        secret, until = await visit.services.feed_pushing.rotate_key(
            visit.helpdesk, timedelta(hours=body.overlap_h)
        )
    return answer(Rotated(secret, until))
