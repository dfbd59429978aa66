"""What a partner's word for a state does to our ticket: the no-regress rules, the same for every partner.

A partner with fewer states than ours says ``in progress`` of everything that it has not finished. Such a
word must not drag a ticket back. So a word counts only when it is news (the partner said another one
before), and ``in progress`` only from a partner that has shown to know the stage that it leads out of.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from domain.lifecycle import OPEN, TERMINAL, Action, Status

_DONE: Final = frozenset({Status.SOLVED, Status.VERIFIED, Status.CLOSED})
"""To verify or to close is not the partner's to do: for us, the work is done."""

_STEP: Final[Mapping[Status, Action]] = MappingProxyType(
    dict.fromkeys(_DONE, Action.SOLVE)
    | {
        Status.UNSOLVED: Action.FIND_UNSOLVABLE,
        Status.WAITING_FOR_REPLY: Action.REQUEST_REPLY,
        Status.ON_HOLD: Action.PUT_ON_HOLD,
    }
)
"""Of an open ticket. The words for a ticket that nobody works on yet move nothing."""

_STAGE: Final[Mapping[Status, str]] = MappingProxyType({
    Status.NEW:               "before work",
    Status.ASSIGNED:          "before work",
    Status.REOPENED:          "before work",
    Status.IN_PROGRESS:       "work",
    Status.WAITING_FOR_REPLY: "reply",
    Status.ON_HOLD:           "hold",
    **dict.fromkeys(TERMINAL, "after work"),
})  # fmt: skip

assert set(_STAGE) == set(Status), "every status has a stage"


def stage(status: Status) -> str:
    """Statuses of one stage are one to a partner that has fewer than we."""
    return _STAGE[status]


def begins_anew(said: Status | None, ours: Status) -> bool:
    """Whether a ticket that went to a unit, as the partner says, begins there once more though the unit has it here."""
    return (
        said is not None
        and {said, ours} <= OPEN
        and _STAGE[said] == _STAGE[Status.NEW] != _STAGE[ours]
    )


def action(
    said: Status,
    before: Status | None,
    ours: Status,
    *,
    with_news: bool = False,
    knows_all: bool = False,
) -> Action | None:
    """The step to take because a partner says ``said`` after ``before`` (None: nothing yet); None for none.

    ``with_news``: the message carries the text that belongs to the state (solution, question, reason)
    and that text is new, so that the word counts although it was said before. ``knows_all``: the partner
    has every state that we have, such as an installation like ours.
    """
    if said is before and not with_news:
        return None
    if ours in OPEN:
        return _of_open(said, before, ours, knows_all=knows_all)
    reopens = said is Status.REOPENED and ours in {Status.SOLVED, Status.UNSOLVED}
    return Action.REOPEN if reopens else None


def _of_open(
    said: Status, before: Status | None, ours: Status, *, knows_all: bool
) -> Action | None:
    if _STAGE[said] == _STAGE[ours]:
        return None
    if said is Status.IN_PROGRESS:
        knows = knows_all or (before is not None and _STAGE[before] == _STAGE[ours])
        return Action.START_WORK if knows else None
    return _STEP.get(said)
