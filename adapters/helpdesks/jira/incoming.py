"""What a change in Jira asks of us: one change, so never more than one command."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.jira.documents import Theirs
from adapters.helpdesks.jira.rich_text import reading
from adapters.kit import words as kit
from adapters.kit.contract import Asked, Ignored, Unreadable
from adapters.kit.states import action
from adapters.kit.steps import step
from adapters.kit.text import cut, line, storable
from domain import commands as c
from domain.lifecycle import Action, Status
from domain.ticket import Particulars, Ticket
from domain.vocabulary import (
    NAME_CHARACTERS_MAX,
    SUBJECT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    Priority,
    Visibility,
)
from domain.words import Words

_WHERE: Final = "it stands in the partner's message, which is kept"
_NO_SOLUTION: Final = "The partner finished its issue without a public comment."
_NO_REASON: Final = "The partner postponed its issue without a public comment."
_NOTHING_NEW: Final = Ignored("nothing-new")


def commands_for_unknown(document: Theirs, words: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    if document.change.kind != "opened":
        return Ignored("unknown-ticket")
    issue = document.issue
    description = _fitting(reading(document.text))
    subject = line(issue.summary or description, 10_000)
    if not subject:
        raise Unreadable("the issue has neither a summary nor a description")
    # A project may have no priorities.
    priority = kit.priority(words, issue.priority) if issue.priority else None
    opening = c.OpenTicket(
        subject=cut(subject, SUBJECT_CHARACTERS_MAX).replace("\n", " "),
        description=description,
        particulars=Particulars(priority=(priority or Priority.LESS_URGENT).value),
    )
    return Asked([opening])


def commands_for_known(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    translate = _BY_KIND.get(document.change.kind)
    return translate(document, ticket, words) if translate else Ignored("no-counterpart")


def _comment(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text = _fitting(reading(document.text))
    if not text:
        return _NOTHING_NEW
    if document.change.internal:
        internal = Visibility.INTERNAL
        return Asked([c.Comment(number=ticket.number, text=text, visibility=internal)])
    if ticket.status is Status.WAITING_FOR_REPLY and document.change.by == "reporter":
        return Asked([c.RecordReply(number=ticket.number, text=text)])
    return Asked([c.Comment(number=ticket.number, text=text)])


def _status(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    changed = document.change
    before, said = step(words, changed.old, changed.new, ticket.status)
    move = None if said is None else action(said, before, ticket.status)
    if move is None:
        same = said is None or words.states.write(ticket.status.value) == changed.new
        return _NOTHING_NEW if same else Ignored("no-regress")
    return Asked([_STEPS[move](ticket.number, _fitting(reading(document.reply)))])


def _component(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Components stand for support units; a unit that we do not know is withheld by the exchange."""
    unit = kit.unit(words, line(document.change.new, NAME_CHARACTERS_MAX))
    if not unit or unit == ticket.unit:
        return _NOTHING_NEW
    return Asked([c.Assign(number=ticket.number, unit=unit)])


def _priority(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """A word that stands for several of ours means the one that our ticket has."""
    priority = kit.priority(words, document.change.new)
    if priority in (None, ticket.priority):
        return _NOTHING_NEW
    assert priority is not None
    if words.priorities.write(ticket.priority.value) == document.change.new:
        return _NOTHING_NEW
    return Asked([
        c.Reclassify(
            number=ticket.number, field="priority", value=priority.value,
            justification="As the partner set it.",
        )
    ])  # fmt: skip


_BY_KIND: Final[Mapping[str, Callable[[Theirs, Ticket, Words], Asked | Ignored]]] = (
    MappingProxyType({
        "comment": _comment,
        "status": _status,
        "component": _component,
        "priority": _priority,
    })
)  # fmt: skip

_STEPS: Final[Mapping[Action, Callable[[int, str], c.Command]]] = MappingProxyType({
    Action.START_WORK: lambda number, _: c.StartWork(number=number),
    Action.REQUEST_REPLY: lambda number, text: c.RequestReply(number=number, question=text or _NO_REASON),
    Action.PUT_ON_HOLD: lambda number, text: c.PutOnHold(number=number, reason=text or _NO_REASON),
    Action.SOLVE: lambda number, text: c.Solve(number=number, solution=text or _NO_SOLUTION),
    Action.FIND_UNSOLVABLE: lambda number, text: c.FindUnsolvable(number=number, reason=text or _NO_SOLUTION),
    Action.REOPEN: lambda number, _: c.Reopen(number=number, comment="The partner reopened its issue."),
})  # fmt: skip
"""Every step that a table of states can lead to."""


def _fitting(text: str) -> str:
    return cut(storable(text).replace("\0", "\ufffd").strip(), TEXT_CHARACTERS_MAX, _WHERE)
