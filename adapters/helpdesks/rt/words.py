"""Their words and ours: states, priorities. A state that is in no table is nobody's: its message is parked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.kit.contract import Unreadable
from domain.lifecycle import Status
from domain.vocabulary import Priority

DELETED: Final = "deleted"
INACTIVE: Final = frozenset({"resolved", "rejected", DELETED})
"""Nobody works on a ticket in these. To leave one is to reopen."""

TO_OURS: Final[Mapping[str, Status]] = MappingProxyType({
    "new": Status.ASSIGNED,
    "open": Status.IN_PROGRESS,
    "stalled": Status.ON_HOLD,
    "resolved": Status.SOLVED,
    "rejected": Status.UNSOLVED,
})  # fmt: skip
"""The states of RT's default lifecycle; ``deleted`` has no counterpart."""

TO_THEIRS: Final[Mapping[Status, str]] = MappingProxyType({
    Status.NEW: "new",
    Status.ASSIGNED: "new",
    Status.IN_PROGRESS: "open",
    Status.WAITING_FOR_REPLY: "stalled",
    Status.ON_HOLD: "stalled",
    Status.REOPENED: "open",
    Status.SOLVED: "resolved",
    Status.UNSOLVED: "rejected",
    Status.VERIFIED: "resolved",
    Status.CLOSED: "resolved",
})  # fmt: skip

assert set(TO_THEIRS) == set(Status), "every status has a word"
assert set(TO_THEIRS.values()) == set(TO_OURS), "and every word can come back"

_PRIORITIES: Final = (
    # at least, our word, the number we write
    (76, Priority.TOP_PRIORITY, 90),
    (51, Priority.VERY_URGENT, 70),
    (26, Priority.URGENT, 40),
    (0, Priority.LESS_URGENT, 10),
)


def status(word: str) -> Status:
    """Our status for their word. Raises ``Unreadable``."""
    try:
        return TO_OURS[word]
    except KeyError:
        raise Unreadable(f"status {word[:60]!r} is not one that was agreed on") from None


def step(old: str, new: str, ours: Status) -> tuple[Status, Status]:
    """What a change of their status says of ours: before and after. Raises ``Unreadable``.

    Where they know several of our states by one word, the one that our ticket is in is meant.
    """
    said = status(new)
    if old in INACTIVE and new not in INACTIVE:
        said = Status.REOPENED
    if old == TO_THEIRS[ours]:
        return ours, said
    return (Status.ASSIGNED if old == DELETED else status(old)), said


def priority(number: str) -> Priority:
    """Our priority for their number, 0 to 100. Raises ``Unreadable``."""
    try:
        value = int(number)
    except ValueError:
        raise Unreadable(f"priority {number[:60]!r} is no number") from None
    return next((ours for least, ours, _ in _PRIORITIES if value >= least), Priority.LESS_URGENT)


def priority_number(ours: Priority) -> int:
    return next(number for _, each, number in _PRIORITIES if each is ours)
