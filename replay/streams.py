"""Several streams at once, as they stand in the log: bytes, so that each event is decoded when it is its turn."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event

Ask = Callable[[LiteralString, Sequence[Any]], Awaitable[list[tuple[Any, ...]]]]
"""Puts one statement to the database."""
Row = tuple[int, int, bytes]
"""Of which of the streams an event is, counted from 1; its position; the event as it is stored."""

EVENTS: Final = """
    SELECT place, position, state FROM unnest(%b::uuid[]) WITH ORDINALITY AS asked (id, place)
      JOIN ledger.event ON originator_id = id ORDER BY place, originator_version
"""


class Placed(Struct, frozen=True, gc=False):
    """An event, and where it stands in the log."""

    position: int
    event: Event


async def streams(ask: Ask, wanted: Sequence[UUID]) -> list[list[Row]]:
    """The events of each, in order of version; empty for a stream that is not there."""
    found: list[list[Row]] = [[] for _ in wanted]
    rows: Any = await ask(EVENTS, [wanted]) if wanted else ()
    for row in rows:
        found[row[0] - 1].append(row)
    return found
