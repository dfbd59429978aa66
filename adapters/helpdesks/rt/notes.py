"""Texts of ours in RT's tickets: each there once, with its file, or with the words why the file is not.

RT says yes to a file that is larger than it is set to take, drops it or cuts it, and goes on naming the size that was
sent. That it did so it notes at the ticket, in a transaction after the one of the text.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, structs

from adapters.helpdesks.rt.documents import EVENT_ID, Note, Ours
from adapters.helpdesks.rt.files import names_of_files, plain_text
from adapters.helpdesks.rt.session import Session, TransactionRow, either, marked, quoted
from adapters.kit.attaching import WITHDRAWN, OurFile, Uploads
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.settling import Settling

_LOOKED_AT: Final = 20
"""Of ours, the newest: in one conversation a message is sent again before the next one is sent."""
_TEXTS: Final = ("Correspond", "Comment")
_CUT: Final = "AttachmentTruncate"
_DROPPED: Final = "AttachmentDrop"


class Noted(Struct, frozen=True):
    """A text of ours that RT has."""

    note: TransactionRow
    ours: Sequence[TransactionRow]
    """What our account did at the ticket around it, oldest first."""
    with_file: bool | None
    """Whether its file went with it just now; None where it was there already."""

    @property
    def texts(self) -> list[TransactionRow]:
        return [each for each in self.ours if each.type in _TEXTS]


class Notes:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session, settling: Settling) -> None:
        self._session, self._settling, self._uploads = session, settling, Uploads()

    async def written(
        self, document: Ours, ticket: int, streams: Sequence[int], parcel: Parcel
    ) -> Noted:
        """Find the text of this message in the ticket, which may have merged others, or write it."""
        ours = await self._ours(streams)
        note = _note_of(document, ours)
        if note is not None:
            return Noted(note, ours, with_file=None)
        await self._settling.be_certain(document.event_id, document.decided_at)
        async with self._settling.attempt(document.event_id):
            with_file = await self._write(document, ticket, parcel)
        ours = await self._ours(streams)
        note = _note_of(document, ours)
        if note is None:
            raise Undelivered("refused", "RT said yes and did not keep the text", final=True)
        return Noted(note, ours, with_file)

    async def file_kept(
        self, document: Ours, noted: Noted, ticket: int, streams: Sequence[int], parcel: Parcel
    ) -> str:
        """Make sure that the file is there, or that people there read why not; what to add to the receipt."""
        file = document.file
        if file is None or not await self._went_along(file, noted):
            return ""
        why = await self._lost(file, noted)
        if not why:
            return ""
        if why == _MISSING:  # without any reason: a second time it may stay
            text = f"The file once more: {file.name}"
            once_more = _after(document, "2", text, file)
            noted = await self.written(once_more, ticket, streams, parcel)
            if await self._went_along(file, noted):
                why = await self._lost(file, noted)
                if not why:
                    return "; its file was sent twice"
        await self.written(
            _after(document, "3", f"{file.name}: {why}. {file.otherwise}"), ticket, streams, parcel
        )
        return f"; {why}"

    async def _went_along(self, file: OurFile, noted: Noted) -> bool:
        """Else the text itself says why there is no file."""
        if noted.with_file is not None:
            return noted.with_file
        text = await plain_text(noted.note.id, self._session)
        return file.otherwise not in text and WITHDRAWN not in text

    async def _lost(self, file: OurFile, noted: Noted) -> str:
        """What became of the file, in words; empty where it is there."""
        next_text = next((each.id for each in noted.texts if each.id > noted.note.id), None)
        for each in noted.ours:
            after = each.id > noted.note.id and (next_text is None or each.id < next_text)
            if after and (each.data or "").strip() == file.name and each.type in (_CUT, _DROPPED):
                took = "only its beginning was" if each.type == _CUT else "it was not"
                return f"{took} kept there: {file.size} bytes, at most {each.new_value} are taken"
        return "" if await names_of_files(noted.note.id, self._session) else _MISSING

    async def _ours(self, streams: Sequence[int]) -> list[TransactionRow]:
        """Texts of ours and what became of their files, the newest ones, oldest first."""
        account = quoted(self._session.terms.account)
        kinds = " OR ".join(f"Type = '{each}'" for each in (*_TEXTS, _CUT, _DROPPED))
        newest = await self._session.transactions(
            f"{either('ObjectId', streams)} AND Creator = {account} AND ({kinds})",
            newest_first=True,
            per_page=_LOOKED_AT,
        )
        return sorted(newest, key=lambda each: each.id)

    async def _write(self, document: Ours, ticket: int, parcel: Parcel) -> bool:
        """Text, file and state in one call; without the file, where that alone is refused. Whether it went along."""
        fields: dict[str, Any] = {
            "Subject": f"{document.external_id} {document.event_id}",
            "ContentType": "text/plain",
            "TxnCustomFields": {EVENT_ID: document.event_id},
        }
        if "Status" in document.set:
            fields["Status"] = document.set["Status"]
        text, how = document.note.text, "correspond" if document.note.public else "comment"
        written = False

        async def bring(file: OurFile, body: bytes) -> None:
            nonlocal written
            attached = {
                "FileName": file.name, "FileType": file.type, "FileContent": b64encode(body).decode(),
            }  # fmt: skip
            with_file = fields | {"Content": _content(text), "Attachments": [attached]}
            await self._session.write(ticket, how, with_file)
            written = True

        more = await self._uploads.bring(parcel, document.file, document.event_id, bring)
        if not written:
            await self._session.write(ticket, how, fields | {"Content": _content(text + more)})
        return written


_MISSING: Final = "it is not there, though RT said yes to it"


def _after(document: Ours, which: str, text: str, file: OurFile | None = None) -> Ours:
    """A further text in consequence of the same message, with a name of its own."""
    return structs.replace(
        document,
        event_id=f"{document.event_id}/{which}",
        note=Note(public=document.note.public, text=text),
        file=file,
        set={},
        custom={},
    )


def _note_of(document: Ours, ours: Sequence[TransactionRow]) -> TransactionRow | None:
    """The text of this message, if RT has it."""
    texts = (each for each in ours if each.type in _TEXTS)
    return next((each for each in texts if marked(each) == document.event_id), None)


def _content(text: str) -> str:
    """A text alone that is nothing to Perl would not be written."""
    return "0\n" if text == "0" else text
