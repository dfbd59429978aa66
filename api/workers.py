"""What runs beside the requests: each worker is kept going, and its troubles are counted and shown."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
import structlog
from msgspec import Struct

from domain import clock
from domain.errors import StoreUnavailable

Work = Callable[[asyncio.Event], Awaitable[None]]
"""Runs until the event is set. May raise: it is started again, later and later."""

_PAUSE_S_MIN: Final = 0.1
_PAUSE_S_MAX: Final = 30.0
_STEADY_S: Final = 60.0
"""After running so long without trouble, the next trouble counts as the first."""
_END_S_MAX: Final = 10.0

_OUTSIDE: Final = (psycopg.OperationalError, TimeoutError, StoreUnavailable)
"""The database went away: no mistake of ours, so no traceback."""

log = structlog.get_logger()


class WorkerHealth(Struct, kw_only=True):
    name: str
    state: str = "not started"
    """``running``, ``restarting``, ``ended`` or ``not started``."""
    restarts: int = 0
    last_error: str = ""
    last_error_at: str = ""


class Workers:
    """A list of workers that start and end together."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        """Set when the program ends: streams and long waits look at it too."""
        self._work: dict[str, Work] = {}
        self._health: dict[str, WorkerHealth] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, name: str, work: Work) -> None:
        """Add one, before ``start``."""
        assert not self._tasks, "all workers are known before they start"
        assert name not in self._work
        self._work[name] = work
        self._health[name] = WorkerHealth(name=name)

    def health(self) -> list[WorkerHealth]:
        return list(self._health.values())

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep_going(name, work), name=name)
            for name, work in self._work.items()
        ]

    async def stop(self) -> None:
        """Ask all to end, wait a little, then insist."""
        self.stopping.set()
        if self._tasks:
            _, slow = await asyncio.wait(self._tasks, timeout=_END_S_MAX)
            for task in slow:
                log.warning("worker does not end by itself", worker=task.get_name())
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks = []

    async def _keep_going(self, name: str, work: Work) -> None:
        health = self._health[name]
        loop = asyncio.get_running_loop()
        pause_s = _PAUSE_S_MIN
        while not self.stopping.is_set():
            health.state = "running"
            started = loop.time()
            try:
                await work(self.stopping)
                if self.stopping.is_set():
                    break
                reason = "it ended by itself"
            except Exception as error:  # the edge: whatever it is, it is told and tried again
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:500]
                if isinstance(error, _OUTSIDE):
                    log.warning("worker waits for the database", worker=name, reason=reason)
                else:
                    log.exception("worker failed", worker=name)
            health.state, health.last_error = "restarting", reason
            health.last_error_at = clock.now().isoformat(timespec="seconds")
            health.restarts += 1
            pause_s = _PAUSE_S_MIN if loop.time() - started > _STEADY_S else pause_s
            await self._pause(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_S_MAX)
        health.state = "ended"

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return
