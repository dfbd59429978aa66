"""What Zammad is to do in consequence of an event of ours."""

from datetime import UTC, timedelta
from typing import Final

from msgspec import structs

from adapters.helpdesks.zammad.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    EXTERNAL_URL,
    Note,
    Ours,
    mark,
)
from adapters.kit import attaching, telling
from adapters.kit.contract import Ignored, News
from domain.lifecycle import Status
from domain.ticket import Ticket

_GROUP: Final = "Users"
"""Of a new Zammad."""
_REMIND_AFTER: Final = timedelta(days=30)
"""Zammad takes no ticket as pending without a time at which it reminds of it."""
_PENDING: Final = frozenset({Status.WAITING_FOR_REPLY, Status.ON_HOLD})


def whole(news: News) -> Ours:
    """Create the ticket. Who the submitter is stays with us: Zammad must not mail the same person too."""
    opening = telling.opening(news)
    create = {
        "group": telling.unit_for(news, "group", _GROUP),
        "title": opening.subject,
        "priority": opening.priority,
        "state": opening.state,
    }
    return _ours(
        news,
        Note(public=True, text=opening.text),
        create=telling.filled(create),
        custom={EXTERNAL_URL: telling.where(news)} | telling.filled({AFFECTED_SITE: opening.site}),
    )


def change(news: News) -> Ours | Ignored:
    """Bring their ticket along."""
    if isinstance(news.event, Ticket.Attached):
        said, file = attaching.told(news, news.event)
        document = _ours(news, Note(public=said.public, text=said.text), custom={})
        return structs.replace(document, file=file)
    told = telling.told(news)
    if isinstance(told, Ignored):
        return told
    fields = {"state": told.state, "group": told.unit, "priority": told.priority}
    if told.state and told.status in _PENDING:
        until = (news.at + _REMIND_AFTER).astimezone(UTC)
        fields["pending_time"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    custom = {}
    if told.linked:
        custom = {EXTERNAL_ID: telling.our_id(news), EXTERNAL_URL: telling.where(news)}
    elif told.site is not None:
        custom = {AFFECTED_SITE: told.site}
    note = Note(public=told.public, text=told.text)
    return _ours(news, note, set=telling.filled(fields), custom=custom)


def _ours(
    news: News,
    note: Note,
    *,
    create: dict[str, str] | None = None,
    set: dict[str, str] | None = None,  # noqa: A002 - it is the word of the document
    custom: dict[str, str],
) -> Ours:
    our_id, event_id = telling.our_id(news), telling.event_id(news)
    return Ours(
        number=news.ticket.number,
        external_id=our_id,
        event_id=event_id,
        mark=mark(news.hops, our_id, event_id),
        decided_at=news.at.isoformat(),
        create=create,
        note=note,
        set=set or {},
        custom=custom,
    )
