"""Reads RT's tickets as they are now, for comparing them with ours."""

from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from adapters.helpdesks.rt.documents import EXTERNAL_ID, EXTERNAL_URL
from adapters.helpdesks.rt.session import PAGE, Session, TicketRow, either, marked, quoted
from adapters.helpdesks.rt.words import DELETED
from adapters.kit.answers import instant
from adapters.kit.batches import batches
from adapters.kit.documents import our_number, ours
from adapters.kit.interface import Seen
from adapters.kit.settling import repeats

log = structlog.get_logger()

_PAGES_MAX: Final = 20
"""Of our messages; of tickets with more of them it is not told which had their effect."""

_PAGES_AT_ONCE: Final = 10
"""Addresses of ours in one question."""


Texts = Mapping[int, list[tuple[str, str]]]
"""By the ticket: which message each text of ours is, and its number there, the oldest first."""


class RtObserver:
    def __init__(self, session: Session, our_name: str) -> None:
        self._session, self._our_name = session, our_name

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        numbers = [int(each) for each in external_ids]
        if not numbers:
            return []
        # Questions do not find those that were merged or deleted; they are asked for by number.
        rows = await self._session.tickets(either("id", numbers))
        found: dict[int, TicketRow | None] = {row.id: row for row in rows}
        for number in numbers:
            if number not in found:
                found[number] = await self._session.ticket(number)
        await self._merge_doubles(found)
        texts = await self._texts(numbers)
        return [await self._seen(number, found[number], texts) for number in numbers]

    async def _seen(self, number: int, row: TicketRow | None, texts: Texts | None) -> Seen:
        marks = [] if texts is None else texts.get(number, [])
        messages = None if texts is None else frozenset(f"<{mark}>" for mark, _ in marks)
        if row is None:
            return Seen(external_id=str(number), gone=True)
        if row.id != number:
            return Seen(external_id=str(number), moved_to=str(row.id), messages=messages)
        return Seen(
            external_id=str(number),
            gone=row.status == DELETED,
            opened_at=instant(row.created),
            number=our_number(ours(row.custom(EXTERNAL_ID), self._our_name)),
            state=row.status,
            priority=row.priority,
            unit=await self._session.queue_name(row.queue),
            messages=messages,
            doubled=tuple(repeats("transaction", marks)),
        )

    async def _merge_doubles(self, found: Mapping[int, TicketRow | None]) -> None:
        """Merge what an attempt that we gave up made later: without our number, but pointing to our page."""
        pages = {row.custom(EXTERNAL_URL): row.id for row in found.values() if row}
        pages.pop("", None)
        account = quoted(self._session.terms.account)
        for some in batches(pages, _PAGES_AT_ONCE):
            named = " OR ".join(f"'CF.{{{EXTERNAL_URL}}}' = {quoted(page)}" for page in some)
            for each in await self._session.tickets(f"Creator = {account} AND ({named})"):
                first = pages.get(each.custom(EXTERNAL_URL))
                if first and each.id not in found and each.id != first:
                    said = await self._session.change(each.id, {"MergeInto": first})
                    log.warning("ticket was made twice", ticket=first, double=each.id, said=said)

    async def _texts(self, numbers: Sequence[int]) -> Texts | None:
        """What we wrote to these tickets; None where it is too much to read.

        The one that opened a ticket leaves nothing but the ticket with our number.
        """
        account = quoted(self._session.terms.account)
        query = (
            f"{either('ObjectId', numbers)} AND Creator = {account}"
            " AND (Type = 'Correspond' OR Type = 'Comment')"
        )
        texts: dict[int, list[tuple[str, str]]] = {}
        after = 0
        for _ in range(_PAGES_MAX):
            rows = await self._session.transactions(f"{query} AND id > {after}")
            for row in rows:
                texts.setdefault(row.object_id, []).append((marked(row), str(row.id)))
            if len(rows) < PAGE:
                return texts
            after = rows[-1].id
        return None
