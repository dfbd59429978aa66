"""What a change in Zammad asks of us: one change, so never more than one command."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree, html

from adapters.helpdesks.zammad.documents import Theirs
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
_NO_SOLUTION: Final = "The partner closed its ticket without a text for the customer."
_NO_REASON: Final = "The partner postponed its ticket without a text for the customer."
_NOTHING_NEW: Final = Ignored("nothing-new")
_BREAKS: Final = frozenset({"br", "p", "div", "li", "tr", "blockquote", "pre"})


def commands_for_unknown(document: Theirs, words: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    if document.change.kind != "opened":
        return Ignored("unknown-ticket")
    ticket = document.ticket
    description = _text(document)
    subject = line(ticket.title or description, 10_000)
    if not subject:
        raise Unreadable("the ticket has neither a title nor a text")
    priority = kit.priority(words, ticket.priority) or Priority.LESS_URGENT
    opening = c.OpenTicket(
        subject=cut(subject, SUBJECT_CHARACTERS_MAX).replace("\n", " "),
        description=description,
        particulars=Particulars(
            priority=priority.value, affected_site=line(ticket.affected_site, NAME_CHARACTERS_MAX)
        ),
    )
    return Asked([opening])


def commands_for_known(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    translate = _BY_KIND.get(document.change.kind)
    return translate(document, ticket, words) if translate else Ignored("no-counterpart")


def _article(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text = _text(document)
    if not text:
        return _NOTHING_NEW
    if document.change.internal:
        return _internal(ticket, text)
    if ticket.status is Status.WAITING_FOR_REPLY and document.change.by == "customer":
        return Asked([c.RecordReply(number=ticket.number, text=text)])
    return Asked([c.Comment(number=ticket.number, text=text)])


def _state(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    changed = document.change
    before, said = step(words, changed.old, changed.new, ticket.status)
    move = None if said is None else action(said, before, ticket.status)
    if move is None:
        same = said is None or words.states.write(ticket.status.value) == changed.new
        return _NOTHING_NEW if same else Ignored("no-regress")
    return Asked([_STEPS[move](ticket.number, _reply(document))])


def _group(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Groups stand for support units; a unit that we do not know is withheld by the exchange."""
    unit = kit.unit(words, line(document.change.new, NAME_CHARACTERS_MAX))
    if not unit or unit == ticket.unit:
        return _NOTHING_NEW
    return Asked([c.Assign(number=ticket.number, unit=unit)])


def _priority(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """A word that stands for several of ours means the one that our ticket has."""
    priority = kit.priority(words, document.change.new)
    if priority is None or words.priorities.write(ticket.priority.value) == document.change.new:
        return _NOTHING_NEW
    return Asked([
        c.Reclassify(
            number=ticket.number, field="priority", value=priority.value,
            justification="As the partner set it.",
        )
    ])  # fmt: skip


def _merged(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    into = document.merged_into or "another one that we may not see"
    return _internal(ticket, f"The partner merged its ticket {document.ticket.id} into {into}.")


def _internal(ticket: Ticket, text: str) -> Asked:
    return Asked([c.Comment(number=ticket.number, text=text, visibility=Visibility.INTERNAL)])


_BY_KIND: Final[Mapping[str, Callable[[Theirs, Ticket, Words], Asked | Ignored]]] = (
    MappingProxyType({
        "article": _article,
        "state": _state,
        "group": _group,
        "priority": _priority,
        "merged": _merged,
    })
)  # fmt: skip

_STEPS: Final[Mapping[Action, Callable[[int, str], c.Command]]] = MappingProxyType({
    Action.START_WORK: lambda number, _: c.StartWork(number=number),
    Action.REQUEST_REPLY: lambda number, text: c.RequestReply(number=number, question=text or _NO_REASON),
    Action.PUT_ON_HOLD: lambda number, text: c.PutOnHold(number=number, reason=text or _NO_REASON),
    Action.SOLVE: lambda number, text: c.Solve(number=number, solution=text or _NO_SOLUTION),
    Action.FIND_UNSOLVABLE: lambda number, text: c.FindUnsolvable(number=number, reason=text or _NO_SOLUTION),
    Action.REOPEN: lambda number, _: c.Reopen(number=number, comment="The partner reopened its ticket."),
})  # fmt: skip
"""Every step that a table of states can lead to."""


def _text(document: Theirs) -> str:
    """The text as it reads, and which files hang on it."""
    parts = [_plain(document.text, document.media_type)]
    if document.files:
        names = ", ".join(line(name, 100) for name in document.files)
        parts.append(f"[attached at the partner: {names}]")
    return _fitting("\n\n".join(filter(None, parts)))


def _reply(document: Theirs) -> str:
    return _fitting(_plain(document.reply, document.reply_media_type))


def _plain(text: str, media_type: str) -> str:
    if media_type != "text/html":
        return text.strip()
    try:
        root = html.fromstring(text)
    except (etree.ParserError, ValueError):
        return ""
    for element in root.iter():
        if element.tag in _BREAKS:
            element.tail = "\n" + (element.tail or "")
    read = "".join(str(part) for part in root.itertext())
    return "\n".join(each.rstrip() for each in read.strip().splitlines())


def _fitting(text: str) -> str:
    return cut(storable(text).replace("\0", "\ufffd").strip(), TEXT_CHARACTERS_MAX, _WHERE)
