"""Events that this process wrote lately, by their bytes: when they are read again they need not be decoded."""

from collections.abc import Sequence
from typing import Final

from domain.aggregate import Event
from domain.exchange import Exchange
from domain.formats import decode
from domain.ticket import Ticket

_MOST: Final = 1_000
_BYTES_MAX: Final = 4_000
_KINDS: Final = Ticket.mutators.keys() | Exchange.mutators.keys()
"""They hold no tables, whose order would be another when they are read."""


class Written:
    def __init__(self) -> None:
        self._young: dict[bytes, Event] = {}
        self._old: dict[bytes, Event] = {}

    def remember(self, states: Sequence[bytes], events: Sequence[Event]) -> None:
        """``states``: how the events are written."""
        if len(self._young) >= _MOST:
            self._old, self._young = self._young, {}
        for state, event in zip(states, events, strict=True):
            if type(event) in _KINDS and len(state) <= _BYTES_MAX:
                self._young[state] = event

    def event(self, state: bytes) -> Event:
        return self._young.get(state) or self._old.get(state) or decode(state)
