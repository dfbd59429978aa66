"""What hangs on a transaction of RT: its texts, and the files that came with them.

RT's interface gives files within JSON; its pages give them as they are, to the same session, and whole only. A text
comes from there in the letters that it was written in, so only of other files the size is known before.
"""

from base64 import b64decode
from typing import Final

from msgspec import structs

from adapters.helpdesks.rt.documents import DOCUMENTS, Text, Theirs
from adapters.helpdesks.rt.session import PAGE, TOO_LARGE, Row, Session
from adapters.kit.attaching import Listed, fetched
from adapters.kit.downloads import Wanted
from adapters.kit.retry import Undelivered

_TEXT_CHARACTERS_MAX: Final = 200_000


class AttachmentRow(Row, frozen=True, rename="pascal", kw_only=True):
    content_type: str = ""
    content_length: str | int | None = ""
    """Bytes; of a text in other letters than it was written in."""
    filename: str | None = ""
    content: str | None = ""


async def with_texts_and_files(document: Theirs, session: Session) -> Theirs:
    """The change with what was written; files that stay there are named with the reason. Raises ``Undelivered``."""
    transaction = document.transaction.id
    rows = await _parts(transaction, session)
    texts = [
        Text(type=each.content_type, text=each.content[:_TEXT_CHARACTERS_MAX])
        for each in rows
        if each.content and not each.filename and each.content_type in ("text/plain", "text/html")
    ]
    document = structs.replace(document, texts=texts)
    listed = [_listed(transaction, each) for each in rows if each.filename]
    attached, left = await fetched(listed, session.downloads, beside=len(DOCUMENTS.write(document)))
    return structs.replace(document, attached=attached, files=left)


async def names_of_files(transaction: int, session: Session) -> list[str]:
    """Raises ``Undelivered``."""
    found = await session.rows(AttachmentRow, _path(transaction), fields="Filename", per_page=PAGE)
    return [each.filename for each in found if each.filename]


async def plain_text(transaction: int, session: Session) -> str:
    """What was written, where that was plain text. Raises ``Undelivered``."""
    found = await _parts(transaction, session)
    plain = (each for each in found if not each.filename and each.content_type == "text/plain")
    return next(((each.content or "")[:_TEXT_CHARACTERS_MAX] for each in plain), "")


def _listed(transaction: int, row: AttachmentRow) -> Listed:
    is_text = row.content_type.startswith("text/")
    length = str(row.content_length)
    size = int(length) if length.isdigit() and not is_text else 0
    path = f"/Ticket/Attachment/{transaction}/{row.id}"
    return Listed(
        name=row.filename or "", type=row.content_type, wanted=Wanted(path=path, size=size)
    )


async def _parts(transaction: int, session: Session) -> list[AttachmentRow]:
    """The parts of a transaction's text and its files, at most a page. Files have no content here."""
    path = _path(transaction)
    fields = "ContentType,ContentLength,Filename"
    try:
        return await session.rows(AttachmentRow, path, fields=f"{fields},Content", per_page=PAGE)
    except Undelivered as failure:
        if failure.code != TOO_LARGE:
            raise
    rows = await session.rows(AttachmentRow, path, fields=fields, per_page=PAGE)
    texts = [each for each in rows if not each.filename and each.content_type.startswith("text/")]
    bodies = {each.id: await _text(each.id, session) for each in texts}
    return [
        structs.replace(row, content=(bodies.get(row.id) or b"").decode("utf-8", "replace"))
        for row in rows
    ]


def _path(transaction: int) -> str:
    return f"/transaction/{transaction}/attachments"


async def _text(attachment: int, session: Session) -> bytes | None:
    """What a part holds; None where that is too much."""
    try:
        answer = await session.call("GET", f"/attachment/{attachment}")
    except Undelivered as failure:
        if failure.code != TOO_LARGE:
            raise
        return None
    answer.must_succeed()
    try:
        return b64decode(str(answer.json().get("Content") or ""))
    except ValueError as error:
        raise Undelivered("strange-answer", f"attachment {attachment}", final=False) from error
