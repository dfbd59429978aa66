"""Forgets what nobody needs any more: answers to requests with an idempotency key, what our own database server said.

All else that grows is the ledger itself or folded from it, or one row a partner (checkpoints, progress of feeds, the
last run through a mapping), or is tidied where it is made (sessions with each sign-in, keys of feeds with each
rotation). Tokens stay: they say who could come in.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.store.embedded import shorten_log
from domain import clock
from domain.store import EventStore

_AT_ONCE: Final = 500
"""One statement of a few milliseconds: who sends a command at the same time does not notice."""
_PAUSE_S: Final = 0.2
_EVERY_S: Final = 600.0


class Housekeeping:
    """Any number of processes may do it: of two at the same moment, one finds nothing left to do."""

    def __init__(
        self,
        store: EventStore,
        keep_answers: timedelta,
        own_server: Path | None = None,
        *,
        every_s: float = _EVERY_S,
    ) -> None:
        """``own_server``: the data directory of our own database server, where there is one."""
        self._store, self._keep, self._every_s = store, keep_answers, every_s
        self._own_server = own_server

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set. Raises ``StoreUnavailable``."""
        pause_s = self._every_s  # a command of the command line is over before
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
                return
            if self._own_server is not None:
                await asyncio.to_thread(shorten_log, self._own_server)
            gone = await self._store.purge_answers(clock.now() - self._keep, _AT_ONCE)
            pause_s = _PAUSE_S if gone == _AT_ONCE else self._every_s
