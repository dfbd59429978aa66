"""Asking a partner's search, round by round, what changed lately, and telling each change once.

Such a search is late, and counts time by another clock: so it is asked for more than the time since the last
round, in minutes before its own present, and what was told of a ticket is remembered for as long.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final, Protocol, TypeVar

from msgspec import Struct, field

from adapters.kit.answers import instant_or_latest
from adapters.kit.attaching import full
from adapters.kit.interface import Incoming

OVERLAP: Final = timedelta(minutes=10)
_MINUTE: Final = timedelta(minutes=1)
_SAME_CALL: Final = timedelta(seconds=5)
"""A text written together with a change of the state is kept so soon after it."""
_EVER: Final = datetime.min.replace(tzinfo=UTC)

T = TypeVar("T")


class Change(Protocol):
    @property
    def id(self) -> str: ...


class Document(Protocol):
    """What a poller makes of one change."""

    @property
    def change(self) -> Change: ...


DocumentT = TypeVar("DocumentT", bound=Document)


class Told(Struct, kw_only=True):
    """What was told of a ticket lately."""

    updated_at: str = ""
    """As the partner writes it; empty where there is more to tell."""
    changes: list[str] = field(default_factory=list)


class Rounds(Struct, kw_only=True):
    """How far asking got: the part of a cursor that has nothing to do with how the search tells its pages."""

    began_at: datetime
    """In their time: what happened before is not news."""
    asked_at: datetime
    """In ours: when the last complete round began."""
    round_at: datetime | None = None
    """When the present round began, where it needs several pages."""
    told: dict[str, Told] = field(default_factory=dict)

    def begin(self, now: datetime) -> int:
        """Begin a round, unless one is under way; the minutes before its beginning that it asks for."""
        self.round_at = self.round_at or now
        return math.ceil((self.round_at - self.asked_at + OVERLAP) / _MINUTE)

    def since(self, minutes: int, now: datetime, their_now: datetime) -> datetime:
        """From when on, in their time, the present round asks."""
        assert self.round_at is not None, "a round began"
        return their_now - minutes * _MINUTE - (now - self.round_at)

    def end(self, since: datetime) -> None:
        """End the round. What cannot be found again need not be remembered, nor what was put off and is there no more."""
        assert self.round_at is not None, "a round began"
        self.asked_at, self.round_at = self.round_at, None
        self.told = {
            name: each
            for name, each in self.told.items()
            if each.updated_at and instant_or_latest(each.updated_at) >= since - OVERLAP
        }

    def is_news(self, ticket: str, updated_at: str) -> bool:
        """Whether the ticket changed since it was told of."""
        before = self.told.get(ticket)
        return before is None or before.updated_at != updated_at

    def looked_at(self, ticket: str, updated_at: str) -> Told:
        """It is not looked at again before it changes."""
        told = self.told.setdefault(ticket, Told())
        told.updated_at = updated_at
        return told

    async def tell(
        self,
        ticket: str,
        updated_at: str,
        found: Iterable[tuple[datetime, DocumentT]],
        whole: Callable[[DocumentT], Awaitable[bytes]],
    ) -> list[Incoming]:
        """What was not told lately, in the order in which it happened: as much as may be held at once, the rest next time.

        ``found``: what happened to the ticket, and when. ``whole``: how a document is kept, with its files.
        """
        told = self.looked_at(ticket, updated_at)
        messages: list[Incoming] = []
        for when, document in sorted(found, key=itemgetter(0)):
            name = document.change.id
            if name in told.changes:
                continue
            if full(messages):
                told.updated_at = ""
                break
            raw = await whole(document)
            messages.append(Incoming(message_id=name, raw=raw, sent_at=when))
            told.changes.append(name)
        return messages


def last_said(
    texts: Sequence[tuple[datetime, T]], changed_at: datetime, reopened: Iterable[datetime]
) -> T | None:
    """The last of these texts, oldest first, that was written before a change of the state, or with it.

    ``reopened``: when the ticket was, before that change. What was written earlier belongs to another outcome.
    """
    since, until = max(reopened, default=_EVER), changed_at + _SAME_CALL
    return next((each for at, each in reversed(texts) if since <= at <= until), None)
