"""Files of tickets, in and out: what may be read by whom, and how a file is handed to a browser.

Nothing that somebody attached is ever shown inside a page of ours: it is downloaded, under its name.
"""

from datetime import datetime
from typing import Final
from urllib.parse import quote

from fastapi import Request, Response
from msgspec import Struct
from starlette.datastructures import UploadFile

from api.commanding import may_read
from api.problems import BadRequest
from api.views import ERASED
from domain.content import SealedFile
from domain.errors import EntryNotFound, Invalid, TicketNotFound, TooLarge
from domain.ledger import Ledger
from domain.rights import PERMITTED, Actor, Right
from domain.texts import must_be_media_type
from domain.ticket import Attachment
from domain.vocabulary import FILE_BYTES_MAX, Visibility

FORM_BYTES_MAX: Final = FILE_BYTES_MAX + 100_000
"""Of a request that brings a file."""
UNKNOWN: Final = "application/octet-stream"
_FIELD_BYTES_MAX: Final = 10_000


class AttachedFile(Struct, frozen=True):
    version: int
    """Names the file within the ticket: the version of the ticket that has it first."""
    name: str
    media_type: str
    """As whoever attached it says."""
    size: int
    """Bytes."""
    sha256: str
    visibility: str
    attached_at: datetime


class Brought(Struct, frozen=True):
    """A form with a file in it."""

    name: str
    media_type: str
    body: bytes
    fields: dict[str, str]


async def files_of(ledger: Ledger, actor: Actor, number: int) -> list[AttachedFile]:
    """Those that the actor may read, oldest first. Raises ``TicketNotFound``."""
    readable = await _readable(ledger, actor, number)
    names = await ledger.store.contents(each.name.id for each in readable)
    return [
        AttachedFile(
            version=each.version,
            name=names[each.name.id].text() if each.name.id in names else ERASED,
            media_type=each.file.media_type,
            size=each.file.size,
            sha256=each.file.sha256,
            visibility=each.visibility,
            attached_at=each.attached_at,
        )
        for each in readable
    ]


async def download(ledger: Ledger, actor: Actor, number: int, version: int) -> Response:
    """A file as it was attached. Raises ``TicketNotFound``, ``EntryNotFound``."""
    for each in await _readable(ledger, actor, number):
        if each.version == version:
            wanted = await ledger.store.contents([each.file.id, each.name.id])
            if each.file.id in wanted:
                name = wanted[each.name.id].text() if each.name.id in wanted else "file"
                return _sent(each.file, name, wanted[each.file.id].body)
    raise EntryNotFound("file", str(version))


async def _readable(ledger: Ledger, actor: Actor, number: int) -> list[Attachment]:
    ticket = await ledger.ticket(number)
    if not may_read(actor, ticket):
        raise TicketNotFound(number)
    internal = bool(actor.roles(ticket) & PERMITTED[Right.READ_INTERNAL])
    return [each for each in ticket.files if internal or each.visibility == Visibility.PUBLIC.value]


def _sent(file: SealedFile, name: str, body: bytes) -> Response:
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "ETag": f'"{file.sha256}"',
    }
    return Response(body, 200, headers, file.media_type)


async def brought(request: Request) -> Brought:
    """The one file of a form, and its other fields. Raises ``BadRequest``, ``Invalid``, ``TooLarge``.

    It is kept on disk while it comes in, and is read only when it is known not to be too large.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise BadRequest("send the file as multipart/form-data", "no-form", 415)
    async with request.form(max_files=1, max_fields=12, max_part_size=_FIELD_BYTES_MAX) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Invalid("the field 'file' must be a file")
        if (file.size or 0) > FILE_BYTES_MAX:
            raise TooLarge(f"a file of {file.size} bytes, at most {FILE_BYTES_MAX} are taken")
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        name = (file.filename or "").replace("\\", "/").rpartition("/")[2].strip()
        return Brought(name, _media_type(file.content_type), await file.read(), fields)


def _media_type(said: str | None) -> str:
    """What the sender says, without its parameters."""
    media_type = (said or "").partition(";")[0].strip().lower()
    try:
        must_be_media_type(media_type)
    except Invalid:
        return UNKNOWN
    return media_type


def visibility_of(brought: Brought) -> Visibility:
    """Raises ``Invalid``."""
    said = brought.fields.get("visibility", Visibility.PUBLIC.value)
    try:
        return Visibility(said)
    except ValueError:
        raise Invalid(
            "visibility is public or internal", possible=[each.value for each in Visibility]
        ) from None
