"""What a change at ServiceNow asks of us: an incident as it is now is compared with what was said before."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.servicenow import words
from adapters.helpdesks.servicenow.documents import Entry, Theirs
from adapters.kit import words as kit
from adapters.kit.contract import Asked, Before, Ignored, Unreadable
from adapters.kit.states import action
from adapters.kit.text import cut, line, storable
from domain import commands as c
from domain.lifecycle import OPEN, TERMINAL, Action, Status
from domain.ticket import Particulars, Ticket
from domain.vocabulary import (
    NAME_CHARACTERS_MAX,
    SUBJECT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    Priority,
    Visibility,
)
from domain.words import Words

_DONE: Final = TERMINAL - {Status.UNSOLVED}
_WHERE: Final = "it stands in the partner's message, which is kept"


def commands_for_unknown(document: Theirs, tables: Words) -> Asked | Ignored:
    """Open a ticket. Raises ``Unreadable``."""
    ticket = document.ticket
    if document.entry is not None:
        return Ignored("unknown-ticket")
    if words.status(tables, ticket.state) in TERMINAL:
        return Ignored("over-before-known")
    description = _fitting(ticket.description)
    subject = line(ticket.short_description or description, SUBJECT_CHARACTERS_MAX)
    if not subject:
        raise Unreadable("the incident has neither a short description nor a description")
    priority = kit.priority(tables, ticket.priority) if ticket.priority else None
    return Asked([
        c.OpenTicket(
            subject=subject,
            description=description,
            particulars=Particulars(priority=(priority or Priority.LESS_URGENT).value),
        )
    ])  # fmt: skip


def commands_for_known(
    document: Theirs, ticket: Ticket, before: Before, tables: Words
) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    if document.entry is not None:
        return _entry(document.entry, ticket)
    heard = before.heard.body if before.heard is not None else None
    last = heard if isinstance(heard, Theirs) else None
    if last is not None and document.mod_count < last.mod_count:
        return Ignored("overtaken")
    commands: list[c.Command] = _fields(document, last, ticket, tables)
    step, regress = _state(document, ticket, before, tables)
    if step is not None:
        commands.append(_STEPS[step](ticket.number, _fitting(document.ticket.close_notes)))
    if commands:
        return Asked(commands)
    return Ignored("no-regress" if regress else "nothing-new")


def _entry(entry: Entry, ticket: Ticket) -> Asked | Ignored:
    text = _fitting(entry.text)
    if not text:
        return Ignored("nothing-new")
    if entry.public and entry.by_caller and ticket.status is Status.WAITING_FOR_REPLY:
        return Asked([c.RecordReply(number=ticket.number, text=text)])
    visibility = Visibility.PUBLIC if entry.public else Visibility.INTERNAL
    return Asked([c.Comment(number=ticket.number, text=text, visibility=visibility)])


def _fields(
    document: Theirs, last: Theirs | None, ticket: Ticket, tables: Words
) -> list[c.Command]:
    """Priority and group, where they are others than last time."""
    if ticket.status not in OPEN:
        return []
    theirs, commands = document.ticket, list[c.Command]()
    known = last.ticket if last is not None else None
    priority = kit.priority(tables, theirs.priority) if theirs.priority else None
    if (
        priority not in (None, ticket.priority)
        and theirs.priority != kit.priority_there(tables, ticket.priority)
        and (known.priority != theirs.priority if known is not None else not document.by_us)
    ):
        assert priority is not None
        why = "As the partner set it."
        commands.append(
            c.Reclassify(
                number=ticket.number, field="priority", value=priority.value, justification=why
            )
        )
    unit = kit.unit(tables, line(theirs.group, NAME_CHARACTERS_MAX)) if theirs.group else ""
    if unit and unit != ticket.unit and known is not None and known.group != theirs.group:
        commands.append(c.Assign(number=ticket.number, unit=unit))
    return commands


def _state(
    document: Theirs, ticket: Ticket, before: Before, tables: Words
) -> tuple[Action | None, bool]:
    """The step, and whether there is none because of the no-regress rules."""
    theirs = document.ticket
    said = words.status(tables, theirs.state)
    there = kit.status_there(tables, ticket.status)
    if said is None or words.known(tables, theirs.state) == words.known(tables, there):
        return None, False
    if _ours_still(document, before, tables):
        return None, False
    old = words.known(tables, before.state or theirs.told_state)
    if document.by_us and before.state and old == words.known(tables, theirs.state):
        return None, False
    was = Status(found) if (found := tables.states.read(old)) else None
    if there in (before.state, theirs.told_state):
        was = ticket.status
    if was in TERMINAL and said in OPEN:
        said = Status.REOPENED
    step = action(said, was, ticket.status, with_news=bool(theirs.close_notes))
    as_ours = said is ticket.status or (said in _DONE and ticket.status in _DONE)
    return step, step is None and not as_ours


def _ours_still(document: Theirs, before: Before, tables: Words) -> bool:
    """Whether theirs is in the state that we set, while our next one may be on its way to them."""
    set_by_us = words.known(tables, document.ticket.told_state)
    if set_by_us != words.known(tables, document.ticket.state):
        return False
    told = before.told.state if before.told is not None else ""
    return document.by_us or bool(told and words.known(tables, told) != set_by_us)


_STEPS: Final[Mapping[Action, Callable[[int, str], c.Command]]] = MappingProxyType({
    Action.START_WORK: lambda number, _: c.StartWork(number=number),
    Action.REQUEST_REPLY: lambda number, _: c.RequestReply(
        number=number, question="The partner waits for the caller: see what it wrote."
    ),
    Action.PUT_ON_HOLD: lambda number, _: c.PutOnHold(
        number=number, reason="The partner put its incident on hold: see what it wrote."
    ),
    Action.SOLVE: lambda number, text: c.Solve(
        number=number, solution=text or "The partner resolved its incident without close notes."
    ),
    Action.FIND_UNSOLVABLE: lambda number, text: c.FindUnsolvable(
        number=number, reason=text or "The partner canceled its incident without close notes."
    ),
    Action.REOPEN: lambda number, _: c.Reopen(
        number=number, comment="The partner reopened its incident."
    ),
})  # fmt: skip


def _fitting(text: str) -> str:
    return cut(storable(text).replace("\0", "\ufffd").strip(), TEXT_CHARACTERS_MAX, _WHERE)
