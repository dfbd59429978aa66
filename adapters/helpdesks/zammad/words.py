"""Zammad's words as shipped: states and priorities. An installation that renamed them publishes tables of its own."""

from typing import Final

from adapters.kit import words as kit
from domain.lifecycle import TERMINAL, Status
from domain.vocabulary import Priority
from domain.words import Table, Words

MERGED: Final = "merged"
"""The state of a ticket that goes on as another one; the product depends on this name."""

WORDS: Final = Words(
    states=Table(
        theirs={
            "new": Status.ASSIGNED.value,
            "open": Status.IN_PROGRESS.value,
            "pending reminder": Status.ON_HOLD.value,
            "pending close": "",
            "closed": Status.SOLVED.value,
        },
        ours={
            Status.NEW.value: "new",
            Status.ASSIGNED.value: "new",
            Status.IN_PROGRESS.value: "open",
            Status.WAITING_FOR_REPLY.value: "pending reminder",
            Status.ON_HOLD.value: "pending reminder",
            Status.REOPENED.value: "open",
            Status.SOLVED.value: "closed",
            Status.UNSOLVED.value: "closed",
            Status.VERIFIED.value: "closed",
            Status.CLOSED.value: "closed",
        },
    ),
    priorities=Table(
        theirs={
            "1 low": Priority.LESS_URGENT.value,
            "2 normal": Priority.URGENT.value,
            "3 high": Priority.VERY_URGENT.value,
        },
        ours={
            Priority.LESS_URGENT.value: "1 low",
            Priority.URGENT.value: "2 normal",
            Priority.VERY_URGENT.value: "3 high",
            Priority.TOP_PRIORITY.value: "3 high",
        },
    ),
)

_OVER: Final = frozenset(status.value for status in TERMINAL)


def over(words: Words, state: str) -> bool:
    """Nobody works on a ticket in this state. To leave it is to reopen."""
    return words.states.read(state) in _OVER


def step(words: Words, old: str, new: str, ours: Status) -> tuple[Status | None, Status | None]:
    """What a change of their state says of our status: before and after; None where that moves nothing.

    Where they know several of ours by one word, the one that our ticket is in is meant. Raises ``Unreadable``.
    """
    said = kit.status(words, new)
    if said is not None and over(words, old) and not over(words, new):
        said = Status.REOPENED
    if old == words.states.write(ours.value):
        return ours, said
    return kit.status(words, old), said
