"""RT's words as shipped, and how its tables are read: states, priorities. What is in no table is nobody's: it is parked."""

from typing import Final

from adapters.kit import steps
from adapters.kit import words as kit
from adapters.kit.contract import Unreadable
from domain.lifecycle import Status
from domain.vocabulary import Priority
from domain.words import Table, Words

DELETED: Final = "deleted"

WORDS: Final = Words(
    states=Table(
        theirs={
            "new": Status.ASSIGNED.value,
            "open": Status.IN_PROGRESS.value,
            "stalled": Status.ON_HOLD.value,
            "resolved": Status.SOLVED.value,
            "rejected": Status.UNSOLVED.value,
        },
        ours={
            Status.NEW.value: "new",
            Status.ASSIGNED.value: "new",
            Status.IN_PROGRESS.value: "open",
            Status.WAITING_FOR_REPLY.value: "stalled",
            Status.ON_HOLD.value: "stalled",
            Status.REOPENED.value: "open",
            Status.SOLVED.value: "resolved",
            Status.UNSOLVED.value: "rejected",
            Status.VERIFIED.value: "resolved",
            Status.CLOSED.value: "resolved",
        },
    ),
    priorities=Table(
        theirs={
            "0-25": Priority.LESS_URGENT.value,
            "26-50": Priority.URGENT.value,
            "51-75": Priority.VERY_URGENT.value,
            "76-999999999": Priority.TOP_PRIORITY.value,
        },
        ours={
            Priority.LESS_URGENT.value: "10",
            Priority.URGENT.value: "40",
            Priority.VERY_URGENT.value: "70",
            Priority.TOP_PRIORITY.value: "90",
        },
    ),
)
"""The states of RT's default lifecycle; ``deleted`` has no counterpart."""


def inactive(words: Words, state: str) -> bool:
    """Nobody works on a ticket in this state. To leave it is to reopen."""
    return state == DELETED or steps.over(words, state)


def step(words: Words, old: str, new: str, ours: Status) -> tuple[Status | None, Status | None]:
    """What a change of their status says of ours: before and after; None where that moves nothing.

    A ticket that was deleted was over, and is like one that is assigned. Raises ``Unreadable``.
    """
    if old != DELETED:
        return steps.step(words, old, new, ours)
    said = kit.status(words, new)
    return Status.ASSIGNED, said if said is None or inactive(words, new) else Status.REOPENED


def priority(words: Words, number: str) -> Priority | None:
    """Our priority for their number; None where that moves nothing. Raises ``Unreadable``."""
    try:
        value = int(number)
    except ValueError:
        raise Unreadable(f"priority {number[:60]!r} is no number") from None
    return kit.priority(words, str(max(value, 0)))
