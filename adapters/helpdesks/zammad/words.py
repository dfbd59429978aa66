"""Zammad's words as shipped: states and priorities. An installation that renamed them publishes tables of its own."""

from typing import Final

from domain.lifecycle import Status
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
