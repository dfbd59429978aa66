"""Gives our messages their effect in RT, once: looks before it writes, reads back after it.

RT answers 200 and 201 also to what it refused, keeps its unique field unique only mostly, and may die between
any two steps. So every step can be asked for afterwards: a ticket by our number in its field, a text by
our message's identifier in its subject (written with it in one transaction of RT's database), a field
by its value. What an attempt that we gave up does after we looked can neither be prevented nor be taken back:
so where there was one, the next waits a while.
"""

import asyncio
from typing import Any, Final

from adapters.helpdesks.rt import words
from adapters.helpdesks.rt.documents import DOCUMENTS, EXTERNAL_ID, Ours
from adapters.helpdesks.rt.notes import Notes
from adapters.helpdesks.rt.session import (
    Session,
    TicketRow,
    marked,
    quoted,
)
from adapters.kit.answers import instant
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.reused import must_be_ours
from adapters.kit.settling import Settling, twice

_SET: Final = {"Status": "Status", "Queue": "Set", "Priority": "Set"}
"""Which type of transaction changes a field."""


class RtCourier:
    def __init__(self, session: Session, *, settle_s: float) -> None:
        """``settle_s``: so long after an attempt of which we heard no end nothing is written again."""
        self._session, self.settling = session, Settling(settle_s)
        self._notes, self._creating = Notes(session, self.settling), asyncio.Lock()

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = DOCUMENTS.to_do(parcel.raw)
        if not parcel.external_id:
            if document.create is None:
                what = "RT was never told of this ticket: the message that opens it was skipped"
                raise Undelivered("not-open-there", what, final=True)
            # One at a time: two creates with one number at the same moment would both succeed.
            async with self._creating:
                return await self._opened(document)
        return await self._changed(document, parcel)

    # -- opening -------------------------------------------------------------------------------------

    async def _opened(self, document: Ours) -> Delivered:
        said = "found"
        holders = await self._holders(document.external_id)
        if not holders:
            await self.settling.be_certain(document.event_id, document.decided_at)
            async with self.settling.attempt(document.event_id):
                made = await self._create(document)
            said = "created"
            holders = await self._holders(document.external_id)
            if made not in holders:
                await self._undo(made, holders)
        first, *others = holders
        for each in others:
            await self._session.change(each, {"MergeInto": first})
        ticket = await self._ticket(str(first))
        custom = {EXTERNAL_ID: document.external_id, **document.custom}
        lost = [name for name, value in custom.items() if ticket.custom(name) != value]
        if EXTERNAL_ID in lost:
            raise Undelivered(
                "refused", f"{EXTERNAL_ID} does not stay at ticket {first}", final=True
            )
        await self._set(document, ticket, after=0)
        receipt = f"ticket {ticket.id} {said}" + (f"; not taken: {', '.join(lost)}" if lost else "")
        return _delivered(receipt, ticket)

    async def _create(self, document: Ours) -> int:
        assert document.create is not None
        custom = {EXTERNAL_ID: document.external_id, **document.custom}
        return await self._session.create(
            {**document.create, "ContentType": "text/plain", "CustomFields": custom}
        )

    async def _undo(self, made: int, holders: list[int]) -> None:
        """A ticket was made, but its field stayed empty."""
        if holders:  # somebody was faster: theirs is the ticket
            await self._session.change(made, {"MergeInto": holders[0]})
            return
        await self._session.change(made, {"Status": words.DELETED})
        what = f"RT has no custom field {EXTERNAL_ID} for this queue, or our account may not set it"
        raise Undelivered("no-field", what, final=True)

    async def _holders(self, external_id: str) -> list[int]:
        """The tickets with our number in their field, oldest first."""
        query = f"'CF.{{{EXTERNAL_ID}}}' = {quoted(external_id)}"
        found = await self._session.tickets(query)
        return sorted(each.id for each in found if each.custom(EXTERNAL_ID) == external_id)

    # -- changing ------------------------------------------------------------------------------------

    async def _changed(self, document: Ours, parcel: Parcel) -> Delivered:
        external_id = parcel.external_id
        ticket = await self._ticket(external_id)
        if ticket.id == int(external_id):  # else they merged it
            bears, opened_at = ticket.custom(EXTERNAL_ID), instant(ticket.created)
            must_be_ours(parcel, document.external_id, bears=bears, opened_at=opened_at)
        if ticket.status == words.DELETED:
            raise Undelivered("deleted-there", f"RT's ticket {ticket.id} was deleted", final=True)
        streams = sorted({ticket.id, int(external_id)})
        noted = await self._notes.written(document, ticket.id, streams, parcel)
        receipt = f"ticket {ticket.id} transaction {noted.note.id}"
        receipt += await self._notes.file_kept(document, noted, ticket.id, streams, parcel)
        if document.set or document.custom:
            ticket = await self._ticket(external_id)
            receipt += await self._set(document, ticket, after=noted.note.id)
        marks = [(marked(each), str(each.id)) for each in noted.texts]
        return _delivered(receipt + twice("transaction", str(ticket.id), marks), ticket)

    async def _set(self, document: Ours, ticket: TicketRow, *, after: int) -> str:
        """Make the fields so, apart from those that somebody there changed meanwhile; what to add to the receipt."""
        wrong = await self._wrong(document, ticket)
        if not wrong:
            return ""
        overtaken = await self._overtaken(ticket.id, after) if after else set()
        asked = {name: value for name, value in wrong.items() if name not in overtaken}
        said = ""
        if asked:
            custom = {name: value for name, value in asked.items() if name in document.custom}
            fields: dict[str, Any] = {name: asked[name] for name in asked if name not in custom}
            said = await self._session.change(
                ticket.id, fields | ({"CustomFields": custom} if custom else {})
            )
            still = await self._wrong(document, await self._ticket(str(ticket.id)))
            refused = [name for name in asked if name in still and name not in document.custom]
            if refused or (EXTERNAL_ID in asked and EXTERNAL_ID in still):
                raise Undelivered("refused", said[:1000], final=True)
            lost = [name for name in custom if name in still]
            said = f"; not taken: {', '.join(lost)}" if lost else ""
        return said + (
            f"; overtaken: {', '.join(sorted(overtaken & set(wrong)))}"
            if overtaken & set(wrong)
            else ""
        )

    async def _wrong(self, document: Ours, ticket: TicketRow) -> dict[str, str]:
        """The fields that do not have the values that they are to have."""
        now = {"Status": ticket.status, "Priority": ticket.priority}
        if "Queue" in document.set:
            now["Queue"] = await self._session.queue_name(ticket.queue)
        wrong = {name: value for name, value in document.set.items() if now.get(name) != value}
        return wrong | {
            name: value for name, value in document.custom.items() if ticket.custom(name) != value
        }

    async def _overtaken(self, ticket: int, after: int) -> set[str]:
        """The fields that others changed since our text: they had the last word."""
        later = await self._session.transactions(f"ObjectId = {ticket} AND id > {after}")
        return {
            each.field or ""
            for each in later
            if each.creator.id not in (self._session.terms.account, "RT_System")
            and _SET.get(each.field or "") == each.type
        }

    async def _ticket(self, number: str) -> TicketRow:
        ticket = await self._session.ticket(number)
        if ticket is None:
            raise Undelivered("gone-there", f"RT has no ticket {number} any more", final=True)
        return ticket


def _delivered(receipt: str, ticket: TicketRow) -> Delivered:
    return Delivered(
        receipt=receipt,
        external_id=str(ticket.id),
        external_reference=f"#{ticket.id}",
        opened_at=instant(ticket.created),
    )
