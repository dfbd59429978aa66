"""Asks Zammad which tickets changed lately, and tells their articles and changes one by one.

The search is asked for more than the time since the last question, in Zammad's own time ("now-15m"), because
its index is late and its seconds are not ours; what was told is remembered for as long. What our own agent
did is not taken in.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct, field

from adapters.helpdesks.zammad import words as tables
from adapters.helpdesks.zammad.documents import (
    AFFECTED_SITE,
    DOCUMENTS,
    EXTERNAL_ID,
    Change,
    Theirs,
    TheirTicket,
    hops,
)
from adapters.helpdesks.zammad.doubles import Doubles
from adapters.helpdesks.zammad.files import with_files
from adapters.helpdesks.zammad.session import (
    PAGE,
    ArticleRow,
    HistoryRow,
    Session,
    TicketRow,
)
from adapters.kit.answers import instant_or_latest, their_time
from adapters.kit.attaching import full
from adapters.kit.carriers import Found, Incoming, Known
from adapters.kit.documents import our_number
from adapters.kit.steps import over
from domain import clock
from domain.words import Words

OVERLAP: Final = timedelta(minutes=10)
_SAME_CALL: Final = timedelta(seconds=5)
"""A text written together with a change of the state is kept so soon after it."""
_TICK: Final = timedelta(milliseconds=1)
"""Of their times."""
_SYSTEM: Final = 1
"""Zammad's own user."""
_TEXT_CHARACTERS_MAX: Final = 200_000
_ATTRIBUTES: Final = frozenset({"state", "group", "priority"})

_NO_REPLY: Final = ArticleRow(id=0, ticket_id=0)


class Told(Struct, kw_only=True):
    """What was told of a ticket lately."""

    updated_at: str
    changes: list[str] = field(default_factory=list)


class Cursor(Struct, kw_only=True):
    began_at: datetime
    """In their time: what happened before is not news."""
    asked_at: datetime
    """In ours: when the last complete round began."""
    round_at: datetime | None = None
    """When the present round began, where it needs several pages."""
    page: int = 1
    told: dict[int, Told] = field(default_factory=dict)
    joined: dict[int, datetime] = field(default_factory=dict)
    """Tickets that ours were merged into: theirs alone until then."""


class ZammadPoller:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name, self._words = session, our_name, words
        self._doubles = Doubles(session, words)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        now = clock.now()
        if not cursor:
            _, answer = await self._session.search("id:0")
            began = Cursor(began_at=their_time(answer), asked_at=now)
            return Found(messages=[], cursor=msgspec.json.encode(began))
        at = msgspec.json.decode(cursor, type=Cursor)
        at.round_at = at.round_at or now
        minutes = math.ceil((at.round_at - at.asked_at + OVERLAP) / timedelta(minutes=1))
        window = timedelta(minutes=minutes) + (now - at.round_at)
        rows, answer = await self._session.search(f"updated_at:>now-{minutes}m", at.page)
        their_now = their_time(answer)
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                break
            before = at.told.get(row.id)
            changed = before is None or before.updated_at != row.updated_at
            linked = changed and await known(str(row.id), row.made_at)
            if linked or (changed and self._concerns_us(row, at)):
                messages += await self._of_ticket(row.id, at, their_now - window, known)
        if more := full(messages):
            pass  # the same page once more: what was told is known
        elif more := len(rows) >= PAGE:
            at.page += 1
        else:
            at.asked_at, at.round_at, at.page = at.round_at, None, 1
            _forget(at, their_now - window - OVERLAP)
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
        account = await self._session.account()
        found: list[tuple[datetime, Theirs]] = []
        if not mine:
            intake = self._session.terms.intake
            if ticket.created_by_id == account or not _arrived(
                ticket, history, at.began_at, intake
            ):
                return []
            found.append((instant_or_latest(ticket.created_at), _opened(ticket, articles)))
        floor = max(since, at.began_at, at.joined.get(number, at.began_at))
        later = articles if mine else articles[1:]
        for article in later:
            when = instant_or_latest(article.created_at)
            if article.created_by_id != account and when >= floor:
                found.append((when, self._article(ticket, article)))
        for row in history:
            when = instant_or_latest(row.created_at)
            theirs = row.created_by_id != account and when >= floor
            if theirs and row.type == "updated" and row.attribute in _ATTRIBUTES:
                change = await self._changed(ticket, row, later, history, at)
                found.append((when, change))
        fresh = _fresh(at, ticket, found)
        return await self._told(fresh, articles, at.told[ticket.id])

    async def _told(
        self, fresh: Sequence[tuple[datetime, Theirs]], articles: Sequence[ArticleRow], told: Told
    ) -> list[Incoming]:
        """With their files, as many as may be held at once."""
        messages: list[Incoming] = []
        for index, (when, document) in enumerate(fresh):
            if full(messages):
                _put_off(told, fresh[index:])
                break
            raw = DOCUMENTS.write(await with_files(document, articles, self._session))
            messages.append(Incoming(message_id=document.change.id, raw=raw, sent_at=when))
        return messages

    async def _mine(self, ticket: TicketRow, at: Cursor, known: Known) -> bool | None:
        """Whether it is exchanged with us; None for a second one, which is taken back."""
        if await known(str(ticket.id), ticket.made_at):
            return True
        if self._our_id(ticket):
            return None if await self._doubles.given_up(ticket, known) else True
        return ticket.id in at.joined

    def _article(self, ticket: TicketRow, article: ArticleRow) -> Theirs:
        mark = article.subject or ""
        return _with_text(
            Theirs(
                change=Change(
                    id=f"article:{article.id}", kind="article", at=article.created_at, by=_role(article),
                    internal=article.internal, mark=mark if hops(mark) else "",
                ),
                ticket=_ticket(ticket, self._our_id(ticket)),
            ),
            article,
        )  # fmt: skip

    async def _changed(
        self,
        ticket: TicketRow,
        row: HistoryRow,
        articles: Sequence[ArticleRow],
        history: Sequence[HistoryRow],
        at: Cursor,
    ) -> Theirs:
        kind, into, reply = row.attribute, 0, _NO_REPLY
        if kind == "state" and row.value_to == tables.MERGED:
            kind = "merged"
            into = next((each.id_to or 0 for each in history if each.type == "merged_into"), 0)
            if into:
                at.joined[into] = instant_or_latest(row.created_at) + _TICK
                at.told.pop(into, None)
        elif kind == "state":
            reply = await self._reply(row, articles, history)
        by = "system" if row.created_by_id == _SYSTEM else "agent"
        return Theirs(
            change=Change(
                id=f"history:{row.id}", kind=kind, old=row.value_from or "", new=row.value_to or "",
                at=row.created_at, by=by,
            ),
            ticket=_ticket(ticket, self._our_id(ticket)),
            merged_into=into,
            reply=(reply.body or "")[:_TEXT_CHARACTERS_MAX],
            reply_media_type=reply.content_type,
        )  # fmt: skip

    async def _reply(
        self, row: HistoryRow, articles: Sequence[ArticleRow], history: Sequence[HistoryRow]
    ) -> ArticleRow:
        """What their agent last wrote to the customer before a change of the state, or with it.

        What was written before the ticket was reopened belongs to another outcome.
        """
        until, since = (
            instant_or_latest(row.created_at) + _SAME_CALL,
            datetime.min.replace(tzinfo=UTC),
        )
        for each in history:
            state = each.attribute == "state" and each.id < row.id
            if state and over(self._words, each.value_from or ""):
                since = instant_or_latest(each.created_at)
        account = await self._session.account()
        for article in reversed(articles):
            theirs = article.created_by_id != account and _role(article) == "agent"
            if (
                theirs
                and not article.internal
                and since <= instant_or_latest(article.created_at) <= until
            ):
                return article
        return _NO_REPLY

    def _concerns_us(self, ticket: TicketRow, at: Cursor) -> bool:
        """As far as the ticket itself tells."""
        intake = ticket.group in self._session.terms.intake
        return intake or ticket.id in at.joined or bool(self._our_id(ticket))

    def _our_id(self, ticket: TicketRow) -> str:
        """Our number as the ticket bears it; not another installation's."""
        value = ticket.custom(EXTERNAL_ID)
        return value if value.startswith(f"{self._our_name}-") and our_number(value) else ""


