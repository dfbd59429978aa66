"""What a partner's interface answers, as far as an adapter relies on it: rows, instants, and the time there."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

import msgspec

from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered
from domain import clock

T = TypeVar("T")
LATEST: Final = datetime.max.replace(tzinfo=UTC)


def as_(kind: type[T], found: object) -> T:
    """What was found, as this kind. Raises ``Undelivered`` for what is not of it."""
    return _converted(kind, found, strict=True)


def loosely(kind: type[T], found: object) -> T:
    """The same for partners that write numbers as texts."""
    return _converted(kind, found, strict=False)


def _converted(kind: type[T], found: object, *, strict: bool) -> T:
    try:
        return msgspec.convert(found, kind, strict=strict)
    except msgspec.ValidationError as error:
        raise Undelivered("strange-answer", f"{kind.__name__}: {error}", final=False) from error


def instant(text: str | None) -> datetime | None:
    """An instant with its zone, in UTC. Anything else is not believed."""
    try:
        at = datetime.fromisoformat(text or "")
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError):  # the latter: the first year in a zone that is ahead
        return None


def instant_or_latest(text: str | None) -> datetime:
    """The same. What says no zone is taken for new: it is kept once in any case."""
    return instant(text) or LATEST


def told_at(answer: Answer) -> datetime | None:
    """When they answered, by their clock, to the second; None where the server does not say."""
    try:
        at = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def their_time(answer: Answer) -> datetime:
    """The same; ours where the server does not say."""
    return told_at(answer) or clock.now()
