"""Gives our messages their effect in ServiceNow, once: looks before it writes, reads back after it.

Nothing there is unique, and what an access rule forbids may be left out of a write that succeeds. So an incident is
searched by our number before it is made, and each text bears our message's identifier. Text and columns
are written in one request: where the text stands, the columns were set.
"""

import asyncio
from collections.abc import Sequence

from adapters.helpdesks.servicenow.documents import DOCUMENTS, Ours, event_id, marked
from adapters.helpdesks.servicenow.doubles import Doubles
from adapters.helpdesks.servicenow.files import Files
from adapters.helpdesks.servicenow.rows import Incident, JournalRow
from adapters.helpdesks.servicenow.session import Session
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.reused import must_be_ours
from adapters.kit.settling import Settling, twice
from domain.words import Words


class ServiceNowCourier:
    def __init__(self, session: Session, words: Words, *, settle_s: float) -> None:
        """``settle_s``: so long after an attempt of which we heard no end nothing is written again."""
        self._session, self.settling = session, Settling(settle_s)
        self._files, self._creating = Files(session), asyncio.Lock()
        self._doubles = Doubles(session, words)
        self._groups: dict[str, str] = {}

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = DOCUMENTS.to_do(parcel.raw)
        if parcel.external_id:
            return await self._changed(document, parcel)
        if not document.create:
            what = "ServiceNow was never told of this ticket: the message that opens it was skipped"
            raise Undelivered("not-open-there", what, final=True)
        # One at a time: two creates with one number at the same moment would both succeed.
        async with self._creating:
            return await self._opened(document)

    async def _opened(self, document: Ours) -> Delivered:
        holders = await self._doubles.holders(document.external_id)
        if holders:
            first, *others = holders
            said = f"incident {first.number} found"
            for other in others:
                await self._doubles.take_back(other, first)
                said += f"; taken back: {other.number}"
            return _delivered(said, first)
        await self.settling.be_certain(document.event_id, document.decided_at)
        fields, missing = await self._columns(document)
        async with self.settling.attempt(document.event_id):
            made = await self._session.create(fields)
        if made.correlation_id != document.external_id:
            what = f"{made.number} was made without correlation_id: our account may not set it"
            raise Undelivered("no-field", what, final=True)
        return _delivered(f"incident {made.number} created{missing}", made)

    async def _changed(self, document: Ours, parcel: Parcel) -> Delivered:
        sys_id = parcel.external_id
        found = await self._there(sys_id)
        bears = found.correlation_id
        must_be_ours(parcel, document.external_id, bears=bears, opened_at=found.made_at)
        if written := await self._written(document, sys_id):
            return _delivered(f"incident {found.number} had it{_twice(found, written)}", found)
        await self.settling.be_certain(document.event_id, document.decided_at)
        async with self.settling.attempt(document.event_id):
            more = await self._files.bring(parcel, document, sys_id)
            fields, missing = await self._columns(document, more)
            after = await self._session.change(sys_id, fields)
        if document.state and after.word.partition("/")[0] != document.state.partition("/")[0]:
            what = f"{after.number} is in state {after.word}, not {document.state}"
            raise Undelivered("refused", what, final=True)
        written = await self._written(document, sys_id)
        if not written:
            what = "ServiceNow said yes and did not keep the text: may our account write it?"
            raise Undelivered("refused", what, final=True)
        lost = [name for name in ("impact", "urgency") if getattr(after, name) != fields.get(name, getattr(after, name))]  # fmt: skip
        missing += f"; not taken: {', '.join(lost)}" if lost else ""
        return _delivered(
            f"incident {after.number} changed{missing}{_twice(after, written)}", after
        )

    async def _written(self, document: Ours, sys_id: str) -> list[JournalRow]:
        """The text of this message, if ServiceNow has it: once, or more often."""
        rows, _ = await self._session.journal(
            f"element_id={sys_id}^elementINcomments,work_notes^valueLIKE{document.event_id}"
        )
        return [
            each
            for each in rows
            if each.element_id == sys_id and event_id(each.value) == document.event_id
        ]

    async def _there(self, sys_id: str) -> Incident:
        found = await self._session.incident(sys_id)
        if found is None:
            what = f"ServiceNow has no incident {sys_id}, or our account may not see it"
            raise Undelivered("gone-there", what, final=True)
        return found

    async def _columns(self, document: Ours, more: str = "") -> tuple[dict[str, str], str]:
        """What is written, and what to add to the receipt."""
        fields = dict(document.set)
        fields["comments" if document.public else "work_notes"] = marked(document, more)
        if not document.group:
            return fields, ""
        if document.group not in self._groups:
            self._groups[document.group] = await self._session.group(document.group)
        group = self._groups[document.group]
        if not group:
            del self._groups[document.group]
            return fields, f"; there is no group {document.group}"
        return fields | {"assignment_group": group}, ""


def _twice(incident: Incident, entries: Sequence[JournalRow]) -> str:
    oldest_first = sorted(entries, key=lambda each: each.sys_created_on)
    marks = [(event_id(each.value), each.sys_id) for each in oldest_first]
    return twice("entry", incident.number, marks)


def _delivered(receipt: str, incident: Incident) -> Delivered:
    return Delivered(
        receipt=receipt,
        external_id=incident.sys_id,
        external_reference=incident.number,
        opened_at=incident.made_at,
    )
