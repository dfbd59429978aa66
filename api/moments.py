"""Instants as people and programs write them: always with a zone, or as a position of the log."""

from datetime import UTC, datetime
from typing import Final

from domain.errors import Invalid
from domain.ledger import AsOf

POSITION_MAX: Final = 2**63 - 1
_DIGITS_MAX: Final = 18


def instant(text: str, field: str = "time") -> datetime:
    """An ISO 8601 instant with a zone, in UTC. Raises ``Invalid`` with a hint."""
    try:
        # A plus sign in a query string arrives as a space; an instant has none before its zone.
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError as error:
        raise Invalid(
            f"{field}: {text[:60]!r} is not an instant; write it as 2026-03-02T09:00:00Z"
        ) from error
    if found.tzinfo is None:
        raise Invalid(f"{field}: {text!r} has no zone; add Z for UTC or an offset such as +01:00")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise Invalid(f"{field}: {text!r} is too far away") from error


def as_of(text: str | None) -> AsOf | None:
    """A position when these are only digits, else an instant; None for nothing."""
    if text is None or not text.strip():
        return None
    if text.isascii() and text.isdigit():
        if len(text) > _DIGITS_MAX:
            raise Invalid(f"as_of: {text[:60]} is no position")
        return int(text)
    return instant(text, "as_of")
