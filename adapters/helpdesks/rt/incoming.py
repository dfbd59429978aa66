"""What a transaction of RT asks of us: one change, so never more than a few commands."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree, html

from adapters.helpdesks.rt import words
from adapters.helpdesks.rt.documents import Theirs
from adapters.kit import words as kit
from adapters.kit.contract import Asked, Ignored, Unreadable
from adapters.kit.files import ReceivedFile, Taken, taken
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

_WHERE: Final = "it stands in the partner's message, which is kept"
_NO_SOLUTION: Final = "The partner resolved its ticket without a text for the submitter."
_NO_REASON: Final = "The partner stalled its ticket without a text for the submitter."
_NO_COUNTERPART: Final = Ignored("no-counterpart")


def commands_for_unknown(document: Theirs, tables: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    if document.transaction.type not in ("Create", "Set"):
        return Ignored("unknown-ticket")
    ticket = document.ticket
    description = _text(document)
    subject = line(ticket.subject or description, 10_000)
    if not subject:
        raise Unreadable("the ticket has neither a subject nor a description")
    opening = c.OpenTicket(
        subject=cut(subject, SUBJECT_CHARACTERS_MAX).replace("\n", " "),
        description=description,
        particulars=Particulars(
            priority=(words.priority(tables, ticket.priority or "0") or Priority.LESS_URGENT).value,
            affected_site=line(ticket.affected_site, NAME_CHARACTERS_MAX),
        ),
    )
    files = _files(document, None, Visibility.PUBLIC)
    return Asked([opening, *files.commands], files.withheld)


def commands_for_known(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    changed = document.transaction
    translate = _BY_TYPE.get((changed.type, changed.field)) or _BY_TYPE.get((changed.type, ""))
    return translate(document, ticket, tables) if translate else _NO_COUNTERPART


def _reply(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text, files = _text(document), _files(document, ticket, Visibility.PUBLIC)
    if not text and not files.commands:
        return Ignored("nothing-new")
    waits = ticket.status is Status.WAITING_FOR_REPLY
    entry: list[c.Command] = []
    if text and waits and document.transaction.by == "requestor":
        entry = [c.RecordReply(number=ticket.number, text=text)]
    elif text:
        entry = [c.Comment(number=ticket.number, text=text)]
    return Asked([*entry, *files.commands], files.withheld)


def _comment(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text, files = _text(document), _files(document, ticket, Visibility.INTERNAL)
    entry = [_internal(ticket, text)] if text else []
    if not entry and not files.commands:
        return Ignored("nothing-new")
    return Asked([*entry, *files.commands], files.withheld)


def _files(document: Theirs, ticket: Ticket | None, visibility: Visibility) -> Taken:
    files = [ReceivedFile(each.name, each.type, each.body()) for each in document.attached]
    return taken(files, ticket, visibility)


def _status(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    changed = document.transaction
    if changed.new == words.DELETED:
        return Asked([_internal(ticket, f"The partner deleted its ticket {document.ticket.id}.")])
    before, said = words.step(tables, changed.old, changed.new, ticket.status)
    step = None if said is None else action(said, before, ticket.status)
    if step is None:
        same = said is None or tables.states.write(ticket.status.value) == changed.new
        return Ignored("nothing-new" if same else "no-regress")
    return Asked([_STEPS[step](ticket.number, _fitting(document.reply))])


def _queue(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    """Queues stand for support units; a unit that we do not know is withheld by the exchange."""
    unit = kit.unit(tables, line(document.ticket.queue, NAME_CHARACTERS_MAX))
    if not unit or unit == ticket.unit:
        return Ignored("nothing-new")
    return Asked([c.Assign(number=ticket.number, unit=unit)])


def _priority(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    priority = words.priority(tables, document.transaction.new)
    if priority in (None, ticket.priority):
        return Ignored("nothing-new")
    return Asked([
        c.Reclassify(
            number=ticket.number, field="priority", value=priority.value,
            justification="As the partner set it.",
        )
    ])  # fmt: skip


def _merged(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text = f"The partner merged its ticket {document.ticket.id} into {document.merged_into}."
    return Asked([_internal(ticket, text)])


def _internal(ticket: Ticket, text: str) -> c.Comment:
    return c.Comment(number=ticket.number, text=text, visibility=Visibility.INTERNAL)


_BY_TYPE: Final[Mapping[tuple[str, str], Callable[[Theirs, Ticket, Words], Asked | Ignored]]] = (
    MappingProxyType({
        ("Correspond", ""): _reply,
        ("Comment", ""): _comment,
        ("Status", ""): _status,
        ("Set", "Queue"): _queue,
        ("Set", "Priority"): _priority,
        ("AddLink", "MergedInto"): _merged,
    })
)  # fmt: skip

_STEPS: Final[Mapping[Action, Callable[[int, str], c.Command]]] = MappingProxyType({
    Action.START_WORK: lambda number, _: c.StartWork(number=number),
    Action.REQUEST_REPLY: lambda number, text: c.RequestReply(
        number=number, question=text or _NO_REASON
    ),
    Action.PUT_ON_HOLD: lambda number, text: c.PutOnHold(number=number, reason=text or _NO_REASON),
    Action.SOLVE: lambda number, text: c.Solve(number=number, solution=text or _NO_SOLUTION),
    Action.FIND_UNSOLVABLE: lambda number, text: c.FindUnsolvable(
        number=number, reason=text or _NO_SOLUTION.replace("resolved", "rejected")
    ),
    Action.REOPEN: lambda number, _: c.Reopen(
        number=number, comment="The partner reopened its ticket."
    ),
})  # fmt: skip
"""What a change of a state can mean: with the words as shipped nobody asks for a reply."""


def _text(document: Theirs) -> str:
    """The texts of a transaction: the plain ones, or else what their HTML says; and which files hang on it."""
    plain = [each.text for each in document.texts if each.type == "text/plain"]
    parts = plain or [_plain(each.text) for each in document.texts if each.type == "text/html"]
    if document.files:
        names = ", ".join(line(name, 100) for name in document.files)
        parts.append(f"[attached at the partner: {names}]")
    text = storable("\n\n".join(part.strip() for part in parts)).replace("\0", "\ufffd").strip()
    return _fitting(text)


def _plain(markup: str) -> str:
    try:
        return "".join(str(part) for part in html.fromstring(markup).itertext())
    except (etree.ParserError, ValueError):
        return ""


def _fitting(text: str) -> str:
    return cut(storable(text), TEXT_CHARACTERS_MAX, _WHERE)
