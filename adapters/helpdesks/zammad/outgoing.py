"""What Zammad is to do in consequence of an event of ours."""

from collections.abc import Callable, Mapping
from datetime import UTC, timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from adapters.helpdesks.zammad.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    EXTERNAL_URL,
    Note,
    Ours,
    mark,
)
from adapters.kit.contract import Ignored, News
from adapters.kit.text import cut, line
from adapters.kit.words import priority_there, status_there, unit_there
from domain.content import Sealed
from domain.lifecycle import TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX

_ERASED: Final = "(erased)"
_WHOLE_CHARACTERS_MAX: Final = 20_000
_REMIND_AFTER: Final = timedelta(days=30)
"""Zammad takes no ticket as pending without a time at which it reminds of it."""
_PENDING: Final = frozenset({Status.WAITING_FOR_REPLY, Status.ON_HOLD})

_MOVES: Final[Mapping[type, tuple[Status, str, str]]] = MappingProxyType({
    # event                    leads to                   its text    what is said where it has none
    Ticket.WorkStarted:       (Status.IN_PROGRESS,       "note",     "Work started at {name}."),
    Ticket.ReplyRequested:    (Status.WAITING_FOR_REPLY, "question", "{name} waits for the submitter."),
    Ticket.SubmitterReplied:  (Status.IN_PROGRESS,       "text",     "The submitter replied."),
    Ticket.PutOnHold:         (Status.ON_HOLD,           "reason",   "{name} put the ticket on hold."),
    Ticket.Solved:            (Status.SOLVED,            "solution", "Solved at {name}."),
    Ticket.FoundUnsolvable:   (Status.UNSOLVED,          "solution", "Unsolved at {name}."),
    Ticket.Reopened:          (Status.REOPENED,          "comment",  "Reopened at {name}."),
})  # fmt: skip
"""What moves their state along with ours."""

_FINAL: Final[Mapping[type, str]] = MappingProxyType({
    Ticket.Verified: "The submitter verified the outcome; the ticket is final at {name}.",
    Ticket.Closed: "Nobody objected to the outcome; the ticket is final at {name}.",
})  # fmt: skip
"""Their ticket is over already; only their agents are told."""


def whole(news: News) -> Ours:
    """Create the ticket. Who the submitter is stays with us: Zammad must not mail the same person too."""
    ticket = news.ticket
    parts = [_text(news, ticket.description) or "(no description)", *news.diary]
    create = {
        "group": _group(news) or _group_for_others(news),
        "title": line(_text(news, ticket.subject), SUBJECT_CHARACTERS_MAX) or "(no subject)",
        "priority": priority_there(news.place.words, ticket.priority),
        **(_state(news, ticket.status) if ticket.status in TERMINAL else {}),
    }
    site = ticket.notified_site or ticket.affected_site
    return _ours(
        news,
        Note(public=True, text=cut("\n\n".join(parts), _WHOLE_CHARACTERS_MAX, _where(news))),
        create={name: value for name, value in create.items() if value},
        custom={EXTERNAL_URL: _where(news), **({AFFECTED_SITE: site} if site else {})},
    )


def change(news: News) -> Ours | Ignored:
    """Bring their ticket along."""
    kind = type(news.event)
    if kind in _MOVES:
        return _moved(news)
    if kind in _FINAL:
        return _ours(news, _note(news, _FINAL[kind].format(name=news.place.our_name), public=False))
    tell = _OTHERS.get(kind)
    return tell(news, news.event) if tell else Ignored("no-counterpart")


def _moved(news: News) -> Ours:
    status, field, otherwise = _MOVES[type(news.event)]
    text = _text(news, getattr(news.event, field))
    note = _note(news, text or otherwise.format(name=news.place.our_name), public=bool(text))
    return _ours(news, note, set=_state(news, status))


def _cross_reference(news: News, _: Ticket.Opened) -> Ours:
    """They opened it: they learn its number and who has it."""
    text = f"This is {_named(news)} now, with {news.ticket.unit}. {_where(news)}"
    custom = {EXTERNAL_ID: _external_id(news), EXTERNAL_URL: _where(news)}
    return _ours(news, _note(news, text, public=False), custom=custom)


def _assigned(news: News, event: Ticket.Assigned) -> Ours:
    text = f"Assigned to {event.unit} at {news.place.our_name}."
    if note := _text(news, event.note):
        text += f"\n\n{note}"
    group = _group(news)
    return _ours(news, _note(news, text, public=False), set={"group": group} if group else {})


def _commented(news: News, event: Ticket.Commented) -> Ours:
    return _ours(news, _note(news, _text(news, event.text) or "(no text)", public=True))


def _reclassified(news: News, event: Ticket.Reclassified) -> Ours | Ignored:
    why = _text(news, event.justification)
    text = f"{event.field} at {news.place.our_name}: {event.value}" + (f"\n\n{why}" if why else "")
    note = _note(news, text, public=False)
    if event.field == "priority":
        word = priority_there(news.place.words, news.ticket.priority)
        return _ours(news, note, set={"priority": word} if word else {})
    if event.field == "affected_site":
        return _ours(news, note, custom={AFFECTED_SITE: event.value})
    return Ignored("no-counterpart")


_OTHERS: Final[Mapping[type, Callable[[News, Any], Ours | Ignored]]] = MappingProxyType({
    Ticket.Opened: _cross_reference,
    Ticket.Assigned: _assigned,
    Ticket.Commented: _commented,
    Ticket.Reclassified: _reclassified,
})  # fmt: skip


def _ours(
    news: News,
    note: Note,
    *,
    create: dict[str, str] | None = None,
    set: dict[str, str] | None = None,  # noqa: A002 - it is the word of the document
    custom: dict[str, str] | None = None,
) -> Ours:
    event_id = news.message_id.strip("<>")
    return Ours(
        number=news.ticket.number,
        external_id=_external_id(news),
        event_id=event_id,
        mark=mark(news.hops, _external_id(news), event_id),
        decided_at=news.at.isoformat(),
        create=create,
        note=note,
        set=set or {},
        custom=custom or {},
    )


def _state(news: News, status: Status) -> dict[str, str]:
    """The attributes that make their state so; none where they are not told."""
    word = status_there(news.place.words, status)
    if not word:
        return {}
    if status not in _PENDING:
        return {"state": word}
    until = (news.at + _REMIND_AFTER).astimezone(UTC)
    return {"state": word, "pending_time": until.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _external_id(news: News) -> str:
    return f"{news.place.our_name}-{news.ticket.number}"


def _group(news: News) -> str:
    """The group of the unit that has the ticket, where that is one of theirs."""
    unit = news.ticket.unit
    return unit_there(news.place.words, unit) if unit in news.place.their_units else ""


def _group_for_others(news: News) -> str:
    """Where tickets of other units go that are sent there by hand."""
    named = parse_qs(urlsplit(news.place.their_address).query).get("group")
    units = [unit_there(news.place.words, unit) for unit in news.place.their_units]
    return (named or units or ["Users"])[0]


def _note(news: News, text: str, *, public: bool) -> Note:
    return Note(public=public, text=cut(text, TEXT_CHARACTERS_MAX, _where(news)))


def _text(news: News, sealed: Sealed | None) -> str:
    return "" if sealed is None else news.texts.get(sealed.id, _ERASED)


def _named(news: News) -> str:
    return f"{news.place.our_name} ticket {news.ticket.number}"


def _where(news: News) -> str:
    return news.place.page.format(number=news.ticket.number) or _named(news)
