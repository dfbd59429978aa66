"""What a change of an issue asks of us. One change may be several things: a text, a state, a priority, a move."""

from typing import Final

from adapters.helpdesks.redmine.documents import Change, Theirs
from adapters.kit import asking
from adapters.kit import words as kit
from adapters.kit.attaching import received, staying
from adapters.kit.contract import Asked, Ignored
from adapters.kit.files import Taken
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
    files = received(change.attached, None, public=not change.files_internal)
    opening = asking.opened(
        issue.subject,
        _text(change, files),
        priority=kit.priority(tables, issue.priority) if issue.priority else None,
        site=issue.affected_site,
        nothing="the issue has neither a subject nor a description",
    )
    return Asked([opening, *files.commands], files.withheld)


def commands_for_known(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    """What stands in the change beside its state happens first, but to a ticket that it reopens. Raises ``Unreadable``."""
    change = document.change
    if not change.id:
        return Ignored("nothing-new")  # our ticket's own beginning
    moves = _action(change, ticket, tables)
    files = received(change.attached, ticket, public=not change.files_internal)
    text = _text(change, files)
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
    said = [*particulars, *entry, *_beside(change, ticket, files), *files.commands]
    commands = [*steps, *said] if moves is Action.REOPEN else [*said, *steps]
    withheld += files.withheld
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
        known = change.priority or change.project or change.attached
        return "nothing-new" if known else "no-counterpart"
    same = tables.states.write(ticket.status.value) == change.status.new
    return "nothing-new" if same else "no-regress"


def _text(change: Change, files: Taken) -> str:
    """The text as it was typed, markup and all; and which files stay there."""
    stay = "" if change.files_internal else staying(change.files, files)
    return asking.fitting("\n\n".join(filter(None, (change.text.strip(), stay))))


def _beside(change: Change, ticket: Ticket, files: Taken) -> list[c.Command]:
    """What only supporters read: files of private notes that stay there, and files that are there no more."""
    stay = staying(change.files, files) if change.files_internal else ""
    gone = f"[withdrawn at the partner: {', '.join(change.withdrawn)}]" if change.withdrawn else ""
    text = asking.fitting("\n".join(filter(None, (stay, gone))))
    return [asking.entry(ticket, text, public=False)] if text else []
