"""What a change of a partner's state says of our status, read with its tables."""

from typing import Final

from adapters.kit import words as kit
from domain.lifecycle import TERMINAL, Status
from domain.words import Words

_OVER: Final = frozenset(status.value for status in TERMINAL)


def over(words: Words, state: str) -> bool:
    """Nobody works on a ticket in this state of theirs. To leave it is to reopen."""
    return words.states.read(state) in _OVER


def step(words: Words, old: str, new: str, ours: Status) -> tuple[Status | None, Status | None]:
    """Our status for their state before and after; None where that moves nothing.

    Where they know several of ours by one word, the one that our ticket is in is meant. Raises ``Unreadable``.
    """
    said = kit.status(words, new)
    if said is not None and over(words, old) and not over(words, new):
        said = Status.REOPENED
    if old == words.states.write(ours.value):
        return ours, said
    return kit.status(words, old), said
