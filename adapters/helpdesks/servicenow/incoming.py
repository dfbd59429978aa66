"""What a change at ServiceNow asks of us: an incident as it is now is compared with what was said before."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.servicenow import words
from adapters.helpdesks.servicenow.documents import Entry, Theirs
from adapters.kit import asking
from adapters.kit import words as kit
from adapters.kit.attaching import received, staying
from adapters.kit.contract import Asked, Before, Ignored
from adapters.kit.states import action
from adapters.kit.text import line
from domain import commands as c
from domain.lifecycle import OPEN, TERMINAL, Action, Status
from domain.ticket import Ticket
from domain.vocabulary import NAME_CHARACTERS_MAX
from domain.words import Words

_DONE: Final = TERMINAL - {Status.UNSOLVED}


def commands_for_unknown(document: Theirs, tables: Words) -> Asked | Ignored:
    """Open a ticket. Raises ``Unreadable``."""
    ticket = document.ticket
    if document.entry is not None:
        return Ignored("unknown-ticket")
    if words.status(tables, ticket.state) in TERMINAL:
        return Ignored("over-before-known")
    priority = kit.priority(tables, ticket.priority) if ticket.priority else None
    opening = asking.opened(
        ticket.short_description,
        asking.fitting(ticket.description),
        priority=priority,
        nothing="the incident has neither a short description nor a description",
    )
    return Asked([opening])


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
        notes = asking.fitting(document.ticket.close_notes) if step in _NOTED else ""
        commands.append(asking.STEPS[step](ticket.number, notes or _SILENT.get(step, "")))
    if commands:
        return Asked(commands)
    return Ignored("no-regress" if regress else "nothing-new")


def _entry(entry: Entry, ticket: Ticket) -> Asked | Ignored:
    files = received(entry.attached, ticket, public=entry.public)
    text = asking.fitting(entry.text or staying(entry.files, files))
    return asking.said(
        ticket, text, files, public=entry.public, by_submitter=entry.public and entry.by_caller
    )


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
        commands.append(asking.reclassified(ticket, priority))
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


_NOTED: Final = frozenset({Action.SOLVE, Action.FIND_UNSOLVABLE})
"""What close notes belong to."""
_SILENT: Final[Mapping[Action, str]] = MappingProxyType({
    Action.REQUEST_REPLY: "The partner waits for the caller: see what it wrote.",
    Action.PUT_ON_HOLD: "The partner put its incident on hold: see what it wrote.",
    Action.SOLVE: "The partner resolved its incident without close notes.",
    Action.FIND_UNSOLVABLE: "The partner canceled its incident without close notes.",
    Action.REOPEN: "The partner reopened its incident.",
})  # fmt: skip
"""What we write where no close notes do."""
