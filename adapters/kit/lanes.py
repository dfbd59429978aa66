"""What goes out to one partner: a few messages at a time, and hardly any while the partner is down.

A partner that fails in several conversations in a row is down as a whole. Then one message at a time is
tried, later and later and each time another one, so that no single one uses up its attempts; the
others wait unharmed, however many they are.
"""

from typing import Final
from uuid import UUID

from adapters.kit.outbox import Outbox
from adapters.kit.retry import Patience
from adapters.kit.turns import Turns

_AT_ONCE: Final = 4
"""Messages on their way to one partner: a slow one keeps its own waiting, nobody else's."""
MOST: Final = 2_000
_DOWN_AFTER: Final = 3
"""Conversations that fail, without a success between: it is not the messages."""
_HELD_S: Final = 30.0
"""How often it is looked whether a paused partner is back, apart from being told."""


class Lane:
    def __init__(self, outbox: Outbox, patience: Patience, *, most: int = MOST) -> None:
        self._outbox, self._patience = outbox, patience
        self.turns = Turns(self._deliver, at_once=_AT_ONCE, most=most)
        self._failing: set[UUID] = set()
        self.probes = 0
        """How often the partner was tried since it is down."""

    @property
    def down(self) -> bool:
        return bool(self.probes) or len(self._failing) >= _DOWN_AFTER

    def resume(self, behind: int, probes: int) -> None:
        """As before a restart: what waits since ``behind`` is in the log, and a partner that was down is tried once."""
        self.turns.behind, self.probes = behind, probes
        if self.down:
            self.turns.hold(0)

    def wake(self) -> None:
        """The partner's terms have changed: try everything again."""
        self._failing.clear()
        self.probes = 0
        self.turns.release(wake=True)

    async def _deliver(self, stream: UUID) -> float | None:
        """One message; how the partner took it decides about the others too."""
        attempt = await self._outbox.deliver(stream)
        if attempt is None:
            return None
        if attempt.held:
            self.turns.hold(_HELD_S)
            return 0
        if attempt.answered:
            self._failing.clear()
            self.probes = 0
            self.turns.release()
            return attempt.pause_s
        if len(self._failing) < _DOWN_AFTER:
            self._failing.add(stream)
        if self.down:
            self.probes += 1
            self.turns.hold(self._patience.pause_s(self.probes, attempt.retry_after_s))
        elif attempt.retry_after_s:
            self.turns.hold(attempt.retry_after_s)
        return attempt.pause_s
