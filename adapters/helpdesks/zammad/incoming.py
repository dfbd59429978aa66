"""What a change in Zammad asks of us: one change, so never more than one command."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from lxml import etree, html

from adapters.helpdesks.zammad.documents import Theirs
from adapters.kit import asking
from adapters.kit import words as kit
from adapters.kit.attaching import received, staying
from adapters.kit.contract import Asked, Ignored
from adapters.kit.files import Taken
from adapters.kit.steps import step
from domain.lifecycle import Action
from domain.ticket import Ticket
from domain.words import Words

_BREAKS: Final = frozenset({"br", "p", "div", "li", "tr", "blockquote", "pre"})


def commands_for_unknown(document: Theirs, words: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    if document.change.kind != "opened":
        return Ignored("unknown-ticket")
    ticket = document.ticket
    files = received(document.attached, None)
    opening = asking.opened(
        ticket.title,
        _text(document, files),
        priority=kit.priority(words, ticket.priority),
        site=ticket.affected_site,
        nothing="the ticket has neither a title nor a text",
    )
    return Asked([opening, *files.commands], files.withheld)


def commands_for_known(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    translate = _BY_KIND.get(document.change.kind)
    return translate(document, ticket, words) if translate else asking.NO_COUNTERPART


def _article(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    public = not document.change.internal
    files = received(document.attached, ticket, public=public)
    by_submitter = public and document.change.by == "customer"
    return asking.said(
        ticket, _text(document, files), files, public=public, by_submitter=by_submitter
    )


def _state(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    new = document.change.new
    moved = step(words, document.change.old, new, ticket.status)
    reply = asking.fitting(_plain(document.reply, document.reply_media_type))
    return asking.state_changed(words, ticket, new, moved, reply, _SILENT)


def _group(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Groups stand for support units."""
    return asking.unit_changed(words, ticket, document.change.new)


def _priority(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    return asking.priority_changed(words, ticket, document.change.new)


def _merged(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    into = document.merged_into or "another one that we may not see"
    text = f"The partner merged its ticket {document.ticket.id} into {into}."
    return asking.of_the_link(ticket, text)


_BY_KIND: Final[Mapping[str, Callable[[Theirs, Ticket, Words], Asked | Ignored]]] = (
    MappingProxyType({
        "article": _article,
        "state": _state,
        "group": _group,
        "priority": _priority,
        "merged": _merged,
    })
)  # fmt: skip

_NO_REASON: Final = "The partner postponed its ticket without a text for the customer."
_NO_SOLUTION: Final = "The partner closed its ticket without a text for the customer."
_SILENT: Final[Mapping[Action, str]] = MappingProxyType({
    Action.REQUEST_REPLY: _NO_REASON,
    Action.PUT_ON_HOLD: _NO_REASON,
    Action.SOLVE: _NO_SOLUTION,
    Action.FIND_UNSOLVABLE: _NO_SOLUTION,
    Action.REOPEN: "The partner reopened its ticket.",
})  # fmt: skip
"""What we write where they wrote nothing."""


def _text(document: Theirs, files: Taken) -> str:
    """The text as it reads, and which files stay there."""
    parts = [_plain(document.text, document.media_type), staying(document.files, files)]
    return asking.fitting("\n\n".join(filter(None, parts)))


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
