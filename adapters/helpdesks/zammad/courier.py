"""Gives our messages their effect in Zammad, once: looks before it writes, reads back after it.

A text and the attributes that go with it are written in one call, which Zammad does wholly or not at all;
the text's subject names our message. A ticket is found by our number in an attribute, through a search
whose index is late: so where a ticket may have been made just now, it is waited for before one is made.
"""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

from adapters.helpdesks.zammad import words
from adapters.helpdesks.zammad.documents import DOCUMENTS, EXTERNAL_ID, Note, Ours, event_id
from adapters.helpdesks.zammad.doubles import Doubles
from adapters.helpdesks.zammad.rows import ArticleRow, TicketRow
from adapters.helpdesks.zammad.session import Session
from adapters.kit.attaching import OurFile, Uploads
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.reused import must_be_ours
from adapters.kit.settling import TEXT_S, Settling, twice
from domain.words import Words

_MERGES_MAX: Final = 5
_SHOWN: Final = frozenset({"state", "group", "priority"})
"""Attributes that can be read back."""


class ZammadCourier:
    def __init__(self, session: Session, words: Words, *, settle_s: float) -> None:
        self._session, self._doubles = session, Doubles(session, words)
        self.tickets, self.texts = Settling(settle_s), Settling(min(settle_s, TEXT_S))
        self._uploads, self._creating = Uploads(), asyncio.Lock()

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = DOCUMENTS.to_do(parcel.raw)
        if not parcel.external_id:
            if document.create is None:
                what = "Zammad was never told of this ticket: the message that opens it was skipped"
                raise Undelivered("not-open-there", what, final=True)
            async with self._creating:
                return await self._opened(document)
        return await self._changed(document, parcel)

    # -- opening -------------------------------------------------------------------------------------

    async def _opened(self, document: Ours) -> Delivered:
        holders = await self._doubles.holders(document.external_id)
        said = "found"
        if not holders:
            await self.tickets.be_certain(document.external_id, document.decided_at)
            await self._must_have_field()
            holders, said = [await self._create(document)], "created"
        first, *others = holders
        for other in others:
            await self._doubles.take_back(other, first)
        receipt = f"ticket {first.id} {said}"
        if others:
            receipt += f"; taken back: {', '.join(str(each.id) for each in others)}"
        return _delivered(receipt + _lost(document, first), first)

    async def _create(self, document: Ours) -> TicketRow:
        assert document.create is not None
        fields = {
            **document.create,
            **document.custom,
            EXTERNAL_ID: document.external_id,
            "customer_id": await self._session.account(),
            "article": _article(document, document.note),
        }
        async with self.tickets.attempt(document.external_id):
            made = await self._session.create(fields)
        if made.custom(EXTERNAL_ID) != document.external_id:
            raise _no_field(f"ticket {made.id} was made without it")
        return made

    async def _must_have_field(self) -> None:
        some = await self._session.any_ticket()
        if some is not None and not isinstance(some.external_id, str | None):
            raise _no_field("no ticket has it")

    # -- changing ------------------------------------------------------------------------------------

    async def _changed(self, document: Ours, parcel: Parcel) -> Delivered:
        ticket = await self._present(int(parcel.external_id))
        if ticket.id == int(parcel.external_id):  # else they merged it
            bears = ticket.custom(EXTERNAL_ID)
            must_be_ours(parcel, document.external_id, bears=bears, opened_at=ticket.made_at)
        articles = await self._ours(ticket.id)
        if found := _of(document, articles):
            said = f"ticket {ticket.id} article {found.id} found"
            return _delivered(said + _twice(ticket, articles), ticket)
        await self.texts.be_certain(document.event_id, document.decided_at)
        async with self.texts.attempt(document.event_id):
            ticket = await self._write(document, ticket.id, parcel)
        articles = await self._ours(ticket.id)
        found = _of(document, articles)
        if found is None:
            raise Undelivered("refused", "Zammad said yes and did not keep the text", final=True)
        if EXTERNAL_ID in document.custom and ticket.custom(EXTERNAL_ID) != document.external_id:
            raise _no_field(f"ticket {ticket.id} did not take it")
        other = [
            f"{name} is {getattr(ticket, name)}"
            for name, value in document.set.items()
            if name in _SHOWN and getattr(ticket, name) != value
        ]
        receipt = f"ticket {ticket.id} article {found.id}{_lost(document, ticket)}"
        receipt += _twice(ticket, articles)
        return _delivered(receipt + (f"; overruled: {', '.join(other)}" if other else ""), ticket)

    async def _write(self, document: Ours, number: int, parcel: Parcel) -> TicketRow:
        """Text, file and attributes in one call; without the file, where that alone is refused."""
        fields: dict[str, Any] = {**document.set, **document.custom}
        article, written = _article(document, document.note), list[TicketRow]()

        async def bring(file: OurFile, body: bytes) -> None:
            attached = {
                "filename": file.name, "mime-type": file.type, "data": b64encode(body).decode(),
            }  # fmt: skip
            with_file = fields | {"article": {**article, "attachments": [attached]}}
            written.append(await self._session.update(number, with_file))

        article["body"] += await self._uploads.bring(
            parcel, document.file, document.event_id, bring
        )
        if written:
            return written[0]
        return await self._session.update(number, {**fields, "article": article})

    async def _present(self, number: int) -> TicketRow:
        """The ticket, or the one that it became part of."""
        for _ in range(_MERGES_MAX):
            ticket = await self._session.ticket(number)
            if ticket is None:
                what = f"Zammad has no ticket with the identifier {number} any more"
                raise Undelivered("gone-there", what, final=True)
            if ticket.state != words.MERGED:
                return ticket
            number = await self._session.heir(number)
            if not number:
                break
        raise Undelivered(
            "merged-there", "it cannot be told into which ticket theirs was merged", final=True
        )

    async def _ours(self, ticket: int) -> list[ArticleRow]:
        """The articles that our agent wrote, oldest first."""
        account = await self._session.account()
        found = await self._session.articles(ticket)
        return sorted((e for e in found if e.created_by_id == account), key=lambda each: each.id)


def _of(document: Ours, articles: Sequence[ArticleRow]) -> ArticleRow | None:
    """The article with the text of this message, if Zammad has it."""
    found = (each for each in articles if event_id(each.subject or "") == document.event_id)
    return next(found, None)


def _twice(ticket: TicketRow, articles: Sequence[ArticleRow]) -> str:
    marks = [(event_id(each.subject or ""), str(each.id)) for each in articles]
    return twice("article", str(ticket.id), marks)


def _article(document: Ours, note: Note) -> dict[str, Any]:
    return {
        "subject": document.mark,
        "body": note.text,
        "content_type": "text/plain",
        "type": "note",
        "internal": not note.public,
    }


def _lost(document: Ours, ticket: TicketRow) -> str:
    """What to add to the receipt about attributes that this Zammad does not have."""
    lost = [name for name, value in document.custom.items() if ticket.custom(name) != value]
    return f"; not taken: {', '.join(sorted(lost))}" if lost else ""


def _no_field(detail: str) -> Undelivered:
    what = (
        f"Zammad's tickets have no attribute {EXTERNAL_ID}, or our agent may not set it: {detail}"
    )
    return Undelivered("no-field", what, final=True)


def _delivered(receipt: str, ticket: TicketRow) -> Delivered:
    return Delivered(
        receipt=receipt,
        external_id=str(ticket.id),
        external_reference=f"#{ticket.number}",
        opened_at=ticket.made_at,
    )
