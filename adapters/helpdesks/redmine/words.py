"""Redmine's words as shipped. What is in no table is nobody's: it is parked."""

from typing import Final

from domain.lifecycle import Status
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
