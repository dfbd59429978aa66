"""What RT is to do in consequence of an event of ours."""

import unicodedata
from base64 import b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from msgspec import structs

from adapters.helpdesks.rt.documents import (
    AFFECTED_SITE,
    EXTERNAL_ID,
    EXTERNAL_URL,
    FILE_BYTES_MAX,
    File,
    Note,
    Ours,
)
from adapters.kit.contract import Ignored, News
from adapters.kit.files import file_name
from adapters.kit.text import cut, line
from adapters.kit.words import priority_there, status_there, unit_there
from domain.content import Sealed
from domain.lifecycle import TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX

_ERASED: Final = "(erased)"
_WHOLE_CHARACTERS_MAX: Final = 20_000

_MOVES: Final[Mapping[type, tuple[str, str]]] = MappingProxyType({
    # event                    its text     what is said where it has none
    Ticket.WorkStarted:       ("note",     "Work started at {name}."),
    Ticket.ReplyRequested:    ("question", "{name} waits for the submitter."),
    Ticket.SubmitterReplied:  ("text",     "The submitter replied."),
    Ticket.PutOnHold:         ("reason",   "{name} put the ticket on hold."),
    Ticket.Solved:            ("solution", "Solved at {name}."),
    Ticket.FoundUnsolvable:   ("solution", "Unsolved at {name}."),
    Ticket.Reopened:          ("comment",  "Reopened at {name}."),
})  # fmt: skip
"""What moves their status along with ours."""

_FINAL: Final[Mapping[type, str]] = MappingProxyType(
    {
        Ticket.Verified: "The submitter verified the outcome; the ticket is final at {name}.",
        Ticket.Closed: "Nobody objected to the outcome; the ticket is final at {name}.",
    }
)
"""Their ticket is over already; only their supporters are told."""


def whole(news: News) -> Ours:
    """Create the ticket. Who the submitter is stays with us: RT must not mail the same person too."""
    ticket = news.ticket
    parts = [_text(news, ticket.description) or "(no description)", *news.diary]
    create = {
        "Queue": _queue(news) or _queue_for_others(news),
        "Subject": line(_text(news, ticket.subject), SUBJECT_CHARACTERS_MAX) or "(no subject)",
        "Content": cut("\n\n".join(parts), _WHOLE_CHARACTERS_MAX, _where(news)),
        "Priority": _priority(news),
    }  # fmt: skip
    site = ticket.notified_site or ticket.affected_site
    over = _status(news, ticket.status) if ticket.status in TERMINAL else {}
    return _ours(
        news,
        Note(public=False, text=f"This is {_named(news)}, {ticket.status.value} there. {_where(news)}"),
        create={name: said for name, said in create.items() if said},
        set=over,
        custom={EXTERNAL_URL: _where(news), **({AFFECTED_SITE: site} if site else {})},
    )  # fmt: skip


def change(news: News) -> Ours | Ignored:
    """Bring their ticket along."""
    kind = type(news.event)
    if kind in _MOVES:
        return _moved(news)
    if kind in _FINAL:
        text = _FINAL[kind].format(name=news.place.our_name)
        return _ours(news, _note(news, text, public=False))
    tell = _OTHERS.get(kind)
    return tell(news, news.event) if tell else Ignored("no-counterpart")


def _moved(news: News) -> Ours:
    field, otherwise = _MOVES[type(news.event)]
    text = _text(news, getattr(news.event, field))
    note = _note(news, text or otherwise.format(name=news.place.our_name), public=bool(text))
    return _ours(news, note, set=_status(news, _AFTER[type(news.event)]))


def _cross_reference(news: News, _: Ticket.Opened) -> Ours:
    """They opened it: they learn its number and who has it."""
    text = f"This is {_named(news)} now, with {news.ticket.unit}. {_where(news)}"
    custom = {EXTERNAL_ID: _external_id(news), EXTERNAL_URL: _where(news)}
    return _ours(news, _note(news, text, public=False), custom=custom)


def _assigned(news: News, event: Ticket.Assigned) -> Ours:
    text = f"Assigned to {event.unit} at {news.place.our_name}."
    if note := _text(news, event.note):
        text += f"\n\n{note}"
    queue = _queue(news)
    return _ours(news, _note(news, text, public=False), set={"Queue": queue} if queue else {})


