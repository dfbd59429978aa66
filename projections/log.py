"""The log as folds read it: pages of events, decoded once for all projections."""

import asyncio
import gc
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from msgspec import ValidationError

from domain.formats import decode
from projections.projection import Logged, logged
from projections.tables import Connection

SLICE: Final = 500
"""Events that are decoded or folded without a pause: a few milliseconds."""
FEW: Final = 20

PAGE: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE position > %b AND position <= %b ORDER BY position LIMIT %b
"""
HEAD: Final = "SELECT coalesce(max(position), 0) FROM ledger.event"


class UnreadableEvent(Exception):
    """An event of the log cannot be decoded. No projection goes past it."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(f"event at position {position} cannot be read: {why}")
        self.position = position


async def head(connection: Connection) -> int:
    row = await (await connection.execute(HEAD)).fetchone()
    assert row is not None
    return int(row[0])


async def page(connection: Connection, after: int, until: int, limit: int) -> list[Logged]:
    """The next events of the log. Needs a connection with instants as integers (``columns.adapt``).

    Raises ``UnreadableEvent`` if the first of them cannot be read; a later one ends the page before it.
    """
    cursor = await connection.execute(PAGE, (after, until, limit), binary=True)
    rows = await cursor.fetchall()
    events: list[Logged] = []
    for first in range(0, len(rows), SLICE):
        some = rows[first : first + SLICE]
        try:
            with uncollected():
                _decode(some, events)
        except UnreadableEvent:
            if events:
                return events
            raise
        await pause(len(some))
    return events


async def pause(done: int) -> None:
    """Let others go on after work on so many events or rows; where it was a few, they hardly had to wait."""
    if done >= FEW:
        await asyncio.sleep(0)


@contextmanager
def uncollected() -> Generator[None]:
    """Keep the garbage collector away from a slice of work that makes many objects and no cycles.

    It would look at them again and again: a third of the time of a rebuild.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def rarely_collected() -> Generator[None]:
    """Let the garbage collector look much less often while something long and large is made."""
    usual = gc.get_threshold()
    gc.set_threshold(200_000, 50, 1_000)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _decode(rows: Sequence[tuple[Any, ...]], events: list[Logged]) -> None:
    for position, recorded_at, state in rows:
        try:
            events.append(logged(position, recorded_at, decode(state)))
        except (ValidationError, ValueError) as error:
            raise UnreadableEvent(position, str(error)) from error
