"""What a transaction of RT asks of us: one change, so never more than a few commands."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree, html

from adapters.helpdesks.rt import words
from adapters.helpdesks.rt.documents import Theirs
from adapters.kit import asking
from adapters.kit.attaching import received, staying
from adapters.kit.contract import Asked, Ignored
from adapters.kit.files import Taken
from domain.lifecycle import Action
from domain.ticket import Ticket
from domain.words import Words


def commands_for_unknown(document: Theirs, tables: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    if document.transaction.type not in ("Create", "Set"):
        return Ignored("unknown-ticket")
    ticket = document.ticket
    files = received(document.attached, None)
    opening = asking.opened(
        ticket.subject,
        _text(document, files),
        priority=words.priority(tables, ticket.priority or "0"),
        site=ticket.affected_site,
        nothing="the ticket has neither a subject nor a description",
    )
    return Asked([opening, *files.commands], files.withheld)


def commands_for_known(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    changed = document.transaction
    translate = _BY_TYPE.get((changed.type, changed.field)) or _BY_TYPE.get((changed.type, ""))
    return translate(document, ticket, tables) if translate else asking.NO_COUNTERPART


def _reply(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    files = received(document.attached, ticket)
    by_submitter = document.transaction.by == "requestor"
    text = _text(document, files)
    return asking.said(ticket, text, files, public=True, by_submitter=by_submitter)


def _comment(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    files = received(document.attached, ticket, public=False)
    text = _text(document, files)
    return asking.said(ticket, text, files, public=False, by_submitter=False)


def _status(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    changed = document.transaction
    if changed.new == words.DELETED:
        text = f"The partner deleted its ticket {document.ticket.id}."
        return asking.of_the_link(ticket, text)
    step = words.step(tables, changed.old, changed.new, ticket.status)
    reply = asking.fitting(document.reply)
    return asking.state_changed(tables, ticket, changed.new, step, reply, _SILENT)


def _queue(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    """Queues stand for support units."""
    return asking.unit_changed(tables, ticket, document.ticket.queue)


def _priority(document: Theirs, ticket: Ticket, tables: Words) -> Asked | Ignored:
    priority = words.priority(tables, document.transaction.new)
    if priority is None or priority is ticket.priority:
        return asking.NOTHING_NEW
    return Asked([asking.reclassified(ticket, priority)])


def _merged(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text = f"The partner merged its ticket {document.ticket.id} into {document.merged_into}."
    return asking.of_the_link(ticket, text)


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

_NO_REASON: Final = "The partner stalled its ticket without a text for the submitter."
_SILENT: Final[Mapping[Action, str]] = MappingProxyType({
    Action.REQUEST_REPLY: _NO_REASON,
    Action.PUT_ON_HOLD: _NO_REASON,
    Action.SOLVE: "The partner resolved its ticket without a text for the submitter.",
    Action.FIND_UNSOLVABLE: "The partner rejected its ticket without a text for the submitter.",
    Action.REOPEN: "The partner reopened its ticket.",
})  # fmt: skip
"""What we write where they wrote nothing."""


def _text(document: Theirs, files: Taken) -> str:
    """The texts of a transaction: the plain ones, or else what their HTML says; and which files stay there."""
    plain = [each.text for each in document.texts if each.type == "text/plain"]
    parts = plain or [_plain(each.text) for each in document.texts if each.type == "text/html"]
    said = [*(part.strip() for part in parts), staying(document.files, files)]
    return asking.fitting("\n\n".join(filter(None, said)))


def _plain(markup: str) -> str:
    try:
        return "".join(str(part) for part in html.fromstring(markup).itertext())
    except (etree.ParserError, ValueError):
        return ""
