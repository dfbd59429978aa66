"""One projection on its way along the log: its fold, its place, and what stopped it."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from projections.log import SLICE, uncollected
from projections.positions import Place, move, stall
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

    async def take(self, connection: Connection, events: Sequence[Logged]) -> None:
        """Fold a page and write its rows and the new position in one transaction.

        Raises ``Overtaken``, and whatever the fold or the database say: then nothing was written.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        topics = self.projection.topics
        relevant = [each for each in events if type(each.event) in topics]
        position = events[-1].position
        try:
            await self._fold(connection, relevant)
            self._measure(len(events), loop.time() - began)
            # Nothing to write beside the position: one statement is a transaction by itself.
            async with connection.transaction() if relevant else contextlib.nullcontext():
                await move(connection, self.name, self.place, position, self.events_per_s)
                for rows in self.fold.rows if relevant else ():
                    await rows.table.write(connection, rows.take(everything=True))
                    await asyncio.sleep(0)
        except BaseException:
            self.fold.forget()
            raise
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

    async def _fold(self, connection: Connection, events: Sequence[Logged]) -> None:
        if not events:
            return
        await self.fold.load(connection, events)
        for first in range(0, len(events), SLICE):
            with uncollected():
                self.fold.apply(events[first : first + SLICE])
            await asyncio.sleep(0)

    def _measure(self, events: int, seconds: float) -> None:
        speed = events / max(seconds, 1e-6)
        self.events_per_s += _SMOOTHING * (speed - self.events_per_s)
