"""What puts a ticket right after its partner's messages were read wrongly: ordinary commands. Pure.

Of the state the partner's exact word is kept, so its last word is asked again: that is done here. Of the other
fields the messages themselves tell (``correcting_fields``). Both only as long as nobody changed the field since: who
did had a reason.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.asking import COMMANDS
from adapters.kit.states import action
from adapters.kit.words import known_state
from domain import commands as c
from domain.lifecycle import FINAL, OPEN, STEPS, Status
from domain.ticket import Ticket
from domain.words import Words

STATE: Final = "state"
UNIT: Final = "unit"


class Heard(Struct, frozen=True, kw_only=True):
    """The message that something is due to."""

    reference: int
    message_id: str
    position: int
    """Of its outcome."""
    command: UUID
    """That carried it out."""


class Changed(Struct, frozen=True, kw_only=True):
    """The last change of a field of a ticket."""

    position: int
    command: UUID
    actor: str
    causation: str


class Correction(Struct, frozen=True, kw_only=True):
    """Of one field."""

    field: str
    """``state``, ``unit``, or one that can be reclassified."""
    value: str
    """Of our ticket now."""
    was: str
    """What the message led to; empty for a state that moved nothing or was not known."""
    means: str
    """What it means now."""
    word: str = ""
    """The partner's exact word, of states."""
    reference: int
    """Of the message that is responsible."""
    message_id: str
    commands: Sequence[c.TicketCommand] = ()
    left: str = ""
    """Why nothing is done: ``moved-on``, ``final``, ``no-step``, ``unknown-unit``, ``unknown-value`` or
    ``ours-only``. A person has to look."""
    since: str = ""
    """With ``moved-on``: who changed it since."""


class Since(Struct, frozen=True, kw_only=True):
    """Who changed the fields of a ticket last, and whose changes count as corrections."""

    changes: Mapping[str, Changed]
    partner: str
    """Its name as an actor."""
    publications: frozenset[str]
    """Causes of changes that only put right what a mapping before had left wrong."""

    def overtaken(self, field: str, by: Heard) -> str | None:
        """Who changed the field after the message, as an actor; empty for nobody, None for its partner."""
        last = self.changes.get(field)
        if last is None or last.command == by.command or last.position < by.position:
            return ""
        if last.causation in self.publications:
            return ""
        return None if last.actor == self.partner else last.actor


def state_correction(
    before: Words, after: Words, remote_state: str, heard: Heard, ticket: Ticket, since: Since, why: str
) -> Correction | None:  # fmt: skip
    """None where both tables lead to the same. ``heard``: the message that brought the word."""
    was, means = known_state(before, remote_state), known_state(after, remote_state)
    ours = ticket.status
    if means is None or means is was or ours is means:
        return None
    found = Correction(
        field=STATE,
        value=ours.value,
        was=was.value if was else "",
        means=means.value,
        word=remote_state,
        reference=heard.reference,
        message_id=heard.message_id,
    )
    if ours in FINAL:
        return left(found, "final")
    if by := since.overtaken(STATE, heard) or (was is not None and ours is not was):
        return structs.replace(found, left="moved-on", since=by if isinstance(by, str) else "")
    if was is None:  # it moved nothing: the partner says it for the first time, as it were
        step = action(means, None, ours)
        return None if step is None else _with(found, [STEPS[step][1]], ticket, why)
    if ours in OPEN:
        return _with(found, [means], ticket, why)
    further = [means] if means in STATE_COMMANDS and means is not Status.REOPENED else []
    return _with(found, [Status.REOPENED, *further], ticket, why)


def means_otherwise(before: Words, after: Words, remote_state: str) -> bool:
    """Whether a partner's word for a state may need a correction."""
    return known_state(before, remote_state) is not known_state(after, remote_state)


def commands_of(corrections: Sequence[Correction]) -> list[c.TicketCommand]:
    """Of one ticket, in the order in which they can be carried out together: the state comes last."""
    ordered = sorted(corrections, key=lambda each: (each.field == STATE, each.field == UNIT))
    moves = any(each.field == STATE and each.commands for each in ordered)
    commands: list[c.TicketCommand] = []
    for each in ordered:
        # A new unit begins anew; what leads back to the state before is not needed where that is wrong.
        commands += each.commands[:1] if each.field == UNIT and moves else each.commands
    return commands


def left(found: Correction, why: str) -> Correction:
    """The same, for a person."""
    return structs.replace(found, left=why, commands=())


def _with(found: Correction, steps: Sequence[Status], ticket: Ticket, why: str) -> Correction:
    reopens_open = steps[0] is Status.REOPENED and ticket.status in OPEN
    if reopens_open or not all(each in STATE_COMMANDS for each in steps):
        return left(found, "no-step")
    commands = [STATE_COMMANDS[each](ticket.number, why) for each in steps]
    return structs.replace(found, commands=commands)


STATE_COMMANDS: Final = MappingProxyType(
    {STEPS[action][1]: command for action, command in COMMANDS.items()}
)
"""What leads to a state, by the state."""
