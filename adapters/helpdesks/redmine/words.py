"""Redmine's words as shipped, and how its states are read. What is in no table is nobody's: it is parked."""

from typing import Final

from adapters.kit import words as kit
from domain.lifecycle import TERMINAL, Status
from domain.vocabulary import Priority
from domain.words import Table, Words

WORDS: Final = Words(
    states=Table(
        theirs={
            "New": Status.ASSIGNED.value,
            "In Progress": Status.IN_PROGRESS.value,
            "Feedback": Status.WAITING_FOR_REPLY.value,
            "Resolved": Status.SOLVED.value,
            "Closed": Status.CLOSED.value,
            "Rejected": Status.UNSOLVED.value,
        },
        ours={
            Status.NEW.value: "New",
            Status.ASSIGNED.value: "New",
            Status.IN_PROGRESS.value: "In Progress",
            Status.WAITING_FOR_REPLY.value: "Feedback",
            Status.ON_HOLD.value: "Feedback",
            Status.REOPENED.value: "In Progress",
            Status.SOLVED.value: "Resolved",
            Status.UNSOLVED.value: "Rejected",
            Status.VERIFIED.value: "Closed",
            Status.CLOSED.value: "Closed",
        },
    ),
    priorities=Table(
        theirs={
            "Low": Priority.LESS_URGENT.value,
            "Normal": Priority.LESS_URGENT.value,
            "High": Priority.URGENT.value,
            "Urgent": Priority.VERY_URGENT.value,
            "Immediate": Priority.TOP_PRIORITY.value,
        },
        ours={
            Priority.LESS_URGENT.value: "Normal",
            Priority.URGENT.value: "High",
            Priority.VERY_URGENT.value: "Urgent",
            Priority.TOP_PRIORITY.value: "Immediate",
        },
    ),
)
"""What a new Redmine is filled with, in English. Every name can be changed there."""

_OVER: Final = frozenset(status.value for status in TERMINAL)


def over(words: Words, state: str) -> bool:
    """Nobody works on an issue in this state. To leave it is to reopen."""
    return words.states.read(state) in _OVER


def step(words: Words, old: str, new: str, ours: Status) -> tuple[Status | None, Status | None]:
    """What a change of their state says of ours: before and after; None where that moves nothing.

    Where they know several of our states by one word, the one that our ticket is in is meant. Raises
    ``Unreadable``.
    """
    said = kit.status(words, new)
    if said is not None and over(words, old) and not over(words, new):
        said = Status.REOPENED
    return (ours if old == words.states.write(ours.value) else kit.status(words, old)), said
