"""Conversations that wait for their turn: a bounded number of them in memory, and the rest in the log.

However many wait, there are at most ``at_once`` tasks and ``most`` entries. What does not fit is left where
it stands, in the log, and fetched from there (``room``, ``behind``) when the others had their turn.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from adapters.tasks import end
from domain.errors import StoreUnavailable

log = structlog.get_logger()

TROUBLE_S: Final = 5.0

Work = Callable[[UUID], Awaitable[float | None]]
"""One step of a conversation: seconds until its next turn, 0 for at the end of the queue, None for done."""


class Turns:
    """Gives turns, each conversation one at a time, first come first served."""

    def __init__(self, work: Work, *, at_once: int, most: int) -> None:
        self._work, self._at_once, self._most = work, at_once, most
        self._since: dict[UUID, int] = {}
        """All that wait or are being worked at, and the position of the first event that says so."""
        self._ready: deque[UUID] = deque()
        self._later: list[tuple[float, UUID]] = []
        self._again: set[UUID] = set()
        """Something came in while they had their turn."""
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._held_until = 0.0
        self._one_by_one = False
        self.behind = 0
        """Position of the first event that was left in the log; 0 for none."""

    def add(self, stream: UUID, position: int, *, fetched: bool = False) -> None:
        """Something may have to be done since ``position``. ``fetched``: it was left in the log before."""
        if stream in self._since:
            if stream in self._tasks:
                self._again.add(stream)
            return
        if len(self._since) >= self._most or (self.behind and not fetched):
            self.behind = self.behind or position
            return
        self._since[stream] = position
        self._ready.append(stream)
        self._go_on()

    @property
    def room(self) -> bool:
        """Whether it is worth to fetch what was left in the log."""
        return bool(self.behind) and len(self._since) <= self._most // 2

    @property
    def full(self) -> bool:
        return len(self._since) >= self._most

    @property
    def waiting(self) -> int:
        """How many are in memory."""
        return len(self._since)

    def oldest(self) -> int | None:
        """Position of the first event that is not done with."""
        known = min(self._since.values(), default=0)
        return min((each for each in (known, self.behind) if each), default=None)

    def hold(self, seconds: float) -> None:
        """Nobody's turn for so long; then one at a time, until ``release``."""
        self._held_until = asyncio.get_running_loop().time() + seconds
        self._one_by_one = True
        self._go_on()

    def release(self, *, wake: bool = False) -> None:
        """As usual again. ``wake``: those too who wait for a later turn."""
        self._held_until, self._one_by_one = 0.0, False
        if wake:
            self._ready.extend(stream for _, stream in sorted(self._later))
            self._later.clear()
        self._go_on()

    async def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        tasks = list(self._tasks.values())
        self._since.clear()
        self._ready.clear()
        self._later.clear()
        await end(*tasks)

    # -- giving turns --------------------------------------------------------------------------------

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[1])
        places = 1 if self._one_by_one else self._at_once
        while self._ready and len(self._tasks) < places and now >= self._held_until:
            stream = self._ready.popleft()
            task = loop.create_task(self._turn(stream), name=f"exchange {stream}")
            self._tasks[stream] = task
        self._wait(now)

    def _wait(self, now: float) -> None:
        """Come back when the next one is due, or the hold is over."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        due = [self._later[0][0]] if self._later else []
        if self._ready and self._held_until > now:
            due.append(self._held_until)
        elif due and self._held_until > now:
            due = [max(due[0], self._held_until)]
        if due:
            self._timer = asyncio.get_running_loop().call_at(min(due), self._go_on)

    async def _turn(self, stream: UUID) -> None:
        try:
            pause_s = await self._work(stream)
        except StoreUnavailable:
            pause_s = TROUBLE_S
        except Exception:  # the edge: no conversation may stop the others, nor be forgotten
            log.exception("conversation in trouble", exchange=str(stream))
            pause_s = TROUBLE_S
        del self._tasks[stream]
        if stream not in self._since:
            return  # closed meanwhile
        if pause_s is None and stream not in self._again:
            del self._since[stream]
        elif pause_s:
            due = asyncio.get_running_loop().time() + pause_s
            heapq.heappush(self._later, (due, stream))
        else:
            self._ready.append(stream)
        self._again.discard(stream)
        self._go_on()
