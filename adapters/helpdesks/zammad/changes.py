"""From the articles and the history of a ticket to the documents that are kept: persons become roles."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import structs

from adapters.helpdesks.zammad import words as tables
from adapters.helpdesks.zammad.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    Change,
    Theirs,
    TheirTicket,
    hops,
)
from adapters.helpdesks.zammad.rows import ArticleRow, HistoryRow, TicketRow
from adapters.helpdesks.zammad.session import Session
from adapters.kit.answers import instant_or_latest
from adapters.kit.documents import ours
from adapters.kit.searching import last_said
from adapters.kit.steps import over
from domain.words import Words

_SYSTEM: Final = 1
"""Zammad's own user."""
_TEXT_CHARACTERS_MAX: Final = 200_000
_ATTRIBUTES: Final = frozenset({"state", "group", "priority"})


class Reader:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name, self._words = session, our_name, words

    def our_id(self, ticket: TicketRow) -> str:
        """Our number as the ticket bears it; not another installation's."""
        return ours(ticket.custom(EXTERNAL_ID), self._our_name)

    def opened(self, ticket: TicketRow, articles: Sequence[ArticleRow]) -> Theirs:
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

    async def changes(
        self,
        ticket: TicketRow,
        articles: Sequence[ArticleRow],
        history: Sequence[HistoryRow],
        since: datetime,
    ) -> list[tuple[datetime, Theirs]]:
        """What others did, and when. Raises ``Undelivered``."""
        account = await self._session.account()
        agents = [
            (instant_or_latest(each.created_at), each)
            for each in articles
            if each.created_by_id != account and _role(each) == "agent" and not each.internal
        ]
        found = []
        for article in articles:
            when = instant_or_latest(article.created_at)
            if article.created_by_id != account and when >= since:
                found.append((when, self._article(ticket, article)))
        for row in history:
            when = instant_or_latest(row.created_at)
            theirs = row.created_by_id != account and when >= since
            if theirs and row.type == "updated" and row.attribute in _ATTRIBUTES:
                found.append((when, self._changed(ticket, row, agents, history)))
        return found

    def _article(self, ticket: TicketRow, article: ArticleRow) -> Theirs:
        mark = article.subject or ""
        return _with_text(
            Theirs(
                change=Change(
                    id=f"article:{article.id}", kind="article", at=article.created_at, by=_role(article),
                    internal=article.internal, mark=mark if hops(mark) else "",
                ),
                ticket=_ticket(ticket, self.our_id(ticket)),
            ),
            article,
        )  # fmt: skip

    def _changed(
        self,
        ticket: TicketRow,
        row: HistoryRow,
        texts: Sequence[tuple[datetime, ArticleRow]],
        history: Sequence[HistoryRow],
    ) -> Theirs:
        """``texts``: what their agents wrote to the customer, and when."""
        kind, into, reply = row.attribute, 0, None
        if kind == "state" and row.value_to == tables.MERGED:
            kind = "merged"
            into = next((each.id_to or 0 for each in history if each.type == "merged_into"), 0)
        elif kind == "state":
            reply = last_said(
                texts, instant_or_latest(row.created_at), self._reopened(history, row.id)
            )
        document = Theirs(
            change=Change(
                id=f"history:{row.id}", kind=kind, old=row.value_from or "", new=row.value_to or "",
                at=row.created_at, by="system" if row.created_by_id == _SYSTEM else "agent",
            ),
            ticket=_ticket(ticket, self.our_id(ticket)),
            merged_into=into,
        )  # fmt: skip
        if reply is None:
            return document
        text = (reply.body or "")[:_TEXT_CHARACTERS_MAX]
        return structs.replace(document, reply=text, reply_media_type=reply.content_type)

    def _reopened(self, history: Sequence[HistoryRow], before: int) -> list[datetime]:
        return [
            instant_or_latest(each.created_at)
            for each in history
            if each.attribute == "state"
            and each.id < before
            and over(self._words, each.value_from or "")
        ]


def _ticket(row: TicketRow, our_id: str) -> TheirTicket:
    return TheirTicket(
        id=row.id, number=row.number, title=row.title, group=row.group, state=row.state,
        priority=row.priority, external_id=our_id, affected_site=row.custom(AFFECTED_SITE),
    )  # fmt: skip


def _with_text(document: Theirs, article: ArticleRow) -> Theirs:
    text = (article.body or "")[:_TEXT_CHARACTERS_MAX]
    return structs.replace(document, text=text, media_type=article.content_type)


def _role(article: ArticleRow) -> str:
    return {"Customer": "customer", "System": "system"}.get(article.sender, "agent")
