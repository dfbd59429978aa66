"""Pages of long lists: each names the place where the next one begins, so nothing is skipped or doubled."""

import base64
from collections.abc import Callable, Collection, Sequence
from typing import Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from domain.errors import Invalid, UnknownValue
from domain.lifecycle import Status

LIMIT_MAX: Final = 200
_CURSOR_CHARACTERS_MAX: Final = 1_000
_NOT_OURS: Final = "this cursor is not one of this list: leave it out to begin at the first page"

T = TypeVar("T")
KeyT = TypeVar("KeyT", bound=Struct)


class Page(Struct, Generic[T], frozen=True):
    items: list[T]
    next: str | None = None
    """The cursor of the following page; None on the last one."""


def write_cursor(key: Struct) -> str:
    """An opaque name for the place after ``key``."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor(cursor: str, kind: type[KeyT]) -> KeyT:
    """The key that a cursor stands for. Raises ``Invalid`` for anything that we did not write."""
    refused = Invalid(
        "this cursor is not one of this list: leave it out to begin at the first page"
    )
    try:
        # Cut off before it is looked at: what we write is short.
        padded = cursor[:_CURSOR_CHARACTERS_MAX] + "=" * (-len(cursor) % 4)
        encoded = base64.b64decode(padded.encode("ascii"), b"-_", validate=True)
        key = msgspec.json.decode(encoded, type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise refused from error
    if write_cursor(key) != cursor:  # such as one of another list, with more fields
        raise refused
    return key


def checked_limit(limit: int, most: int = LIMIT_MAX) -> int:
    """Raises ``Invalid`` unless it is a sensible size of a page."""
    if not 1 <= limit <= most:
        raise Invalid(f"limit must be from 1 to {most}")
    return limit


def page_of(found: Sequence[T], limit: int, key: Callable[[T], Struct]) -> Page[T]:
    """The page, when one row more than ``limit`` was asked for."""
    items = list(found[:limit])
    return Page(items, write_cursor(key(items[-1])) if len(found) > limit else None)


def known_statuses(statuses: Collection[Status | str]) -> frozenset[Status]:
    """Statuses from themselves or their values. Raises ``UnknownValue``."""
    possible = [status.value for status in Status]
    for status in statuses:
        if not isinstance(status, Status) and status not in possible:
            raise UnknownValue("status", status, possible)
    return frozenset(Status(status) for status in statuses)
