"""Our doors during a conformance run: slow or shut for one partner and a bounded time, and what was seen there.

What is set stands in a checkpoint, so that every process minds it; losing it opens the door. Outside of
runs nothing is looked up.
"""

import asyncio
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

import msgspec
from msgspec import Struct

from adapters.kit.doorkeeping import Shut
from adapters.store.checkpoints import Checkpoints
from domain import clock
from domain.helpdesk import PRODUCTION, Helpdesk, InterfaceState

FRESH_S: Final = 0.5
"""So long a process believes what it read: what is set holds everywhere after it."""
_SET: Final = "door:"
_SEEN: Final = "door-seen:"
_KNOWN_MAX: Final = 1_000


class DoorSetting(Struct, kw_only=True):
    until: datetime
    """From then on nothing of this holds."""
    late_s: int = 0
    shut_s: int = 0
    """Counted from the first message that was turned away."""


class DoorSeen(Struct, kw_only=True):
    turned_away: int = 0
    first_at: datetime | None = None
    late: int = 0
    repeated: int = 0


class Doors:
    """The ``Doorkeeper`` of the service."""

    def __init__(self, checkpoints: Checkpoints, environment: str) -> None:
        self._checkpoints, self._environment = checkpoints, environment
        self._known: dict[str, tuple[float, DoorSetting | None]] = {}
        self._counting = asyncio.Lock()

    # -- for those at the door -----------------------------------------------------------------------

    async def admit(self, partner: Helpdesk) -> None:
        setting = await self._setting(partner)
        if setting is None:
            return
        if setting.late_s:
            await self._count(partner.name, late=1)
            await asyncio.sleep(setting.late_s)
        if setting.shut_s:
            left_s = await self._shut_for(partner.name, setting)
            if left_s > 0:
                await self._count(partner.name, turned_away=1)
                raise Shut(max(1, round(left_s)))

    async def repeated(self, partner: Helpdesk) -> None:
        if await self._setting(partner) is not None:
            await self._count(partner.name, repeated=1)

    async def _setting(self, partner: Helpdesk) -> DoorSetting | None:
        if self._environment == PRODUCTION and partner.interface is not InterfaceState.TESTING:
            return None
        now = monotonic()
        known = self._known.get(partner.name)
        if known is None or known[0] < now:
            if known is not None:  # one asks, and the others go on for a moment with what is known
                self._known[partner.name] = now + FRESH_S, known[1]
            _, memory = await self._checkpoints.load(_SET + partner.name)
            setting = msgspec.json.decode(memory, type=DoorSetting) if memory else None
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            known = self._known[partner.name] = now + FRESH_S, setting
        setting = known[1]
        return setting if setting is not None and clock.now() < setting.until else None

    async def _shut_for(self, name: str, setting: DoorSetting) -> float:
        seen = await self.seen(name)
        if seen.first_at is None:
            return setting.shut_s
        opens_at = seen.first_at + timedelta(seconds=setting.shut_s)
        return (opens_at - clock.now()).total_seconds()

    async def _count(self, name: str, **what: int) -> None:
        """Another process may count at the same time: that there was something is what matters."""
        async with self._counting:
            seen = await self.seen(name)
            for field, by in what.items():
                setattr(seen, field, getattr(seen, field) + by)
            if "turned_away" in what and seen.first_at is None:
                seen.first_at = clock.now()
            await self._checkpoints.save(_SEEN + name, 0, msgspec.json.encode(seen))

    # -- for the run ---------------------------------------------------------------------------------

    async def set(
        self, name: str, *, most_s: int, late_s: int = 0, shut_s: int = 0, anew: bool = True
    ) -> None:
        """Change the door to a partner, for at most ``most_s``; it holds everywhere when this returns.

        Without any lateness, what is repeated is counted and nothing else. ``anew``: count from 0.
        """
        if anew:
            await self._checkpoints.save(_SEEN + name, 0, msgspec.json.encode(DoorSeen()))
        until = clock.now() + timedelta(seconds=most_s)
        setting = DoorSetting(until=until, late_s=late_s, shut_s=shut_s)
        await self._checkpoints.save(_SET + name, 0, msgspec.json.encode(setting))
        await asyncio.sleep(FRESH_S)

    async def open(self, name: str) -> None:
        """As if nothing had been set."""
        _, memory = await self._checkpoints.load(_SET + name)
        if memory:
            await self._checkpoints.save(_SET + name, 0, b"")

    async def seen(self, name: str) -> DoorSeen:
        """What was counted since the door was changed."""
        _, memory = await self._checkpoints.load(_SEEN + name)
        return msgspec.json.decode(memory, type=DoorSeen) if memory else DoorSeen()
