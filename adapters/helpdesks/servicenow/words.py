"""The words of an incident as ServiceNow ships it. Sites number their states as they like: then they get tables of their own."""

from typing import Final

from adapters.kit import words as kit
from domain.lifecycle import Status
from domain.vocabulary import Priority
from domain.words import Table, Words

WORDS: Final = Words(
    states=Table(
        theirs={
            "1": Status.ASSIGNED.value,
            "2": Status.IN_PROGRESS.value,
            "3": Status.ON_HOLD.value,
            "3/1": Status.WAITING_FOR_REPLY.value,
            "3/4": Status.ON_HOLD.value,
            "6": Status.SOLVED.value,
            "7": Status.CLOSED.value,
            "8": Status.UNSOLVED.value,
        },
        ours={
            Status.NEW.value: "1",
            Status.ASSIGNED.value: "1",
            Status.IN_PROGRESS.value: "2",
            Status.WAITING_FOR_REPLY.value: "3/1",
            Status.ON_HOLD.value: "3/4",
            Status.REOPENED.value: "2",
            Status.SOLVED.value: "6",
            Status.UNSOLVED.value: "8",
            Status.VERIFIED.value: "6",
            Status.CLOSED.value: "6",
        },
    ),
    priorities=Table(
        theirs={
            "1": Priority.TOP_PRIORITY.value,
            "2": Priority.VERY_URGENT.value,
            "3": Priority.URGENT.value,
            "4": Priority.LESS_URGENT.value,
            "5": Priority.LESS_URGENT.value,
        },
        ours={
            Priority.TOP_PRIORITY.value: "1",
            Priority.VERY_URGENT.value: "2",
            Priority.URGENT.value: "3",
            Priority.LESS_URGENT.value: "4",
        },
    ),
)

CLOSE_CODE: Final = "Solution provided"
"""Of an incident that is over, where the helpdesk's address names no other."""

IMPACT_AND_URGENCY: Final = {"1": "11", "2": "12", "3": "22", "4": "23", "5": "33"}
"""A priority cannot be set: ServiceNow looks it up by these two. This is its table as shipped."""


def known(words: Words, state: str) -> str:
    """Their word as the table has it: ``3/5`` is ``3`` where only that was agreed on."""
    if words.states.read(state) is None:
        return state.partition("/")[0]
    return state


def status(words: Words, state: str) -> Status | None:
    """Our status; None where it moves nothing. Raises ``Unreadable``."""
    return kit.status(words, known(words, state))


def columns(state: str) -> dict[str, str]:
    """The columns for a state like ``2`` or ``3/4``."""
    number, _, reason = state.partition("/")
    return {"state": number, "hold_reason": reason}
