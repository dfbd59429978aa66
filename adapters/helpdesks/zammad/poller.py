"""Asks Zammad which tickets changed lately, and tells their articles and changes one by one.

The search is asked in Zammad's own time ("now-15m"), because its index is late and its seconds are not ours.
What our own agent did is not taken in.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import field

from adapters.helpdesks.zammad.changes import Reader
from adapters.helpdesks.zammad.documents import DOCUMENTS, Theirs
from adapters.helpdesks.zammad.doubles import Doubles
from adapters.helpdesks.zammad.files import with_files
from adapters.helpdesks.zammad.rows import HistoryRow, TicketRow
from adapters.helpdesks.zammad.session import PAGE, Session
from adapters.kit.answers import instant_or_latest, their_time
from adapters.kit.attaching import full
from adapters.kit.interface import Found, Incoming, Known
from adapters.kit.searching import OVERLAP, Rounds
from domain import clock
from domain.words import Words

_TICK: Final = timedelta(milliseconds=1)
"""Of their times."""


class Cursor(Rounds, kw_only=True):
    page: int = 1
    joined: dict[int, datetime] = field(default_factory=dict)
    """Tickets that ours were merged into: theirs alone until then."""


class ZammadPoller:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._reader = session, Reader(session, our_name, words)
        self._doubles = Doubles(session, words)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        now = clock.now()
        if not cursor:
            _, answer = await self._session.search("id:0")
            began = Cursor(began_at=their_time(answer), asked_at=now)
            return Found(messages=[], cursor=msgspec.json.encode(began))
        at = msgspec.json.decode(cursor, type=Cursor)
        minutes = at.begin(now)
        rows, answer = await self._session.search(f"updated_at:>now-{minutes}m", at.page)
        since = at.since(minutes, now, their_time(answer))
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                break
            news = at.is_news(str(row.id), row.updated_at)
            linked = news and await known(str(row.id), row.made_at)
            if linked or (news and self._concerns_us(row, at)):
                messages += await self._of_ticket(row.id, at, since, known)
        if more := full(messages):
            pass  # the same page once more: what was told is known
        elif more := len(rows) >= PAGE:
            at.page += 1
        else:
            at.end(since)
            at.page = 1
            at.joined = {key: each for key, each in at.joined.items() if each >= since - OVERLAP}
        self._session.downloads.used()
        return Found(messages=messages, cursor=msgspec.json.encode(at), more=more)

    async def _of_ticket(
        self, number: int, at: Cursor, since: datetime, known: Known
    ) -> list[Incoming]:
        # The index tells that it changed, perhaps lately; how it is now only the ticket itself tells.
        ticket = await self._session.ticket(number)
        if ticket is None:
            return []
        mine = await self._mine(ticket, at, known)
        if mine is None or not (mine or self._concerns_us(ticket, at)):
            return []
        articles = await self._session.articles(number)
        history = await self._session.history(number)
        found: list[tuple[datetime, Theirs]] = []
        if not mine:
            by_us = ticket.created_by_id == await self._session.account()
            if by_us or not self._arrived(ticket, history, at.began_at):
                return []
            opened = self._reader.opened(ticket, articles)
            found.append((instant_or_latest(ticket.created_at), opened))
        floor = max(since, at.began_at, at.joined.get(number, at.began_at))
        later = articles if mine else articles[1:]
        found += await self._reader.changes(ticket, later, history, floor)
        for when, document in found:
            if into := document.merged_into:
                at.joined[into] = when + _TICK
                at.told.pop(str(into), None)

        async def whole(document: Theirs) -> bytes:
            return DOCUMENTS.write(await with_files(document, articles, self._session))

        return await at.tell(str(number), ticket.updated_at, found, whole)

    async def _mine(self, ticket: TicketRow, at: Cursor, known: Known) -> bool | None:
        """Whether it is exchanged with us; None for a second one, which is taken back."""
        if await known(str(ticket.id), ticket.made_at):
            return True
        if self._reader.our_id(ticket):
            return None if await self._doubles.given_up(ticket, known) else True
        return ticket.id in at.joined

    def _concerns_us(self, ticket: TicketRow, at: Cursor) -> bool:
        """As far as the ticket itself tells."""
        intake = ticket.group in self._session.terms.intake
        return intake or ticket.id in at.joined or bool(self._reader.our_id(ticket))

    def _arrived(
        self, ticket: TicketRow, history: Sequence[HistoryRow], began_at: datetime
    ) -> bool:
        """Whether it came into an intake group since the interface came to life."""
        moved = (
            each.attribute == "group"
            and each.value_to in self._session.terms.intake
            and instant_or_latest(each.created_at) >= began_at
            for each in history
        )
        return instant_or_latest(ticket.created_at) >= began_at or any(moved)
