"""From transactions to the documents that are kept: persons become roles, and what RT did by itself finds its cause."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import structs

from adapters.helpdesks.rt import words
from adapters.helpdesks.rt.documents import (
    AFFECTED_SITE,
    EVENT_ID,
    EXTERNAL_ID,
    Theirs,
    TheirTicket,
    Transaction,
    write,
)
from adapters.helpdesks.rt.files import plain_text, with_texts_and_files
from adapters.helpdesks.rt.session import Session, TicketRow, TransactionRow
from adapters.kit.answers import instant
from adapters.kit.documents import ours
from adapters.kit.interface import Incoming
from domain.words import Words

_SYSTEM: Final = "RT_System"
_REPLIES_LOOKED_AT: Final = 10

_NEWS: Final[Mapping[str, frozenset[str] | None]] = MappingProxyType({
    "Create": None,
    "Correspond": None,
    "Comment": None,
    "Status": None,
    "Set": frozenset({"Queue", "Priority"}),
    "AddLink": frozenset({"MergedInto"}),
})  # fmt: skip
"""Types of transactions, and the fields where only some matter. All others are RT's own business."""


class Reader:
    """Every method that asks RT raises ``Undelivered``."""

    def __init__(self, session: Session, our_name: str, tables: Words) -> None:
        self._session, self._our_name, self._words = session, our_name, tables

    def our_id(self, ticket: TicketRow, row: TransactionRow) -> str:
        """Our number as the ticket bears it; not another installation's, nor that of a merged ticket's heir."""
        return (
            ours(ticket.custom(EXTERNAL_ID), self._our_name) if ticket.id == row.object_id else ""
        )

    def by_us(self, row: TransactionRow, rows: Sequence[TransactionRow]) -> bool:
        """Our own change coming back, or what RT did because of it. ``rows``: those around it."""
        account = self._session.terms.account
        return _cause(row, rows).creator.id == account or bool(row.custom(EVENT_ID))

    async def message(
        self, row: TransactionRow, rows: Sequence[TransactionRow], ticket: TicketRow, into: int
    ) -> Incoming:
        """``rows``: those around it. ``into``: the ticket that this one was merged into, or 0."""
        document = Theirs(
            transaction=Transaction(
                id=row.id, type=row.type, field=row.field or "", old=row.old_value or "",
                new=row.new_value or "", created=row.created, by=_role(_cause(row, rows), ticket),
            ),
            ticket=TheirTicket(
                id=row.object_id, subject=ticket.subject,
                queue=await self._session.queue_name(ticket.queue),
                status=ticket.status, priority=ticket.priority,
                external_id=self.our_id(ticket, row),
                affected_site=ticket.custom(AFFECTED_SITE),
            ),
            merged_into=into,
            overtaken=self._overtaken(row, rows, ticket),
        )  # fmt: skip
        if row.type in ("Create", "Correspond", "Comment"):
            document = await with_texts_and_files(document, self._session)
        if row.type == "Create" and ticket.requestor:
            document = structs.replace(document, requestor=ticket.requestor[0].id)
        if row.type == "Status" and self._words.states.read(row.new_value or ""):
            document = structs.replace(document, reply=await self._reply(row, ticket))
        return Incoming(
            message_id=_identity(row), raw=write(document), sent_at=instant(row.created)
        )

    def _overtaken(
        self, row: TransactionRow, rows: Sequence[TransactionRow], ticket: TicketRow
    ) -> bool:
        """Whether what it changed was changed by us later: the ticket shows ours.

        The ticket was read after the list: where it shows what no transaction led to, somebody was faster.
        """
        what = row.object_id, row.type, row.field
        later = [
            each for each in rows
            if each.id > row.id and (each.object_id, each.type, each.field) == what
        ]  # fmt: skip
        if row.type == "Status" and not later and ticket.id == row.object_id:
            return ticket.status != row.new_value
        return row.type in ("Status", "Set") and any(self.by_us(each, rows) for each in later)

    async def _reply(self, row: TransactionRow, ticket: TicketRow) -> str:
        """What their supporter last wrote to the requestor before a change of the status.

        What was written before the ticket was reopened belongs to another outcome.
        """
        before = await self._session.transactions(
            f"ObjectId = {row.object_id} AND id < {row.id}"
            " AND (Type = 'Correspond' OR Type = 'Status')",
            newest_first=True,
            per_page=_REPLIES_LOOKED_AT,
        )
        for each in before:
            if each.type == "Status" and words.inactive(self._words, each.old_value or ""):
                break
            theirs = each.creator.id != self._session.terms.account
            if each.type == "Correspond" and theirs and _role(each, ticket) == "staff":
                return await plain_text(each.id, self._session)
        return ""


def is_news(row: TransactionRow) -> bool:
    if row.type not in _NEWS:
        return False
    fields = _NEWS[row.type]
    return fields is None or row.field in fields


def arrives(row: TransactionRow) -> bool:
    """With this change the ticket may have come into an intake queue."""
    return row.type == "Create" or (row.type == "Set" and row.field == "Queue")


def merged_into(row: TransactionRow) -> int:
    """The other ticket, from RT's name for it: ``fsck.com-rt://site/ticket/2``. 0 where it was not merged."""
    number = (row.new_value or "").rpartition("/")[2]
    target = int(number) if row.type == "AddLink" and number.isdigit() else 0
    return target if target != row.object_id else 0


def _cause(row: TransactionRow, rows: Sequence[TransactionRow]) -> TransactionRow:
    """RT acts by itself only in the request of somebody: the one before it at the same ticket."""
    if row.creator.id != _SYSTEM:
        return row
    before = (
        each for each in reversed(rows)
        if each.id < row.id and each.object_id == row.object_id and each.creator.id != _SYSTEM
    )  # fmt: skip
    return next(before, row)


def _role(cause: TransactionRow, ticket: TicketRow) -> str:
    if cause.creator.id == _SYSTEM:
        return "system"
    requestors = {each.id for each in ticket.requestor}
    return "requestor" if cause.creator.id in requestors else "staff"


def _identity(row: TransactionRow) -> str:
    """With its time: an RT that was restored gives numbers a second time."""
    at = instant(row.created)
    return f"txn:{row.id}:{int(at.timestamp()) if at else row.created}"
