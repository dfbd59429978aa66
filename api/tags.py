"""What names a version in ETag and If-Match, so that one that is given again after a loss is told apart.

A log that lost its end gives places in a stream a second time: version 5 of a ticket may be another state than the
version 5 that somebody read before. So what a loss may have touched bears the position of the event that tells of it:
`"5"` becomes `"5-1004005"`. A ticket that was opened after the loss is called as ever.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from adapters.store.engine import PostgresStore
from adapters.store.wakeup import POLL_S, Wakeup
from domain.errors import LOST, Invalid
from domain.log import LOG_ID, Log

_TAG: Final = re.compile(r"(\d{1,9})(?:-(\d{1,18}))?")


class Tags:
    """Knows the losses by heart, so that no request asks for them."""

    def __init__(self, store: PostgresStore, wakeup: Wakeup) -> None:
        self._store, self._wakeup = store, wakeup
        self._losses: Sequence[tuple[int, int]] = ()
        """Where the log tells of them, and the last ticket number that each may have touched."""

    def tag(self, version: int, number: int | None = None) -> str:
        """Of a ticket by its number, else of another entry of the log."""
        loss = self._loss(number)
        return f"{version}-{loss}" if loss else str(version)

    def etag(self, version: int, number: int | None = None) -> dict[str, str]:
        """The header."""
        return {"ETag": f'"{self.tag(version, number)}"'}

    def version(self, tag: str, number: int | None = None) -> int:
        """The version that is meant, ``LOST`` where it is of before a loss. Raises ``Invalid``."""
        found = _TAG.fullmatch(tag)
        if found is None:
            raise Invalid(f"{tag[:40]!r} is not the tag of a version")
        return int(found[1]) if int(found[2] or 0) == self._loss(number) else LOST

    async def learn(self) -> None:
        """Raises ``StoreUnavailable``."""
        self._losses = [
            (recorded.position, recorded.event.numbers_until)
            for recorded in await self._store.stream(LOG_ID)
            if isinstance(recorded.event, Log.Restored)
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Hear of losses that are told while the service runs, within a second."""
        head = 0
        while not stop.is_set():
            if self._wakeup.head != head:
                head = self._wakeup.head
                await self.learn()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_S)

    def _loss(self, number: int | None) -> int:
        """Of the last loss that may have touched it; 0 where there is none."""
        touched = (at for at, until in self._losses if number is None or number <= until)
        return max(touched, default=0)
