"""What RT is to do in consequence of an event of ours."""

import unicodedata
from typing import Final

from msgspec import structs

from adapters.helpdesks.rt.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    EXTERNAL_URL,
    Note,
    Ours,
)
from adapters.kit import attaching, telling
from adapters.kit.contract import Ignored, News
from adapters.kit.files import file_name
from adapters.kit.telling import Told
from domain.ticket import Ticket

_QUEUE: Final = "General"
"""Of a new RT."""


def whole(news: News) -> Ours:
    """Create the ticket. Who the submitter is stays with us: RT must not mail the same person too."""
    opening, where = telling.opening(news), telling.where(news)
    create = {
        "Queue": telling.unit_for(news, "queue", _QUEUE),
        "Subject": opening.subject,
        "Content": opening.text,
        "Priority": opening.priority,
    }
    note = f"This is {telling.named(news)}, {news.ticket.status.value} there. {where}"
    return _ours(
        news,
        Note(public=False, text=note),
        create=telling.filled(create),
        set={"Status": opening.state},
        custom={EXTERNAL_URL: where} | telling.filled({AFFECTED_SITE: opening.site}),
    )


def change(news: News) -> Ours | Ignored:
    """Bring their ticket along."""
    if isinstance(news.event, Ticket.Attached):
        return _attached(news, news.event)
    told = telling.told(news)
    return told if isinstance(told, Ignored) else _changed(news, told)


def _changed(news: News, told: Told) -> Ours:
    custom = {}
    if told.linked:
        custom = {EXTERNAL_ID: telling.our_id(news), EXTERNAL_URL: telling.where(news)}
    elif told.site is not None:
        custom = {AFFECTED_SITE: told.site}
    return _ours(
        news,
        Note(public=told.public, text=told.text),
        set={"Status": told.state, "Queue": told.unit, "Priority": told.priority},
        custom=custom,
    )


def _attached(news: News, event: Ticket.Attached) -> Ours:
    said, file = attaching.told(news, event)
    if file is not None:
        # RT spoils all letters but these in the names of files.
        plain = unicodedata.normalize("NFKD", file.name).encode("ascii", "ignore").decode()
        file = structs.replace(file, name=file_name(plain))
    return structs.replace(_changed(news, said), file=file)


def _ours(
    news: News,
    note: Note,
    *,
    create: dict[str, str] | None = None,
    set: dict[str, str],  # noqa: A002 - it is the word of the document
    custom: dict[str, str],
) -> Ours:
    return Ours(
        number=news.ticket.number,
        external_id=telling.our_id(news),
        event_id=telling.event_id(news),
        decided_at=news.at.isoformat(),
        create=create,
        note=note,
        set=telling.filled(set),
        custom=custom,
    )
