"""Projections on their way along the log: fold, place, and what stopped one of them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from projections.log import SLICE, pause, uncollected
from projections.positions import Move, Place, Written, move, stall
from projections.projection import Logged, Projection
from projections.tables import Connection

_RETRY_S: Final = 2.0
_RETRY_S_MAX: Final = 60.0
_SMOOTHING: Final = 0.3


class Track:
    def __init__(self, projection: Projection, place: Place) -> None:
        self.projection = projection
        self.place = place
        self.fold = projection.fold()
        self.error = ""
        self.retry_at = 0.0
        """By the loop's clock; a projection that stopped tries again now and then."""
        self.events_per_s = 0.0
        self._failures = 0

    @property
    def name(self) -> str:
        return self.projection.name

    @property
    def position(self) -> int:
        return self.place.position

    async def take(self, connection: Connection, events: Sequence[Logged]) -> list[Written]:
        """What ``take`` does, for this projection alone."""
        return await take(connection, [self], events)

    async def fold_page(self, connection: Connection, events: Sequence[Logged]) -> bool:
        """Fold without writing anything; whether there was something to fold."""
        topics = self.projection.topics
        relevant = [each for each in events if type(each.event) in topics]
        if not relevant:
            return False
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.fold.load(connection, relevant)
        for first in range(0, len(relevant), SLICE):
            some = relevant[first : first + SLICE]
            with uncollected():
                self.fold.apply(some)
            await pause(len(some))
        self._measure(len(relevant), loop.time() - began)
        return True

    def written(self) -> list[Written]:
        """The rows that were folded, to be written."""
        taken = [(rows.table, rows.take(everything=True)) for rows in self.fold.rows]
        return [(table, rows) for table, rows in taken if rows]

    def moved(self, position: int) -> None:
        """Rows and position are written."""
        self.fold.trim()
        self.place = Place(self.place.form, self.place.generation, position)
        self.error, self._failures = "", 0

    async def stop(self, connection: Connection, error: Exception, position: int | None) -> None:
        """Stand still with an error, for all to see, until the next attempt."""
        self.error = f"{type(error).__name__}: {error}"
        await stall(connection, self.name, self.place, self.error, position)
        pause = min(_RETRY_S * 2**self._failures, _RETRY_S_MAX)
        self._failures += 1
        self.retry_at = asyncio.get_running_loop().time() + pause

    def begin_again(self, place: Place) -> None:
        """Go on from another place, with nothing in hands."""
        self.place = place
        self.fold.forget()

    def _measure(self, events: int, seconds: float) -> None:
        speed = events / max(seconds, 1e-6)
        self.events_per_s += _SMOOTHING * (speed - self.events_per_s)


async def take(
    connection: Connection, tracks: Sequence[Track], events: Sequence[Logged]
) -> list[Written]:
    """Fold a page and write rows and new positions in one statement, of all that stand at the same place.

    Raises ``Overtaken``, and whatever a fold or the database say: then nothing was written, for none of them.
    """
    position = events[-1].position
    try:
        folded = [track for track in tracks if await track.fold_page(connection, events)]
        moves = [Move(each.name, each.place.generation, each.events_per_s) for each in tracks]
        written = [rows for track in folded for rows in track.written()]
        await move(connection, moves, tracks[0].position, position, written)
    except BaseException:
        for track in tracks:
            track.fold.forget()
        raise
    for track in tracks:
        track.moved(position)
    return written