def _commented(news: News, event: Ticket.Commented) -> Ours:
    return _ours(news, _note(news, _text(news, event.text), public=True))


_AFTER: Final[Mapping[type, Status]] = MappingProxyType(
    {
        Ticket.WorkStarted: Status.IN_PROGRESS,
        Ticket.ReplyRequested: Status.WAITING_FOR_REPLY,
        Ticket.SubmitterReplied: Status.IN_PROGRESS,
        Ticket.PutOnHold: Status.ON_HOLD,
        Ticket.Solved: Status.SOLVED,
        Ticket.FoundUnsolvable: Status.UNSOLVED,
        Ticket.Reopened: Status.REOPENED,
    }
)
assert set(_AFTER) == set(_MOVES), "what moves the status says where to"


def _attached(news: News, event: Ticket.Attached) -> Ours:
    name, body = _text(news, event.name), news.files.get(event.file.id)
    text = f"A file was attached at {news.place.our_name}: {name}"
    if body is None or len(body) > FILE_BYTES_MAX:
        return _ours(news, _note(news, f"{text}\n\nIt stays there: {_where(news)}", public=True))
    # RT spoils all letters but these in the names of files.
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    file = File(name=file_name(plain), type=event.file.media_type, content=b64encode(body).decode())
    return structs.replace(_ours(news, _note(news, text, public=True)), file=file)


def _reclassified(news: News, event: Ticket.Reclassified) -> Ours | Ignored:
    why = _text(news, event.justification)
    text = f"{event.field} at {news.place.our_name}: {event.value}" + (f"\n\n{why}" if why else "")
    note = _note(news, text, public=False)
    if event.field == "priority":
        number = _priority(news)
        return _ours(news, note, set={"Priority": number} if number else {})
    if event.field == "affected_site":
        return _ours(news, note, custom={AFFECTED_SITE: event.value})
    return Ignored("no-counterpart")


_OTHERS: Final[Mapping[type, Callable[[News, Any], Ours | Ignored]]] = MappingProxyType(
    {
        Ticket.Opened: _cross_reference,
        Ticket.Assigned: _assigned,
        Ticket.Commented: _commented,
        Ticket.Attached: _attached,
        Ticket.Reclassified: _reclassified,
    }
)


def _ours(
    news: News,
    note: Note,
    *,
    create: dict[str, str] | None = None,
    set: dict[str, str] | None = None,  # noqa: A002 - it is the word of the document
    custom: dict[str, str] | None = None,
) -> Ours:
    return Ours(
        number=news.ticket.number,
        external_id=_external_id(news),
        event_id=news.message_id.strip("<>"),
        create=create,
        note=note,
        set=set or {},
        custom=custom or {},
    )


def _external_id(news: News) -> str:
    return f"{news.place.our_name}-{news.ticket.number}"


def _queue(news: News) -> str:
    """The queue of the unit that has the ticket, where that is one of theirs."""
    unit = news.ticket.unit
    return unit_there(news.place.words, unit) if unit in news.place.their_units else ""


def _queue_for_others(news: News) -> str:
    """Where tickets of other units go that are sent there by hand."""
    named = parse_qs(urlsplit(news.place.their_address).query).get("queue")
    units = [unit_there(news.place.words, unit) for unit in news.place.their_units]
    return (named or units or ["General"])[0]


def _status(news: News, status: Status) -> dict[str, str]:
    """The field that makes their state so; none where they are not told."""
    word = status_there(news.place.words, status)
    return {"Status": word} if word else {}


def _priority(news: News) -> str:
    return priority_there(news.place.words, news.ticket.priority)


def _note(news: News, text: str, *, public: bool) -> Note:
    return Note(public=public, text=cut(text, TEXT_CHARACTERS_MAX, _where(news)))


def _text(news: News, sealed: Sealed | None) -> str:
    return "" if sealed is None else news.texts.get(sealed.id, _ERASED)


def _named(news: News) -> str:
    return f"{news.place.our_name} ticket {news.ticket.number}"


def _where(news: News) -> str:
    return news.place.page.format(number=news.ticket.number) or _named(news)
