"""The words of Jira's simplest workflow and of its priorities as shipped.

Workflows are free: nearly every Jira has states of its own, and is registered with tables of its own. What is
in no table is parked.
"""

from typing import Final

from domain.lifecycle import Status
from domain.vocabulary import Priority
from domain.words import Table, Words

WORDS: Final = Words(
    states=Table(
        theirs={
            "To Do": Status.ASSIGNED.value,
            "In Progress": Status.IN_PROGRESS.value,
            "Done": Status.SOLVED.value,
        },
        ours={
            Status.NEW.value: "To Do",
            Status.ASSIGNED.value: "To Do",
            Status.IN_PROGRESS.value: "In Progress",
            Status.WAITING_FOR_REPLY.value: "",
            Status.ON_HOLD.value: "",
            Status.REOPENED.value: "To Do",
            Status.SOLVED.value: "Done",
            Status.UNSOLVED.value: "Done",
            Status.VERIFIED.value: "Done",
            Status.CLOSED.value: "Done",
        },
    ),
    priorities=Table(
        theirs={
            "Lowest": Priority.LESS_URGENT.value,
            "Low": Priority.LESS_URGENT.value,
            "Medium": Priority.URGENT.value,
            "High": Priority.VERY_URGENT.value,
            "Highest": Priority.TOP_PRIORITY.value,
        },
        ours={
            Priority.LESS_URGENT.value: "Low",
            Priority.URGENT.value: "Medium",
            Priority.VERY_URGENT.value: "High",
            Priority.TOP_PRIORITY.value: "Highest",
        },
    ),
)
