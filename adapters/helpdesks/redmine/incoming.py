"""What a change of an issue asks of us. One change may be several things: a text, a state, a priority, a move."""

from typing import Final

from adapters.helpdesks.redmine.documents import Change, Theirs
from adapters.kit import asking
from adapters.kit import words as kit
from adapters.kit.contract import Asked, Ignored
from adapters.kit.states import action
from adapters.kit.steps import over, step
from adapters.kit.text import line
from domain import commands as c
from domain.lifecycle import FINAL, OPEN, Action, Status
from domain.ticket import Ticket
from domain.vocabulary import NAME_CHARACTERS_MAX
from domain.words import Words

_SILENT: Final = "The partner's state is {state!r}; it wrote no public text with that."


def commands_for_unknown(document: Theirs, tables: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    change, issue = document.change, document.issue
    if change.id and not change.project:
        return Ignored("unknown-ticket")
    opening = asking.opened(
        issue.subject,
        _text(change),
        priority=kit.priority(tables, issue.priority) if issue.priority else None,
        site=issue.affected_site,
        nothing="the issue has neither a subject nor a description",
    )
    return Asked([opening])


def commands_for_known(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    """What stands in the change beside its state happens first, but to a ticket that it reopens. Raises ``Unreadable``."""
    change = document.change
    if not change.id:
        return Ignored("nothing-new")  # our ticket's own beginning
    moves = _action(change, ticket, tables)
    text = _text(change)
    reply = _reply(change, ticket, text, moves)
    steps: list[c.Command] = []
    entry: list[c.Command] = []
    if reply:
        entry = [reply]
    elif moves is not None and moves is not Action.START_WORK and change.public and text:
        steps = [asking.STEPS[moves](ticket.number, text)]
    else:
        if text:
            entry = [asking.entry(ticket, text, public=change.public)]
        if moves is not None:
            steps = [asking.STEPS[moves](ticket.number, _last_word(document, tables))]
    particulars, withheld = _particulars(change, ticket, tables, reopened=moves is Action.REOPEN)
    first = moves is Action.REOPEN
    commands = [*steps, *particulars, *entry] if first else [*particulars, *entry, *steps]
    if commands or withheld:
        return Asked(commands, withheld)
    return Ignored(_why_not(change, ticket, tables))


def _action(change: Change, ticket: Ticket, tables: Words) -> Action | None:
    if change.status is None:
        return None
    before, said = step(tables, change.status.old, change.status.new, ticket.status)
    return action(said, before, ticket.status) if said else None


def _reply(change: Change, ticket: Ticket, text: str, moves: Action | None) -> c.Command | None:
    """What the submitter answers to the question that we wait with; that work goes on is part of it."""
    waits = ticket.status is Status.WAITING_FOR_REPLY and moves in (None, Action.START_WORK)
    if waits and change.by == "author" and change.public and text:
        return c.RecordReply(number=ticket.number, text=text)
    return None


def _particulars(
    change: Change, ticket: Ticket, tables: Words, *, reopened: bool
) -> tuple[list[c.Command], list[str]]:
    """Where the ticket goes and how urgent it is; and what of that a finished ticket does not take."""
    commands: list[c.Command] = []
    withheld: list[str] = []
    if change.project:
        unit = kit.unit(tables, line(change.project.new, NAME_CHARACTERS_MAX))
        if unit and unit != ticket.unit:
            if ticket.status in OPEN or reopened:
                commands.append(c.Assign(number=ticket.number, unit=unit))
            else:
                withheld.append("Assign:over")
    if change.priority:
        priority = kit.priority(tables, change.priority.new)
        if priority is not None and priority is not ticket.priority:
            if ticket.status in FINAL:
                withheld.append("Reclassify:over")
            else:
                commands.append(asking.reclassified(ticket, priority))
    return commands, withheld


def _last_word(document: Theirs, tables: Words) -> str:
    """What their people last wrote in public before they changed the state.

    What was written before the issue was reopened belongs to another outcome.
    """
    for each in document.earlier:
        if each.status and over(tables, each.status.old) and not over(tables, each.status.new):
            break
        if each.by == "staff" and each.public and each.text:
            return asking.fitting(each.text)
    assert document.change.status is not None
    return _SILENT.format(state=line(document.change.status.new, NAME_CHARACTERS_MAX))


def _why_not(change: Change, ticket: Ticket, tables: Words) -> str:
    if change.status is None:
        return "nothing-new" if change.priority or change.project else "no-counterpart"
    same = tables.states.write(ticket.status.value) == change.status.new
    return "nothing-new" if same else "no-regress"


def _text(change: Change) -> str:
    """The text as it was typed, markup and all; and which files hang on it."""
    parts = [change.text.strip(), asking.attached(change.files)]
    return asking.fitting("\n\n".join(filter(None, parts)))
