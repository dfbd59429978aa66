"""What a change at a partner asks of us, where partners differ only in their words for it."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from adapters.kit import words as kit
from adapters.kit.contract import Asked, Ignored, Unreadable
from adapters.kit.files import Taken
from adapters.kit.states import action
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

NOTHING_NEW: Final = Ignored("nothing-new")
NO_COUNTERPART: Final = Ignored("no-counterpart")
_WHERE: Final = "it stands in the partner's message, which is kept"
_WHY: Final = "As the partner set it."

COMMANDS: Final[Mapping[Action, Callable[[int, str], c.TicketCommand]]] = MappingProxyType({
    Action.START_WORK: lambda number, text: c.StartWork(number=number, note=text),
    Action.REQUEST_REPLY: lambda number, text: c.RequestReply(number=number, question=text),
    Action.PUT_ON_HOLD: lambda number, text: c.PutOnHold(number=number, reason=text),
    Action.SOLVE: lambda number, text: c.Solve(number=number, solution=text),
    Action.FIND_UNSOLVABLE: lambda number, text: c.FindUnsolvable(number=number, reason=text),
    Action.REOPEN: lambda number, text: c.Reopen(number=number, comment=text),
})  # fmt: skip
"""Every step that a state of a partner can ask for, with the number of our ticket and a text."""
STEPS: Final[Mapping[Action, Callable[[int, str], c.TicketCommand]]] = MappingProxyType(
    {**COMMANDS, Action.START_WORK: lambda number, _: c.StartWork(number=number)}
)
"""The same where the text stays an entry of its own, unless the step cannot do without."""


def opened(
    subject: str, description: str, *, priority: Priority | None, site: str = "", nothing: str
) -> c.OpenTicket:
    """A ticket of theirs; its subject may be its description. Raises ``Unreadable`` (``nothing``) for neither."""
    subject = line(subject or description, 10_000)
    if not subject:
        raise Unreadable(nothing)
    return c.OpenTicket(
        subject=cut(subject, SUBJECT_CHARACTERS_MAX).replace("\n", " "),
        description=description,
        particulars=Particulars(
            priority=(priority or Priority.LESS_URGENT).value,
            affected_site=line(site, NAME_CHARACTERS_MAX),
        ),
    )


def entry(ticket: Ticket, text: str, *, public: bool) -> c.Comment:
    """An entry of the public or of the internal diary."""
    visibility = Visibility.PUBLIC if public else Visibility.INTERNAL
    return c.Comment(number=ticket.number, text=text, visibility=visibility)


def of_the_link(ticket: Ticket, text: str) -> Asked:
    """What became of the partner's ticket as such, for those who work on ours."""
    return Asked([entry(ticket, text, public=False)], of_the_link=True)


def written(ticket: Ticket, text: str, *, by_submitter: bool) -> c.Command:
    """A public text: an answer, where the ticket waits for one from whoever wrote it."""
    if by_submitter and ticket.status is Status.WAITING_FOR_REPLY:
        return c.RecordReply(number=ticket.number, text=text)
    return entry(ticket, text, public=True)


def said(
    ticket: Ticket, text: str, files: Taken, *, public: bool, by_submitter: bool
) -> Asked | Ignored:
    """A text and the files that came with it."""
    commands: list[c.Command] = []
    if text and public:
        commands = [written(ticket, text, by_submitter=by_submitter)]
    elif text:
        commands = [entry(ticket, text, public=False)]
    commands += files.commands
    return Asked(commands, files.withheld) if commands else NOTHING_NEW


def state_changed(
    words: Words,
    ticket: Ticket,
    new: str,
    step: tuple[Status | None, Status | None],
    text: str,
    silent: Mapping[Action, str],
) -> Asked | Ignored:
    """Their state became ``new``, which says ``step`` of ours: before and after.

    ``text`` is what they wrote with it. Where that is empty ``silent`` says what to write, and always why a
    ticket was reopened: what they last wrote belongs to the outcome before.
    """
    before, said = step
    move = None if said is None else action(said, before, ticket.status)
    if move is None:
        same = said is None or words.states.write(ticket.status.value) == new
        return NOTHING_NEW if same else Ignored("no-regress")
    without = not text or move is Action.REOPEN
    return Asked([STEPS[move](ticket.number, silent.get(move, "") if without else text)])


def unit_changed(words: Words, ticket: Ticket, name: str) -> Asked | Ignored:
    """A unit that we do not know is withheld by the exchange."""
    unit = kit.unit(words, line(name, NAME_CHARACTERS_MAX))
    if not unit or unit == ticket.unit:
        return NOTHING_NEW
    return Asked([c.Assign(number=ticket.number, unit=unit)])


def priority_changed(words: Words, ticket: Ticket, word: str) -> Asked | Ignored:
    """A word that stands for several of ours means the one that our ticket has. Raises ``Unreadable``."""
    priority = kit.priority(words, word)
    if priority in (None, ticket.priority) or word == kit.priority_there(words, ticket.priority):
        return NOTHING_NEW
    assert priority is not None
    return Asked([reclassified(ticket, priority)])


def reclassified(ticket: Ticket, priority: Priority) -> c.Reclassify:
    return c.Reclassify(
        number=ticket.number, field="priority", value=priority.value, justification=_WHY
    )


def fitting(text: str) -> str:
    """A text of theirs as we can keep it."""
    return cut(storable(text).replace("\0", "\ufffd").strip(), TEXT_CHARACTERS_MAX, _WHERE)


def attached(names: Sequence[str]) -> str:
    """A line about files that stay there; empty for none."""
    listed = ", ".join(line(name, 300) for name in names)
    return f"[attached at the partner: {listed}]" if names else ""
