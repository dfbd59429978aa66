"""What ServiceNow is to do in consequence of an event of ours."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from adapters.helpdesks.servicenow import words
from adapters.helpdesks.servicenow.documents import Ours
from adapters.kit import words as kit
from adapters.kit.contract import Ignored, News
from adapters.kit.text import cut, line
from domain.content import Sealed
from domain.lifecycle import TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import TEXT_CHARACTERS_MAX

_ERASED: Final = "(erased)"
_SHORT_CHARACTERS_MAX: Final = 160
"""Of ``short_description`` as shipped: ServiceNow cuts what is longer in silence."""
_WHOLE_CHARACTERS_MAX: Final = 4_000
"""Of ``description``, likewise."""
_CLOSE_CODE: Final = "Solution provided"

_MOVES: Final[Mapping[type, tuple[str, str, Status]]] = MappingProxyType({
    # event                    its text     what is said where it has none     our status after it
    Ticket.WorkStarted:       ("note",     "Work started at {name}.",          Status.IN_PROGRESS),
    Ticket.ReplyRequested:    ("question", "{name} waits for the submitter.",  Status.WAITING_FOR_REPLY),
    Ticket.SubmitterReplied:  ("text",     "The submitter replied.",           Status.IN_PROGRESS),
    Ticket.PutOnHold:         ("reason",   "{name} put the ticket on hold.",   Status.ON_HOLD),
    Ticket.Solved:            ("solution", "Solved at {name}.",                Status.SOLVED),
    Ticket.FoundUnsolvable:   ("solution", "Unsolved at {name}.",              Status.UNSOLVED),
    Ticket.Reopened:          ("comment",  "Reopened at {name}.",              Status.REOPENED),
})  # fmt: skip
_FINAL: Final[Mapping[type, str]] = MappingProxyType(
    {
        Ticket.Verified: "The submitter verified the outcome; the ticket is final at {name}.",
        Ticket.Closed: "Nobody objected to the outcome; the ticket is final at {name}.",
    }
)


def whole(news: News) -> Ours:
    """Create the incident. Who the submitter is stays with us; the account is the caller."""
    ticket = news.ticket
    parts = [_text(news, ticket.description) or "(no description)", *news.diary]
    over = ticket.status if ticket.status in TERMINAL else Status.ASSIGNED
    note = f"This is {_id(news)}, {ticket.status.value} there. {_where(news)}"
    return _ours(
        news, note, status=over, group=_group(news) or _terms(news, "group"),
        set={
            "short_description": line(_text(news, ticket.subject), _SHORT_CHARACTERS_MAX) or "(no subject)",
            "description": cut("\n\n".join(parts), _WHOLE_CHARACTERS_MAX, _where(news)),
            **_priority(news),
        }, create=True, outcome=_text(news, ticket.solution),
    )  # fmt: skip


def change(news: News) -> Ours | Ignored:
    kind = type(news.event)
    if kind in _MOVES:
        field, otherwise, status = _MOVES[kind]
        text = _text(news, getattr(news.event, field))
        said = text or otherwise.format(name=news.place.our_name)
        return _ours(news, said, public=bool(text), status=status, outcome=said)
    if kind in _FINAL:
        return _ours(news, _FINAL[kind].format(name=news.place.our_name))
    tell = _OTHERS.get(kind)
    return tell(news, news.event) if tell else Ignored("no-counterpart")


def _cross_reference(news: News, _: Ticket.Opened) -> Ours:
    return _ours(news, f"This is {_id(news)} now, with {news.ticket.unit}. {_where(news)}")


def _assigned(news: News, event: Ticket.Assigned) -> Ours:
    text = f"Assigned to {event.unit} at {news.place.our_name}."
    if note := _text(news, event.note):
        text += f"\n\n{note}"
    return _ours(news, text, group=_group(news))


def _commented(news: News, event: Ticket.Commented) -> Ours:
    return _ours(news, _text(news, event.text), public=True)


def _reclassified(news: News, event: Ticket.Reclassified) -> Ours | Ignored:
    if event.field not in ("priority", "affected_site"):
        return Ignored("no-counterpart")
    why = _text(news, event.justification)
    text = f"{event.field} at {news.place.our_name}: {event.value}" + (f"\n\n{why}" if why else "")
    return _ours(news, text, set=_priority(news) if event.field == "priority" else {})


_OTHERS: Final[Mapping[type, Callable[[News, Any], Ours | Ignored]]] = MappingProxyType(
    {
        Ticket.Opened: _cross_reference,
        Ticket.Assigned: _assigned,
        Ticket.Commented: _commented,
        Ticket.Reclassified: _reclassified,
    }
)


def _ours(
    news: News,
    text: str,
    *,
    public: bool = False,
    status: Status | None = None,
    group: str = "",
    set: dict[str, str] | None = None,  # noqa: A002 - it is the word of the document
    create: bool = False,
    outcome: str = "",
) -> Ours:
    state = kit.status_there(news.place.words, status) if status else ""
    columns = {"correlation_id": _id(news), **(set or {})}
    if state:
        columns |= words.columns(state)
        columns["correlation_display"] = f"{news.place.our_name} {state}"
    if state and status in TERMINAL:
        columns["close_code"] = _terms(news, "close_code") or _CLOSE_CODE
        columns["close_notes"] = cut(outcome, TEXT_CHARACTERS_MAX, _where(news)) or text
    return Ours(
        number=news.ticket.number,
        external_id=_id(news),
        event_id=news.message_id.strip("<>"),
        create=create,
        public=public,
        text=cut(text, TEXT_CHARACTERS_MAX, _where(news)),
        set=columns,
        group=group,
        state=state,
    )


def _priority(news: News) -> dict[str, str]:
    word = kit.priority_there(news.place.words, news.ticket.priority)
    pair = words.IMPACT_AND_URGENCY.get(word)
    return {"impact": pair[0], "urgency": pair[1]} if pair else {}


def _group(news: News) -> str:
    """The group of the unit that has the ticket, where that is one of theirs."""
    unit = news.ticket.unit
    return kit.unit_there(news.place.words, unit) if unit in news.place.their_units else ""


def _terms(news: News, name: str) -> str:
    named = parse_qs(urlsplit(news.place.their_address).query).get(name)
    return named[0] if named else ""


def _id(news: News) -> str:
    return f"{news.place.our_name}-{news.ticket.number}"


def _where(news: News) -> str:
    return news.place.page.format(number=news.ticket.number) or _id(news)


def _text(news: News, sealed: Sealed | None) -> str:
    return "" if sealed is None else news.texts.get(sealed.id, _ERASED)
