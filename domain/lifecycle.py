"""The life of a ticket as one table: which action leads from which status to which.

Asked by the aggregate (guards), the API (what would have been possible), the pages (buttons), the
exchange (no-regress rules), the documentation and the tests. Source: GGUS support staff guide, status values.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class Status(Enum):
    NEW = "new"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in progress"
    WAITING_FOR_REPLY = "waiting for reply"
    ON_HOLD = "on hold"
    REOPENED = "reopened"
    SOLVED = "solved"
    UNSOLVED = "unsolved"
    VERIFIED = "verified"
    CLOSED = "closed"


class Action(Enum):
    """What moves a ticket along. Values are stable: rights, API paths and buttons use them."""

    ASSIGN = "assign"
    START_WORK = "start-work"
    REQUEST_REPLY = "request-reply"
    RECORD_REPLY = "record-reply"
    PUT_ON_HOLD = "put-on-hold"
    SOLVE = "solve"
    FIND_UNSOLVABLE = "find-unsolvable"
    VERIFY = "verify"
    REOPEN = "reopen"
    CLOSE = "close"


OPEN: Final = frozenset({
    Status.NEW, Status.ASSIGNED, Status.IN_PROGRESS, Status.WAITING_FOR_REPLY, Status.ON_HOLD, Status.REOPENED,
})  # fmt: skip
TERMINAL: Final = frozenset(Status) - OPEN
"""Nobody works on a ticket in these, and the clocks of the service levels stand still."""

_DONE: Final = frozenset({Status.SOLVED, Status.UNSOLVED})
FINAL: Final = TERMINAL - _DONE
"""Nothing happens to a ticket in these any more."""

STEPS: Final[Mapping[Action, tuple[frozenset[Status], Status]]] = MappingProxyType({
    # action                 from                               to
    Action.ASSIGN:          (OPEN,                              Status.ASSIGNED),
    Action.START_WORK:      (OPEN - {Status.IN_PROGRESS},       Status.IN_PROGRESS),
    Action.REQUEST_REPLY:   (OPEN - {Status.WAITING_FOR_REPLY}, Status.WAITING_FOR_REPLY),
    Action.RECORD_REPLY:    (frozenset({Status.WAITING_FOR_REPLY}), Status.IN_PROGRESS),
    Action.PUT_ON_HOLD:     (OPEN - {Status.ON_HOLD},           Status.ON_HOLD),
    Action.SOLVE:           (OPEN,                              Status.SOLVED),
    Action.FIND_UNSOLVABLE: (OPEN,                              Status.UNSOLVED),
    Action.VERIFY:          (_DONE,                             Status.VERIFIED),
    Action.REOPEN:          (_DONE,                             Status.REOPENED),
    Action.CLOSE:           (_DONE,                             Status.CLOSED),
})  # fmt: skip

assert set(STEPS) == set(Action), "every action has a row"

POSSIBLE: Final[Mapping[Status, frozenset[Action]]] = MappingProxyType(
    {
        status: frozenset(a for a, (sources, _) in STEPS.items() if status in sources)
        for status in Status
    }
)
"""The actions that each status permits; none for verified and closed."""


class Ball(Enum):
    """Who has to act next."""

    SUPPORT = "support"
    SUBMITTER = "submitter"
    THIRD_PARTY = "third party"
    NOBODY = "nobody"


BALL: Final[Mapping[Status, Ball]] = MappingProxyType(
    dict.fromkeys(OPEN, Ball.SUPPORT)
    | dict.fromkeys(TERMINAL, Ball.NOBODY)
    | {Status.WAITING_FOR_REPLY: Ball.SUBMITTER, Status.ON_HOLD: Ball.THIRD_PARTY}
)

assert set(BALL) == set(Status), "every status names a holder of the ball"
