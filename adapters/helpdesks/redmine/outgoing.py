"""What Redmine is to do in consequence of an event of ours."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs

from adapters.helpdesks.redmine.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    EXTERNAL_URL,
    PRIORITY,
    PROJECT,
    STATUS,
    Note,
    Ours,
)
from adapters.kit import attaching, telling
from adapters.kit.contract import Ignored, News
from domain.lifecycle import Status
from domain.ticket import Ticket

_FINAL: Final[Mapping[type, tuple[Status, str]]] = MappingProxyType({
    Ticket.Verified: (Status.VERIFIED, "The submitter verified the outcome at {name}."),
    Ticket.Closed: (Status.CLOSED, "Nobody objected to the outcome at {name}."),
})  # fmt: skip
"""Redmine has a state for this, that most others have not."""


def whole(news: News) -> Ours:
    """Create the issue. Who the submitter is stays with us: Redmine knows its own people only."""
    opening = telling.opening(news)
    create = {
        PROJECT: telling.unit_for(news, "project"),
        "subject": opening.subject,
        "description": opening.text,
        PRIORITY: opening.priority,
    }
    return _ours(
        news,
        None,
        create=telling.filled(create),
        set={STATUS: opening.state},
        custom={EXTERNAL_URL: telling.where(news)} | telling.filled({AFFECTED_SITE: opening.site}),
    )


def change(news: News) -> Ours | Ignored:
    """Bring their issue along."""
    if isinstance(news.event, Ticket.Attached):
        said, file = attaching.told(news, news.event)
        document = _ours(news, Note(public=said.public, text=said.text), set={}, custom={})
        return structs.replace(document, file=file)
    final = _FINAL.get(type(news.event))
    told = telling.moved(news, final[0], "", final[1]) if final else telling.told(news)
    if isinstance(told, Ignored):
        return told
    custom = {}
    if told.linked:
        custom = {EXTERNAL_ID: telling.our_id(news), EXTERNAL_URL: telling.where(news)}
    elif told.site is not None:
        custom = {AFFECTED_SITE: told.site}
    return _ours(
        news,
        Note(public=told.public, text=told.text),
        set={STATUS: told.state, PROJECT: told.unit, PRIORITY: told.priority},
        custom=custom,
    )


def _ours(
    news: News,
    note: Note | None,
    *,
    create: dict[str, str] | None = None,
    set: dict[str, str],  # noqa: A002 - it is the word of the document
    custom: dict[str, str],
) -> Ours:
    return Ours(
        number=news.ticket.number,
        external_id=telling.our_id(news),
        event_id=telling.event_id(news),
        hops=list(news.hops),
        create=create,
        note=note,
        set=telling.filled(set),
        custom=custom,
    )
