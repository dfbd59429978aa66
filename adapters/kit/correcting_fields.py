"""What the fields beside the state become after a partner's messages were read wrongly. Pure.

``TwoReadings`` goes through the messages with both mappings; what the last one that differs should have led to is
what the ticket gets, as long as nobody changed the field since.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, structs

from adapters.kit.correcting import STATE, STATE_COMMANDS, UNIT, Correction, Heard, Since, left
from domain import commands as c
from domain.lifecycle import FINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import TPM, Priority

_DECIDING: Final = (c.OpenTicket, c.Assign, c.Reclassify)
_BEGINS_ANEW: Final = frozenset({Status.NEW, Status.ASSIGNED, Status.REOPENED})
_LED_BACK: Final = frozenset({Status.IN_PROGRESS, Status.ON_HOLD})


class _Wanted(Struct, frozen=True):
    value: str
    was: str
    heard: Heard


class TwoReadings:
    """What the messages of one conversation ask of the fields beside the state, with two mappings, in order."""

    def __init__(self) -> None:
        self._wanted: dict[str, _Wanted] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to put right."""
        return bool(self._wanted)

    def ticket(self, ticket: Ticket | None) -> Ticket | None:
        """As it would be by the new mapping, for the next message."""
        if ticket is None or not self._wanted:
            return ticket
        other = ticket.fork()
        for field, wanted in self._wanted.items():
            value = Priority(wanted.value) if field == "priority" else wanted.value
            setattr(other, field, value)
        return other

    def note(
        self,
        heard: Heard,
        was: Sequence[c.Command],
        means: Sequence[c.Command],
        ticket: Ticket | None,
        withheld: Sequence[str],
    ) -> None:
        """``ticket``: as it really was. ``withheld``: what the message had asked for in vain."""
        then, now = _asked(was), _asked(means)
        for field in then.keys() | now.keys():
            if any(each.startswith(f"{field}:") for each in withheld):
                continue  # our own change won: the words are not to blame
            if ticket is None and field not in now:
                continue  # there would be no ticket: nothing to compare with
            before = _value(ticket, field) if ticket else ""
            stands = self._wanted[field].value if field in self._wanted else before
            wanted = now.get(field, stands)
            if wanted == then.get(field, before):
                self._wanted.pop(field, None)
            else:
                self._wanted[field] = _Wanted(wanted, then.get(field, before), heard)

    def corrections(
        self, ticket: Ticket, since: Since, why: str, denied: frozenset[str]
    ) -> list[Correction]:
        """``why`` stands in the ticket. ``denied``: fields that the partner may not change."""
        found = []
        for field, wanted in self._wanted.items():
            value = _value(ticket, field)
            by = since.overtaken(field, wanted.heard)
            if value == wanted.value or by is None:
                continue
            each = Correction(
                field=field,
                value=value,
                was=wanted.was,
                means=wanted.value,
                reference=wanted.heard.reference,
                message_id=wanted.heard.message_id,
            )
            if ticket.status in FINAL:
                found.append(left(each, "final"))
            elif field in denied:
                found.append(left(each, "ours-only"))
            elif by:
                found.append(structs.replace(each, left="moved-on", since=by))
            elif field == UNIT:
                found.append(_assigned(each, ticket, since, wanted.heard, why))
            else:
                said = c.Reclassify(
                    number=ticket.number, field=field, value=wanted.value, justification=why
                )
                found.append(structs.replace(each, commands=[said]))
        return sorted(found, key=lambda each: each.field)


def decides(commands: Sequence[c.Command]) -> bool:
    """Whether they touch a field beside the state."""
    return any(isinstance(each, _DECIDING) for each in commands)


def _assigned(
    found: Correction, ticket: Ticket, since: Since, heard: Heard, why: str
) -> Correction:
    """The ticket begins anew in the other unit, so it must not take anybody's work along."""
    worked = since.overtaken(STATE, heard)
    if worked or ticket.assignee is not None:
        return structs.replace(found, left="moved-on", since=worked or "")
    assign = c.Assign(
        number=ticket.number, unit=found.means, notified_site=ticket.notified_site, note=why
    )
    if ticket.status in _BEGINS_ANEW:
        return structs.replace(found, commands=[assign])
    if ticket.status in _LED_BACK:
        back = STATE_COMMANDS[ticket.status](ticket.number, why)
        return structs.replace(found, commands=[assign, back])
    return left(found, "no-step")


def _asked(commands: Sequence[c.Command]) -> dict[str, str]:
    """The values of the fields that the mappings decide on."""
    found: dict[str, str] = {}
    for command in commands:
        match command:
            case c.OpenTicket():
                about = command.particulars
                found["priority"], found["category"] = about.priority, about.category
                found[UNIT] = command.unit or TPM
            case c.Assign():
                found[UNIT] = command.unit
            case c.Reclassify():
                found[command.field] = command.value
            case _:
                pass
    return found


def _value(ticket: Ticket, field: str) -> str:
    return ticket.unit if field == UNIT else ticket.particular(field)
