"""What puts a ticket right after its partner's state was read wrongly: ordinary commands. Pure.

Only states can be put right: of them alone the partner's exact word is kept. And only as long as the ticket
is where the wrong reading left it: whoever moved it since had a reason.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct, structs

from adapters.kit.asking import COMMANDS
from adapters.kit.states import action
from adapters.kit.words import known_state
from domain import commands as c
from domain.lifecycle import FINAL, OPEN, STEPS, Status
from domain.ticket import Ticket
from domain.words import Words


class Correction(Struct, frozen=True, kw_only=True):
    remote_state: str
    """The partner's exact word."""
    status: str
    """Of our ticket now."""
    was: str
    """What the word meant; empty where it moved nothing or was not known."""
    means: str
    """What it means now."""
    commands: Sequence[c.TicketCommand] = ()
    left: str = ""
    """Why nothing is done: ``moved-on``, ``final``, ``no-step``. A person has to look."""


def correction(
    before: Words, after: Words, remote_state: str, ticket: Ticket, why: str
) -> Correction | None:
    """None where both tables lead to the same. ``why`` stands in the ticket."""
    was, means = known_state(before, remote_state), known_state(after, remote_state)
    ours = ticket.status
    if means is None or means is was or ours is means:
        return None
    found = Correction(
        remote_state=remote_state,
        status=ours.value,
        was=was.value if was else "",
        means=means.value,
    )
    if ours in FINAL:
        return _left(found, "final")
    if was is None:  # it moved nothing: the partner says it for the first time, as it were
        step = action(means, None, ours)
        return None if step is None else _with(found, [STEPS[step][1]], ticket, why)
    if ours is not was:
        return _left(found, "moved-on")
    if ours in OPEN:
        return _with(found, [means], ticket, why)
    further = [means] if means in _COMMANDS and means is not Status.REOPENED else []
    return _with(found, [Status.REOPENED, *further], ticket, why)


def _with(found: Correction, steps: Sequence[Status], ticket: Ticket, why: str) -> Correction:
    reopens_open = steps[0] is Status.REOPENED and ticket.status in OPEN
    if reopens_open or not all(each in _COMMANDS for each in steps):
        return _left(found, "no-step")
    commands = [_COMMANDS[each](ticket.number, why) for each in steps]
    return structs.replace(found, commands=commands)


def _left(found: Correction, why: str) -> Correction:
    return structs.replace(found, left=why)


_COMMANDS: Final = MappingProxyType(
    {STEPS[action][1]: command for action, command in COMMANDS.items()}
)
