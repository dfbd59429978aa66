"""What a partner is told of an event of ours: the change, the ticket after it, and what was written with it."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from adapters.helpdesks.webhook.attached import told
from adapters.helpdesks.webhook.events import (
    ENTRIES_MAX,
    SPECVERSION,
    TYPE_PREFIX,
    Change,
    EventData,
    EventTicket,
    Field,
    TicketEvent,
)
from adapters.helpdesks.webhook.message import STRUCTURED, Message, told_instant, written
from adapters.kit import telling, words
from adapters.kit.contract import Ignored, News
from adapters.kit.webhook import ID_HEADER
from domain.ticket import Ticket

_FIELDS: Final[frozenset[str]] = frozenset({"priority", "category", "issue_type", "vo", "affected_site"})  # fmt: skip

_TEXTS: Final[Mapping[type, str]] = MappingProxyType({
    Ticket.WorkStarted: "note",
    Ticket.ReplyRequested: "question",
    Ticket.SubmitterReplied: "text",
    Ticket.PutOnHold: "reason",
    Ticket.Solved: "solution",
    Ticket.FoundUnsolvable: "solution",
    Ticket.Reopened: "comment",
    Ticket.Verified: "",
    Ticket.Closed: "",
})  # fmt: skip
"""What moves the state, and which of its fields is the text."""


def message(news: News) -> bytes | Ignored:
    """The request, without its signature: that holds the time at which it is sent."""
    data = _whole(news) if news.whole else _change(news)
    if news.anew and isinstance(data, EventData):
        data = _with_all(news, data)
    if isinstance(data, Ignored):
        return data
    event = TicketEvent(
        specversion=SPECVERSION,
        id=telling.event_id(news),
        source=_source(news),
        type=TYPE_PREFIX + data.change,
        subject=data.ticket.id,
        time=told_instant(news.at),
        datacontenttype="application/json",
        hops=" ".join(news.hops),
        data=data,
    )
    headers = {"content-type": STRUCTURED, ID_HEADER: event.id}
    return written(Message(_target(news), headers, msgspec.json.encode(event)))


def _whole(news: News) -> EventData:
    opened = EventData(change="opened", ticket=_ticket(news), text=telling.outcome(news))
    return _with_all(news, opened)


def _with_all(news: News, data: EventData) -> EventData:
    """With what a receiver needs that does not know the ticket yet."""
    ticket = structs.replace(
        data.ticket,
        subject=telling.text(news, news.ticket.subject),
        description=telling.text(news, news.ticket.description),
    )
    own = data.text and news.diary[-1:] == [data.text]
    before = news.diary[:-1] if own else news.diary
    return structs.replace(data, ticket=ticket, entries=latest(before, telling.where(news)))


def latest(entries: Sequence[str], where: str) -> tuple[str, ...]:
    """As many as an event holds; instead of the older ones, where they are read."""
    if len(entries) <= ENTRIES_MAX:
        return tuple(entries)
    left_out = len(entries) - ENTRIES_MAX + 1
    return (f"({left_out} older entries are read at {where})", *entries[left_out:])


def _change(news: News) -> EventData | Ignored:
    if news.confirms:
        confirmed = _data(news, "updated", ("state", "unit", "priority"))
        return structs.replace(confirmed, confirms=True)
    kind = type(news.event)
    if kind in _TEXTS:
        text = telling.text(news, getattr(news.event, _TEXTS[kind])) if _TEXTS[kind] else ""
        replied = kind is Ticket.SubmitterReplied
        return _data(news, "replied" if replied else "updated", ("state",), text)
    tell = _OTHERS.get(kind)
    return tell(news, news.event) if tell else Ignored("no-counterpart")


def _linked(news: News, _: Ticket.Opened) -> EventData:
    return _data(news, "linked")


def _assigned(news: News, event: Ticket.Assigned) -> EventData:
    return _data(news, "updated", ("unit",), telling.text(news, event.note))


def _commented(news: News, event: Ticket.Commented) -> EventData:
    return _data(news, "commented", text=telling.text(news, event.text))


def _attached(news: News, event: Ticket.Attached) -> EventData:
    return structs.replace(
        _data(news, "attached"), file=told(news, event, telling.text(news, event.name))
    )


def _reclassified(news: News, event: Ticket.Reclassified) -> EventData | Ignored:
    if event.field not in _FIELDS:
        return Ignored("no-counterpart")
    field: Any = event.field
    return _data(news, "updated", (field,), telling.text(news, event.justification))


_OTHERS: Final[Mapping[type, Callable[[News, Any], EventData | Ignored]]] = MappingProxyType({
    Ticket.Opened: _linked,
    Ticket.Assigned: _assigned,
    Ticket.Commented: _commented,
    Ticket.Attached: _attached,
    Ticket.Reclassified: _reclassified,
})  # fmt: skip


def _data(news: News, change: Change, changed: tuple[Field, ...] = (), text: str = "") -> EventData:
    return EventData(
        change=change,
        ticket=_ticket(news),
        yours=news.external_id,
        yours_opened_at=told_instant(news.opened_at) if news.opened_at else "",
        changed=changed,
        text=text,
        seen=news.seen,
        responsible=telling.responsible(news) if news.seen else "",
    )


def _ticket(news: News) -> EventTicket:
    ticket, tables = news.ticket, news.place.words
    return EventTicket(
        id=telling.our_id(news),
        version=news.position or ticket.version,
        opened_at=told_instant(ticket.opened_at),
        url=telling.page(news),
        state=words.status_there(tables, ticket.status),
        unit=words.unit_there(tables, ticket.unit),
        priority=words.priority_there(tables, ticket.priority),
        category=tables.categories.write(ticket.particular("category"))
        or ticket.particular("category"),
        issue_type=ticket.particular("issue_type"),
        vo=ticket.vo,
        affected_site=ticket.notified_site or ticket.affected_site,
    )


def _source(news: News) -> str:
    page = news.place.page.partition("{")[0].rstrip("/")
    return page or f"urn:ticketledger:{news.place.our_name.lower()}"


def _target(news: News) -> str:
    parts = urlsplit(news.place.their_address)
    path = parts.path if parts.scheme in ("http", "https") else ""
    return (path or "/") + (f"?{parts.query}" if path and parts.query else "")
