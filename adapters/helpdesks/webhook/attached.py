"""Files in events: each by its name, size and hash, and with its bytes where they are not too many."""

import base64
import binascii
from typing import Any, Final

import msgspec

from adapters.helpdesks.webhook.events import EventData, EventFile
from adapters.kit.contract import Asked, Ignored, News, Unreadable
from adapters.kit.fetching import ELSEWHERE
from adapters.kit.files import ReceivedFile, file_name, taken
from adapters.kit.interface import Elsewhere
from domain import commands as c
from domain.content import sha256_of
from domain.ticket import Ticket
from domain.vocabulary import Visibility

FILE_BYTES_MAX: Final = 4_000_000
"""Of a file whose bytes are in the event."""


def told(news: News, event: Ticket.Attached, name: str) -> EventFile:
    """A file of ours. One that was erased meanwhile, or is too large, comes without its bytes."""
    body = news.files.get(event.file.id, b"")
    return EventFile(
        name=file_name(name),
        media_type=event.file.media_type,
        size=event.file.size,
        sha256=event.file.sha256,
        url=news.place.page.format(number=news.ticket.number),
        data_base64=base64.b64encode(body).decode() if len(body) <= FILE_BYTES_MAX else "",
    )


def without_data(body: bytes) -> bytes | None:
    """The same event, with the file named only; None for one that brings no file."""
    event: dict[str, Any] = msgspec.json.decode(body)
    file = event.get("data", {}).get("file", {})
    if not file.pop("data_base64", ""):
        return None
    return msgspec.json.encode(event)


def elsewhere(data: EventData) -> Elsewhere | None:
    """The file that an event only names."""
    file = data.file
    if file is None or file.data_base64:
        return None
    return Elsewhere(
        ticket=data.ticket.id,
        name=file.name,
        media_type=file.media_type,
        size=file.size,
        sha256=file.sha256,
        visibility=Visibility.INTERNAL if data.internal else Visibility.PUBLIC,
    )


def attached(data: EventData, ticket: Ticket) -> Asked | Ignored:
    """A file of theirs. Raises ``Unreadable`` where it is not what the event says of it."""
    file = data.file
    if file is None:
        raise Unreadable("data.file is missing: what was attached?")
    visibility = Visibility.INTERNAL if data.internal else Visibility.PUBLIC
    if ticket.has_file(file.sha256, visibility):
        return Ignored("nothing-new")
    if not file.data_base64:
        where = file.url or "ask for it there."
        name = file_name(file.name)
        text = f"The partner attached {name} ({file.size} bytes), which stays there: {where}"
        return Asked(
            [c.Comment(number=ticket.number, text=text, visibility=visibility)],
            [ELSEWHERE],
        )
    found = taken([ReceivedFile(file.name, file.media_type, _body(file))], ticket, visibility)
    if found.withheld:
        return Ignored(found.withheld[0])
    return Asked(found.commands)


def _body(file: EventFile) -> bytes:
    try:
        body = base64.b64decode(file.data_base64, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("data.file.data_base64 is not base64") from None
    if len(body) != file.size or sha256_of(body) != file.sha256:
        raise Unreadable("size or sha256 of data.file are not those of its data")
    return body