def _fresh(
    at: Cursor, ticket: TicketRow, found: list[tuple[datetime, Theirs]]
) -> list[tuple[datetime, Theirs]]:
    """What was not told lately, in the order in which it happened; from now on it was."""
    told = at.told.setdefault(ticket.id, Told(updated_at=""))
    told.updated_at = ticket.updated_at
    fresh = [pair for pair in sorted(found, key=_when) if pair[1].change.id not in told.changes]
    told.changes += [document.change.id for _, document in fresh]
    return fresh


def _put_off(told: Told, rest: Sequence[tuple[datetime, Theirs]]) -> None:
    """These are told next time."""
    told.updated_at = ""
    told.changes = told.changes[: len(told.changes) - len(rest)]


def _when(found: tuple[datetime, Theirs]) -> datetime:
    return found[0]


def _opened(ticket: TicketRow, articles: Sequence[ArticleRow]) -> Theirs:
    first = articles[0] if articles else None
    mark = (first.subject if first else "") or ""
    document = Theirs(
        change=Change(
            id=f"ticket:{ticket.id}", kind="opened", at=ticket.created_at,
            by=_role(first) if first else "agent", mark=mark if hops(mark) else "",
        ),
        ticket=_ticket(ticket, ""),
        customer=ticket.customer if ticket.customer and "@" in ticket.customer else "",
    )  # fmt: skip
    return _with_text(document, first) if first and not first.internal else document


def _ticket(row: TicketRow, our_id: str) -> TheirTicket:
    return TheirTicket(
        id=row.id, number=row.number, title=row.title, group=row.group, state=row.state,
        priority=row.priority, external_id=our_id, affected_site=row.custom(AFFECTED_SITE),
    )  # fmt: skip


def _with_text(document: Theirs, article: ArticleRow) -> Theirs:
    return msgspec.structs.replace(
        document,
        text=(article.body or "")[:_TEXT_CHARACTERS_MAX],
        media_type=article.content_type,
    )


def _arrived(
    ticket: TicketRow, history: Sequence[HistoryRow], began_at: datetime, intake: frozenset[str]
) -> bool:
    """Whether it came into an intake group since the interface came to life."""
    moved = (
        each.attribute == "group" and each.value_to in intake and instant_or_latest(each.created_at) >= began_at
        for each in history
    )  # fmt: skip
    return instant_or_latest(ticket.created_at) >= began_at or any(moved)


def _forget(at: Cursor, before: datetime) -> None:
    """What cannot be found again need not be remembered."""
    at.told = {
        key: each for key, each in at.told.items() if instant_or_latest(each.updated_at) >= before
    }
    at.joined = {key: when for key, when in at.joined.items() if when >= before}


def _role(article: ArticleRow) -> str:
    return {"Customer": "customer", "System": "system"}.get(article.sender, "agent")
