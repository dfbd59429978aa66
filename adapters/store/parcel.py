"""One command's outcome, encoded and measured: what waits in the queue of the writer."""

from asyncio import Future
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from domain.aggregate import Claim
from domain.content import Content
from domain.errors import Invalid, TooLarge
from domain.formats import encode, topic_of
from domain.store import Answer, Append, Receipt

STATE_BYTES_MAX: Final = 64 << 10
CONTENT_BYTES_MAX: Final = 8 << 20
EVENTS_MAX: Final = 2000
PARCEL_BYTES_MAX: Final = 16 << 20
NAME_BYTES_MAX: Final = 1000
"""Of kinds, scopes, keys and media types: an index entry holds 2700 bytes."""


class Parcel:
    """All of it is stored, or nothing. ``receipt`` tells its sender how it ended."""

    __slots__ = (
        "answer", "claims", "contents", "ids", "receipt", "size", "states", "topics", "versions",
    )  # fmt: skip

    receipt: Future[Receipt]

    def __init__(
        self,
        ids: list[UUID],
        versions: list[int],
        topics: list[str],
        states: list[bytes],
        contents: Sequence[Content] = (),
        claims: Sequence[Claim] = (),
        answer: Answer | None = None,
    ) -> None:
        self.ids = ids
        self.versions = versions
        self.topics = topics
        self.states = states
        self.contents = contents
        self.claims = claims
        self.answer = answer
        self.size = 0
        """Bytes that dominate the statement."""


def pack(append: Append) -> Parcel:
    """Encode and measure. Raises ``TooLarge`` and ``Invalid`` before anything is sent."""
    events = append.events
    parcel = Parcel(
        [event.originator_id for event in events],
        [event.originator_version for event in events],
        [topic_of(event) for event in events],
        [encode(event) for event in events],
        append.contents,
        append.claims,
        append.answer,
    )
    assert all(version > 0 for version in parcel.versions)
    measure(parcel)
    return parcel


def measure(parcel: Parcel) -> None:
    """Set ``parcel.size`` and hold the limits: one sender must not stop the others."""
    states = parcel.states
    assert states, "an append has at least one event"
    if len(states) > EVENTS_MAX:
        raise TooLarge(f"{len(states)} events in one command, at most {EVENTS_MAX} are allowed")
    size = 0
    for state in states:
        if len(state) > STATE_BYTES_MAX:
            raise TooLarge(f"an event of {len(state)} bytes, at most {STATE_BYTES_MAX} are allowed")
        size += len(state)
    for content in parcel.contents:
        if len(content.body) > CONTENT_BYTES_MAX:
            raise TooLarge(
                f"a content of {len(content.body)} bytes, at most {CONTENT_BYTES_MAX} are allowed"
            )
        _must_be_name("media type", content.media_type)
        size += len(content.body)
    for claim in parcel.claims:
        _must_be_name("kind of claim", claim.kind)
        _must_be_name("key of claim", claim.key)
    if answer := parcel.answer:
        _must_be_name("scope of idempotency key", answer.scope)
        _must_be_name("idempotency key", answer.key)
        size += len(answer.body)
    if size > PARCEL_BYTES_MAX:
        raise TooLarge(f"{size} bytes in one command, at most {PARCEL_BYTES_MAX} are allowed")
    parcel.size = size


def _must_be_name(what: str, name: str) -> None:
    """What a text column of an index can hold."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise Invalid(f"{what} holds half a character") from None
    if "\0" in name:
        raise Invalid(f"{what} holds a zero character")
    if size > NAME_BYTES_MAX:
        raise TooLarge(f"{what} of {size} bytes, at most {NAME_BYTES_MAX} are allowed")
