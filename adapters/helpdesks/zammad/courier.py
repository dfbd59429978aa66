"""Gives our messages their effect in Zammad, once: looks before it writes, reads back after it.

A text and the attributes that go with it are written in one call, which Zammad does wholly or not at all;
the text's subject names our message. A ticket is found by our number in an attribute, through a search
whose index is late: so where a ticket may have been made just now, it is waited for before one is made.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.helpdesks.zammad import words
from adapters.helpdesks.zammad.documents import DOCUMENTS, EXTERNAL_ID, Note, Ours, event_id
from adapters.helpdesks.zammad.session import ArticleRow, Session, TicketRow
from adapters.kit.carriers import Delivered, Parcel
from adapters.kit.retry import Undelivered
from domain import clock

_MERGES_MAX: Final = 5
_SHOWN: Final = frozenset({"state", "group", "priority"})
"""Attributes that can be read back."""


class ZammadCourier:
    def __init__(self, session: Session, *, settle_s: float) -> None:
        self._session = session
        self._settle = timedelta(seconds=settle_s)
        self._born_at = clock.now()
        self._doubtful: dict[str, datetime] = {}
        """Tickets that may have been made although that failed, and when."""
        self._creating = asyncio.Lock()

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = DOCUMENTS.to_do(parcel.raw)
        if not parcel.external_id:
            if document.create is None:
                what = "Zammad was never told of this ticket: the message that opens it was skipped"
                raise Undelivered("not-open-there", what, final=True)
            async with self._creating:
                return await self._opened(document)
        return await self._changed(document, int(parcel.external_id))

    # -- opening -------------------------------------------------------------------------------------

    async def _opened(self, document: Ours) -> Delivered:
        holders = await self._holders(document.external_id)
        said = "found"
        if not holders:
            self._be_certain(document)
            await self._must_have_field()
            holders, said = [await self._create(document)], "created"
        first, *others = holders
        for other in others:
            await self._take_back(other, first)
        self._doubtful.pop(document.external_id, None)
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
        try:
            made = await self._session.create(fields)
        except Undelivered as failure:
            if not failure.final:
                self._doubtful[document.external_id] = clock.now()
            raise
        if made.custom(EXTERNAL_ID) != document.external_id:
            raise _no_field(f"ticket {made.id} was made without it")
        return made

    def _be_certain(self, document: Ours) -> None:
        """Raise ``Undelivered`` as long as their search may not know yet what an attempt has made."""
        since = self._doubtful.get(document.external_id)
        if since is None and datetime.fromisoformat(document.decided_at) < self._born_at:
            since = self._born_at  # another process may have tried until just before
        left_s = 0.0 if since is None else (since + self._settle - clock.now()).total_seconds()
        if left_s > 0:
            what = f"an earlier attempt may have made the ticket; looking again in {left_s:.0f} s"
            raise Undelivered("settling", what, final=False, retry_after_s=left_s)

    async def _must_have_field(self) -> None:
        some = await self._session.any_ticket()
        if some is not None and not isinstance(some.external_id, str | None):
            raise _no_field("no ticket has it")

    async def _holders(self, external_id: str) -> list[TicketRow]:
        """The tickets with our number, oldest first. The index may know former numbers: look at each."""
        found, _ = await self._session.search(f'{EXTERNAL_ID}:"{external_id}"')
        tickets = [await self._session.ticket(each.id) for each in found]
        return sorted(
            (each for each in tickets if each and each.custom(EXTERNAL_ID) == external_id),
            key=lambda each: each.id,
        )

    async def _take_back(self, other: TicketRow, first: TicketRow) -> None:
        body = f"This was made by mistake: ticket #{first.number} is about the same."
        article = {"body": body, "type": "note", "internal": True, "content_type": "text/plain"}
        await self._session.update(other.id, {EXTERNAL_ID: "", "article": article})

    # -- changing ------------------------------------------------------------------------------------

    async def _changed(self, document: Ours, number: int) -> Delivered:
        ticket = await self._present(number)
        found = await self._written(document, ticket.id)
        if found is not None:
            return _delivered(f"ticket {ticket.id} article {found.id} found", ticket)
        fields: dict[str, Any] = {**document.set, **document.custom}
        ticket = await self._session.update(
            ticket.id, {**fields, "article": _article(document, document.note)}
        )
        found = await self._written(document, ticket.id)
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
        return _delivered(receipt + (f"; overruled: {', '.join(other)}" if other else ""), ticket)

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

    async def _written(self, document: Ours, ticket: int) -> ArticleRow | None:
        """The article with the text of this message, if Zammad has it."""
        account = await self._session.account()
        for each in await self._session.articles(ticket):
            if each.created_by_id == account and event_id(each.subject or "") == document.event_id:
                return each
        return None


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
        receipt=receipt, external_id=str(ticket.id), external_reference=f"#{ticket.number}"
    )
