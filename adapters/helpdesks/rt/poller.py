"""Asks RT what happened since last time: one list of transactions over all its tickets.

Some numbers below the last one are asked for again, and what was seen there is remembered: they may be late. What
our own account did, and what RT did in consequence, is not taken in.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from adapters.helpdesks.rt import words
from adapters.helpdesks.rt.changes import Reader, arrives, is_news, merged_into
from adapters.helpdesks.rt.cursor import Cursor
from adapters.helpdesks.rt.session import PAGE, Session, TicketRow, TransactionRow, either
from adapters.kit.answers import instant
from adapters.kit.attaching import full
from adapters.kit.batches import batches
from adapters.kit.interface import Found, Incoming, Known
from adapters.kit.retry import Undelivered
from domain.words import Words

_PAGES_MAX: Final = 6
_RESTORED_PAGES_MAX: Final = 500


class RtPoller:
    def __init__(self, session: Session, our_name: str, tables: Words = words.WORDS) -> None:
        self._session, self._reader = session, Reader(session, our_name, tables)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        if not cursor:
            return Found(messages=[], cursor=msgspec.json.encode(await self._beginning()))
        at = msgspec.json.decode(cursor, type=Cursor)
        rows, more = await self._since(at.asked_after)
        if at.forgotten(rows):
            return await self._restored(at)
        seen = set(at.seen)
        fresh = [
            row for row in rows
            if row.id > at.least and row.id not in seen and not self._reader.by_us(row, rows)
        ]  # fmt: skip
        messages, left = await self._messages([row for row in fresh if is_news(row)], known)
        if left is not None:  # they are found next time
            rows, more = [row for row in rows if row.id < left], True
        at.advance(rows, more=more)
        self._session.downloads.used()
        return Found(messages=messages, cursor=msgspec.json.encode(at), more=more)

    async def _beginning(self) -> Cursor:
        newest = await self._session.transactions("id > 0", newest_first=True, per_page=1)
        return Cursor.after(newest[0] if newest else None)

    async def _restored(self, at: Cursor) -> Found:
        """RT was restored from a backup: what is news now was done since then, so later than all that was seen."""
        seen_until = max(at.anchors.values())
        for page in range(1, _RESTORED_PAGES_MAX):
            rows = await self._session.transactions("id > 0", newest_first=True, page=page)
            if not rows:
                break
            if known := [row for row in rows if row.created <= seen_until]:
                start = msgspec.json.encode(Cursor.after(known[0]))
                return Found(messages=[], cursor=start, more=True, restored=True)
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

    async def _messages(
        self, rows: Sequence[TransactionRow], known: Known
    ) -> tuple[list[Incoming], int | None]:
        """As many as may be held at once; the first transaction that was left for the next time, if any."""
        if not rows:
            return [], None
        tickets = await self._tickets(sorted({row.object_id for row in rows}))
        concerns: dict[int, bool] = {}
        for number, each in tickets.items():
            # One that was merged is shown as the other, which was made at another time.
            opened_at = instant(each.created) if each.id == number else None
            concerns[number] = await known(str(number), opened_at)
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                return messages, row.id
            ticket, into = tickets.get(row.object_id), merged_into(row)
            if ticket is None or (row.type == "AddLink" and not into):
                continue
            queue = await self._session.queue_name(ticket.queue)
            mine = concerns.get(row.object_id) or bool(self._reader.our_id(ticket, row))
            if not mine and queue in self._session.terms.intake and arrives(row):
                concerns[row.object_id] = mine = True
            if mine:
                messages.append(await self._reader.message(row, rows, ticket, into))
                if into:  # what happens to the ticket that is left concerns us from now on
                    concerns[into] = True
        return messages, None

    async def _tickets(self, numbers: Sequence[int]) -> dict[int, TicketRow]:
        """The tickets by the numbers that the transactions have, which merged ones do not have any more."""
        found: dict[int, TicketRow] = {}
        for some in batches(numbers, PAGE):
            rows = await self._session.tickets(either("id", some))
            found |= {row.id: row for row in rows}
        for number in numbers:
            if number not in found and (row := await self._session.ticket(number)) is not None:
                found[number] = row
        return found
