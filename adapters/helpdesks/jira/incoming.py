"""What a change in Jira asks of us: one change, so never more than one command."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.jira.documents import Theirs
from adapters.helpdesks.jira.rich_text import reading
from adapters.kit import asking
from adapters.kit import words as kit
from adapters.kit.attaching import received, staying
from adapters.kit.contract import Asked, Ignored
from adapters.kit.steps import step
from domain.lifecycle import Action
from domain.ticket import Ticket
from domain.words import Words


def commands_for_unknown(document: Theirs, words: Words) -> Asked | Ignored:
    """Open a ticket. Whatever else happened to it follows, in messages of its own. Raises ``Unreadable``."""
    if document.change.kind != "opened":
        return Ignored("unknown-ticket")
    issue = document.issue
    # A project may have no priorities.
    priority = kit.priority(words, issue.priority) if issue.priority else None
    opening = asking.opened(
        issue.summary,
        asking.fitting(reading(document.text)),
        priority=priority,
        nothing="the issue has neither a summary nor a description",
    )
    return Asked([opening])


def commands_for_known(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    translate = _BY_KIND.get(document.change.kind)
    return translate(document, ticket, words) if translate else asking.NO_COUNTERPART


def _comment(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    text = asking.fitting(reading(document.text))
    if not text:
        return asking.NOTHING_NEW
    if document.change.internal:
        return Asked([asking.entry(ticket, text, public=False)])
    return Asked([asking.written(ticket, text, by_submitter=document.change.by == "reporter")])


def _attached(document: Theirs, ticket: Ticket, _: Words) -> Asked | Ignored:
    public = not document.change.internal
    files = received(document.attached, ticket, public=public)
    stays = asking.fitting(staying(document.files, files))
    return asking.said(ticket, stays, files, public=public, by_submitter=False)


def _status(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    new = document.change.new
    moved = step(words, document.change.old, new, ticket.status)
    reply = asking.fitting(reading(document.reply))
    return asking.state_changed(words, ticket, new, moved, reply, _SILENT)


def _component(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    """Components stand for support units."""
    return asking.unit_changed(words, ticket, document.change.new)


def _priority(document: Theirs, ticket: Ticket, words: Words) -> Asked | Ignored:
    return asking.priority_changed(words, ticket, document.change.new)


_BY_KIND: Final[Mapping[str, Callable[[Theirs, Ticket, Words], Asked | Ignored]]] = (
    MappingProxyType({
        "comment": _comment,
        "attached": _attached,
        "status": _status,
        "component": _component,
        "priority": _priority,
    })
)  # fmt: skip

_NO_REASON: Final = "The partner postponed its issue without a public comment."
_NO_SOLUTION: Final = "The partner finished its issue without a public comment."
_SILENT: Final[Mapping[Action, str]] = MappingProxyType({
    Action.REQUEST_REPLY: _NO_REASON,
    Action.PUT_ON_HOLD: _NO_REASON,
    Action.SOLVE: _NO_SOLUTION,
    Action.FIND_UNSOLVABLE: _NO_SOLUTION,
    Action.REOPEN: "The partner reopened its issue.",
})  # fmt: skip
"""What we write where they wrote nothing."""
