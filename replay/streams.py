"""Several streams at once, as they stand in the log: bytes, so that each event is decoded when it is its turn."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event

Ask = Callable[[LiteralString, Sequence[Any]], Awaitable[list[tuple[Any, ...]]]]
"""Puts one statement to the database."""
Row = tuple[int, bytes]
"""The position of an event, and the event as it is stored."""

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
    for place, position, state in await ask(EVENTS, [wanted]) if wanted else ():
        found[place - 1].append((position, state))
    return found
