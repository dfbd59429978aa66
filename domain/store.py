"""What the ledger needs of an event store. ``adapters.store`` fills it with PostgreSQL.

Every method is one round trip at the most. Instants are aware and in UTC; positions start at 1, have no
holes and stand in commit order: whoever has read up to position P has seen all that happened before it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Claim, Event
from domain.content import Content


class Answer(Struct, frozen=True, gc=False):
    """What was answered to a request with an idempotency key, stored with its events."""

    scope: str
    """Whose key it is: keys of different callers never meet."""
    key: str
    request_hash: bytes
    """SHA-256 of method, path and body: the same key with another request is refused."""
    body: bytes = b""
    """The answer, without what only the store knows (position, time of recording)."""


class StoredAnswer(Struct, frozen=True, gc=False):
    answer: Answer
    position: int
    recorded_at: datetime


class Append(Struct, frozen=True, gc=False):
    """One command's outcome: all of it is stored, or nothing."""

    events: Sequence[Event]
    contents: Sequence[Content] = ()
    claims: Sequence[Claim] = ()
    answer: Answer | None = None


class Receipt(Struct, frozen=True, gc=False):
    """Where the events of one append stand in the log."""

    first_position: int
    position: int
    """Of the last event."""
    recorded_at: datetime


class Recorded(Struct, frozen=True, gc=False):
    """An event as the log holds it."""

    position: int
    recorded_at: datetime
    event: Event


class EventStore(Protocol):
    async def append(self, append: Append) -> Receipt:
        """Store one command's events at the end of the log.

        Raises ``StaleVersion`` when another writer recorded one of the versions first, ``AlreadyClaimed``
        when a claim is taken, ``KeyReplayed`` when the idempotency key was used before, ``TooLarge``,
        ``StoreUnavailable`` when the outcome cannot be learned.
        """
        ...

    async def stream(
        self,
        originator_id: UUID,
        *,
        after_version: int = 0,
        until_version: int | None = None,
        until_position: int | None = None,
    ) -> list[Recorded]:
        """The events of one stream in order of version."""
        ...

    async def log(self, after_position: int, limit: int) -> list[Recorded]:
        """A page of the whole log, in order of position."""
        ...

    async def head(self) -> int:
        """The last position; 0 when the log is empty."""
        ...

    async def holder(self, kind: str, key: str) -> UUID | None:
        """The stream that holds a claim."""
        ...

    async def contents(self, ids: Iterable[UUID]) -> dict[UUID, Content]:
        """Contents by identifier; what was erased is missing."""
        ...

    async def answer(self, scope: str, key: str) -> StoredAnswer | None:
        """What was answered before to this idempotency key."""
        ...

    async def next_number(self) -> int:
        """A ticket number that was never given before."""
        ...

    async def next_numbers(self, count: int) -> list[int]:
        """Several of them, ascending, for an import."""
        ...

    async def erase(self, ids: Iterable[UUID]) -> int:
        """Delete contents for ever; how many there were. The events that refer to them stay."""
        ...

    async def purge_answers(self, before: datetime, most: int) -> int:
        """Forget the oldest answers that were recorded before an instant, at most so many; how many there were."""
        ...
