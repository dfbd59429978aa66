"""One ticket's conversation with one helpdesk: every message in and out, and what became of it.

Whatever arrives is kept before it is understood; whatever leaves is intended before it is sent. So a
crash between any two steps leaves a recorded question, never a lost or a doubled message.

Each part is a file of its own, and each action reads top-down: the event (what is stored), the command (may
we?), the mutator (what changes). What both sides hold to be different is in ``domain.conflicts`` and
``domain.divergences``.
"""

from copy import copy
from typing import Final
from uuid import UUID

from domain.conflicts import Conflicting
from domain.divergences import Diverging
from domain.exchange.linking import Linking
from domain.exchange.parking import Parking
from domain.exchange.receiving import LOOP, Receiving
from domain.exchange.sending import Sending
from domain.exchange.state import Direction, Message, Outcome

__all__ = ["LOOP", "Direction", "Exchange", "Message", "Outcome"]


class Exchange(Linking, Receiving, Sending, Parking, Conflicting, Diverging):
    """The conversation, from the first message or the first decision to tell."""

    KIND: Final = "exchange"

    def fork(self) -> "Exchange":
        """A second conversation with this state, on which to decide without touching this one."""
        assert not self.pending_events
        other = Exchange.__new__(Exchange)
        state = vars(other)
        state.update(vars(self))
        for name in _CONTAINERS:
            state[name] = state[name].copy()
        for reference, message in self.messages.items():
            other.messages[reference] = copy(message)
        return other


_CONTAINERS: Final = tuple(
    name for name, value in vars(Exchange(UUID(int=0))).items() if isinstance(value, dict | set | list)
)  # fmt: skip
"""Attributes whose values change in place."""
