"""What RT is to do in consequence of an event of ours."""

import unicodedata
from base64 import b64encode
from typing import Final

from msgspec import structs

from adapters.helpdesks.rt.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    EXTERNAL_URL,
    FILE_BYTES_MAX,
    File,
    Note,
    Ours,
)
from adapters.kit import telling
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
    name, body = telling.text(news, event.name), news.files.get(event.file.id)
    text = f"A file was attached at {news.place.our_name}: {name}"
    if body is None or len(body) > FILE_BYTES_MAX:
        text = f"{text}\n\nIt stays there: {telling.where(news)}"
        return _changed(news, Told(text=text, public=True))
    # RT spoils all letters but these in the names of files.
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    file = File(name=file_name(plain), type=event.file.media_type, content=b64encode(body).decode())
    return structs.replace(_changed(news, Told(text=text, public=True)), file=file)


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
