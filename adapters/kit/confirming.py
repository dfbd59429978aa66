"""What a ticket has to become because the partner says what holds: pure.

After changes that crossed, the side on which the request began has the last word, and a side whose ticket is
final has it in any case (docs/adr/0007). Nobody answers such a word but with what is final, so it ends there.
"""

from typing import Final

from adapters.kit.asking import COMMANDS
from adapters.kit.contract import Held
from adapters.kit.states import stage
from domain import commands as c
from domain.lifecycle import FINAL, OPEN, TERMINAL, Action, Status
from domain.ticket import Ticket

_WHY: Final = "As the partner has it."


def adopted(ticket: Ticket, held: Held, *, unit_is_known: bool) -> list[c.Command]:
    """The steps from our ticket to theirs; none where there is no way or nothing to do."""
    if ticket.status in FINAL or (ticket.status in TERMINAL and not _reopens(ticket, held)):
        return []
    number, status = ticket.number, ticket.status
    steps: list[c.Command] = []
    if status in TERMINAL:
        steps.append(c.Reopen(number=number, comment=_WHY))
        status = Status.REOPENED
    if held.priority and held.priority != ticket.priority.value:
        steps.append(
            c.Reclassify(number=number, field="priority", value=held.priority, justification=_WHY)
        )
    if unit_is_known and held.unit and held.unit != ticket.unit:
        steps.append(c.Assign(number=number, unit=held.unit, note=_WHY))
        status = Status.ASSIGNED
    if stage(status) != stage(held.status):
        steps.append(step(ticket, held.status, _WHY))
    return steps


def _reopens(ticket: Ticket, held: Held) -> bool:
    """Whether a ticket that is over here is open there, or ended otherwise."""
    ended = {ticket.status, held.status} == {Status.SOLVED, Status.UNSOLVED}
    return held.status in OPEN or ended


def step(ticket: Ticket, status: Status, why: str) -> c.Command:
    """The command that leads there."""
    match status:
        case Status.NEW | Status.ASSIGNED | Status.REOPENED:
            return begun_anew(ticket, why)
        case Status.IN_PROGRESS:
            action = Action.START_WORK
        case Status.WAITING_FOR_REPLY:
            action = Action.REQUEST_REPLY
        case Status.ON_HOLD:
            action = Action.PUT_ON_HOLD
        case Status.UNSOLVED:
            action = Action.FIND_UNSOLVABLE
        case _:
            action = Action.SOLVE
    return COMMANDS[action](ticket.number, why)


def begun_anew(ticket: Ticket, note: str) -> c.Assign:
    """It goes to its unit once more."""
    return c.Assign(number=ticket.number, unit=ticket.unit, note=note, anew=True)
