"""Asks RT what happened since last time: one list of transactions over all its tickets.

Their numbers come from a sequence and are committed in another order, so some numbers below the last one
are asked for again, and what was seen there is remembered. After ten minutes nothing can be late any more.
What our own account did, and what RT did in consequence, is not taken in.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from adapters.helpdesks.rt import words
from adapters.helpdesks.rt.documents import (
    AFFECTED_SITE,
    EVENT_ID,
    EXTERNAL_ID,
    Theirs,
    TheirTicket,
    Transaction,
    our_number,
    write,
)  # fmt: skip
from adapters.helpdesks.rt.files import plain_text, with_texts_and_files
from adapters.helpdesks.rt.session import PAGE, Session, TicketRow, TransactionRow, either, instant
from adapters.kit.attaching import full
from adapters.kit.carriers import Found, Incoming, Known
from adapters.kit.retry import Undelivered
from domain import clock
from domain.words import Words

OVERLAP: Final = 300
_PAGES_MAX: Final = 6
_ANCHORS: Final = 20
_RESTORED_PAGES_MAX: Final = 500
_LATE: Final = timedelta(minutes=10)
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


class Cursor(Struct, kw_only=True):
    last: int
    """The largest number seen."""
    settled: int
    """Nothing with a number up to here can still appear."""
    settling: int
    settling_since: datetime
    seen: list[int]
    """Numbers above ``settled`` that were dealt with."""
    anchors: dict[int, str] = {}
    """The largest numbers seen, with their times: RT has them still, unless it was restored."""


class RtPoller:
    def __init__(self, session: Session, our_name: str, tables: Words = words.WORDS) -> None:
        self._session, self._our_name, self._words = session, our_name, tables

    async def poll(self, cursor: bytes, known: Known) -> Found:
        if not cursor:
            return Found(messages=[], cursor=msgspec.json.encode(await self._beginning()))
        at = msgspec.json.decode(cursor, type=Cursor)
        after = max(at.last - OVERLAP, at.settled, 0)
        rows, more = await self._since(min([after, *(each - 1 for each in at.anchors)]))
        if _forgotten(at, rows):
            return await self._restored(at)
        seen = set(at.seen)
        fresh = [
            row for row in rows
            if row.id > after and row.id not in seen and not self._ours(row, rows)
        ]  # fmt: skip
        messages, left = await self._messages([row for row in fresh if _news(row)], known)
        if left is not None:  # they are found next time
            rows, more = [row for row in rows if row.id < left], True
        now = Cursor(
            last=max([at.last, *(row.id for row in rows)]),
            settled=at.settled, settling=at.settling, settling_since=at.settling_since, seen=[],
        )  # fmt: skip
        if clock.now() - now.settling_since >= _LATE and not more:
            now.settled, now.settling, now.settling_since = now.settling, now.last, clock.now()
        least = max(now.last - OVERLAP, now.settled)
        now.seen = sorted(each for each in seen | {row.id for row in rows} if each > least)
        now.anchors = _newest(at.anchors | {row.id: row.created for row in rows})
        self._session.downloads.used()
        return Found(messages=messages, cursor=msgspec.json.encode(now), more=more)

    async def _beginning(self) -> Cursor:
        newest = await self._session.transactions("id > 0", newest_first=True, per_page=1)
        return _from(newest[0] if newest else None)

    async def _restored(self, at: Cursor) -> Found:
        """RT was restored from a backup: what is news now was done since then, so later than all that was seen."""
        seen_until = max(at.anchors.values())
        for page in range(1, _RESTORED_PAGES_MAX):
            rows = await self._session.transactions("id > 0", newest_first=True, page=page)
            if not rows:
                break
            if known := [row for row in rows if row.created <= seen_until]:
                start = _from(known[0])
                return Found(
                    messages=[], cursor=msgspec.json.encode(start), more=True, restored=True
                )
        what = (
            "RT shows none of the transactions that it had shown: has our account lost its rights?"
        )
        raise Undelivered("nothing-visible", what, final=False)

    async def _since(self, after: int) -> tuple[list[TransactionRow], bool]:
        """Some pages of transactions, and whether there are more."""
        rows: list[TransactionRow] = []
        for _ in range(_PAGES_MAX):
            page = await self._session.transactions(f"id > {after}")
            rows += page
            if len(page) < PAGE:
                return rows, False
            after = page[-1].id
        return rows, True

    def _ours(self, row: TransactionRow, rows: Sequence[TransactionRow]) -> bool:
        """Our own change coming back, or what RT did because of it."""
        return self._cause(row, rows).creator.id == self._session.terms.account or bool(
            row.custom(EVENT_ID)
        )

    @staticmethod
    def _cause(row: TransactionRow, rows: Sequence[TransactionRow]) -> TransactionRow:
        """RT acts by itself only in the request of somebody: the one before it at the same ticket."""
        if row.creator.id != _SYSTEM:
            return row
        before = (
            each for each in reversed(rows)
            if each.id < row.id and each.object_id == row.object_id and each.creator.id != _SYSTEM
        )  # fmt: skip
        return next(before, row)

    # -- what concerns us ----------------------------------------------------------------------------

    async def _messages(
        self, rows: Sequence[TransactionRow], known: Known
    ) -> tuple[list[Incoming], int | None]:
        """As many as may be held at once; the first transaction that was left for the next time, if any."""
        if not rows:
            return [], None
        tickets = await self._tickets(sorted({row.object_id for row in rows}))
        targets = {
            row.object_id: target for row in rows
            if row.type == "AddLink" and (target := _target(row)) not in (0, row.object_id)
        }  # fmt: skip
        concerns: dict[int, bool] = {}
        for number, each in tickets.items():
            # One that was merged is shown as the other, which was made at another time.
            opened_at = instant(each.created) if each.id == number else None
            concerns[number] = await known(str(number), opened_at)
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                return messages, row.id
            ticket = tickets.get(row.object_id)
            if ticket is None or (row.type == "AddLink" and row.object_id not in targets):
                continue
            queue = await self._session.queue_name(ticket.queue)
            mine = concerns.get(row.object_id) or bool(self._our_id(ticket, row))
            if not mine and queue in self._session.terms.intake and _arrives(row):
                concerns[row.object_id] = mine = True
            if mine:
                messages.append(await self._message(row, rows, ticket, queue, targets))
                if (
                    row.type == "AddLink"
                ):  # what happens to the ticket that is left concerns us from now on
                    concerns[targets[row.object_id]] = True
        return messages, None

    async def _tickets(self, numbers: Sequence[int]) -> dict[int, TicketRow]:
        """The tickets by the numbers that the transactions have, which merged ones do not have any more."""
        found: dict[int, TicketRow] = {}
        for start in range(0, len(numbers), PAGE):
            rows = await self._session.tickets(either("id", numbers[start : start + PAGE]))
            found |= {row.id: row for row in rows}
        for number in numbers:
            if number not in found and (row := await self._session.ticket(number)) is not None:
                found[number] = row
        return found

    async def _message(
        self,
        row: TransactionRow,
        rows: Sequence[TransactionRow],
        ticket: TicketRow,
        queue: str,
        targets: Mapping[int, int],
    ) -> Incoming:
        cause = self._cause(row, rows)
        document = Theirs(
            transaction=Transaction(
                id=row.id, type=row.type, field=row.field or "", old=row.old_value or "",
                new=row.new_value or "", created=row.created, by=_role(cause, ticket),
            ),
            ticket=TheirTicket(
                id=row.object_id, subject=ticket.subject, queue=queue, status=ticket.status,
                priority=ticket.priority,
                external_id=self._our_id(ticket, row),
                affected_site=ticket.custom(AFFECTED_SITE),
            ),
            merged_into=targets.get(row.object_id, 0) if row.type == "AddLink" else 0,
        )  # fmt: skip
        if row.type in ("Create", "Correspond", "Comment"):
            document = await with_texts_and_files(document, self._session)
        if row.type == "Create" and ticket.requestor:
            document = msgspec.structs.replace(document, requestor=ticket.requestor[0].id)
        if row.type == "Status" and self._words.states.read(row.new_value or ""):
            document = msgspec.structs.replace(document, reply=await self._reply(row, ticket))
        return Incoming(
            message_id=_identity(row), raw=write(document), sent_at=instant(row.created)
        )

    def _our_id(self, ticket: TicketRow, row: TransactionRow) -> str:
        """Our number as the ticket bears it; not another installation's, nor that of a merged ticket's heir."""
        value = ticket.custom(EXTERNAL_ID)
        ours = value.startswith(f"{self._our_name}-") and our_number(value)
        return value if ours and ticket.id == row.object_id else ""

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
            ours = each.creator.id == self._session.terms.account
            if each.type == "Correspond" and not ours and _role(each, ticket) == "staff":
                return await plain_text(each.id, self._session)
        return ""


def _news(row: TransactionRow) -> bool:
    if row.type not in _NEWS:
        return False
    fields = _NEWS[row.type]
    return fields is None or row.field in fields


def _arrives(row: TransactionRow) -> bool:
    """With this change the ticket may have come into an intake queue."""
    return row.type == "Create" or (row.type == "Set" and row.field == "Queue")


def _target(row: TransactionRow) -> int:
    """The ticket that another was merged into, from RT's name for it: ``fsck.com-rt://site/ticket/2``."""
    number = (row.new_value or "").rpartition("/")[2]
    return int(number) if number.isdigit() else 0


def _role(cause: TransactionRow, ticket: TicketRow) -> str:
    if cause.creator.id == _SYSTEM:
        return "system"
    requestors = {each.id for each in ticket.requestor}
    return "requestor" if cause.creator.id in requestors else "staff"


def _identity(row: TransactionRow) -> str:
    """With its time: an RT that was restored gives numbers a second time."""
    at = instant(row.created)
    return f"txn:{row.id}:{int(at.timestamp()) if at else row.created}"


def _from(row: TransactionRow | None) -> Cursor:
    """To go on after this one."""
    last = row.id if row else 0
    return Cursor(
        last=last, settled=last, settling=last, settling_since=clock.now(), seen=[],
        anchors={row.id: row.created} if row else {},
    )  # fmt: skip


def _forgotten(at: Cursor, rows: Sequence[TransactionRow]) -> bool:
    """Whether RT does not have what it had: another under a number, or no number as large."""
    if not at.anchors:
        return False
    other = any(at.anchors.get(row.id, row.created) != row.created for row in rows)
    return other or max((row.id for row in rows), default=0) < at.last


def _newest(anchors: Mapping[int, str]) -> dict[int, str]:
    return {number: anchors[number] for number in sorted(anchors)[-_ANCHORS:]}
