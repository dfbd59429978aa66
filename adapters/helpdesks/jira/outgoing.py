"""What Jira is to do in consequence of an event of ours."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from adapters.helpdesks.jira.documents import Mark, Note, Ours
from adapters.kit.contract import Ignored, News
from adapters.kit.text import cut, line
from adapters.kit.words import priority_there, status_there, unit_there
from domain.content import Sealed
from domain.lifecycle import TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX

_ERASED: Final = "(erased)"
_WHOLE_CHARACTERS_MAX: Final = 20_000

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
"""What moves their status along with ours."""

_FINAL: Final[Mapping[type, str]] = MappingProxyType({
    Ticket.Verified: "The submitter verified the outcome; the ticket is final at {name}.",
    Ticket.Closed: "Nobody objected to the outcome; the ticket is final at {name}.",
})  # fmt: skip
"""Their issue is over already; only their team is told."""

_RESOLUTIONS: Final[Mapping[Status, tuple[str, str]]] = MappingProxyType({
    # status          parameter of the address, and the resolution as shipped
    Status.SOLVED:   ("resolution", "Done"),
    Status.VERIFIED: ("resolution", "Done"),
    Status.CLOSED:   ("resolution", "Done"),
    Status.UNSOLVED: ("unsolved", "Won't Do"),
})  # fmt: skip


def whole(news: News) -> Ours:
    """Create the issue. Who the submitter is stays with us: Jira must not mail the same person too."""
    ticket = news.ticket
    parts = [_text(news, ticket.description) or "(no description)", *news.diary]
    create = {
        "project": _parameter(news, "project", ""),
        "issuetype": _parameter(news, "type", "Task"),
        "summary": line(_text(news, ticket.subject), SUBJECT_CHARACTERS_MAX) or "(no subject)",
        "priority": priority_there(news.place.words, ticket.priority),
        "component": _component(news),
    }
    return _ours(
        news,
        Note(public=True, text=cut("\n\n".join(parts), _WHOLE_CHARACTERS_MAX, _where(news))),
        create={name: value for name, value in create.items() if value},
        status=ticket.status if ticket.status in TERMINAL else None,
        page=_page(news),
    )


def change(news: News) -> Ours | Ignored:
    """Bring their issue along."""
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
    return _ours(news, note, status=status)


def _cross_reference(news: News, _: Ticket.Opened) -> Ours:
    """They opened it: they learn its number and who has it."""
    text = f"This is {_named(news)} now, with {news.ticket.unit}. {_where(news)}"
    return _ours(news, _note(news, text, public=False), page=_page(news))


def _assigned(news: News, event: Ticket.Assigned) -> Ours:
    text = f"Assigned to {event.unit} at {news.place.our_name}."
    if note := _text(news, event.note):
        text += f"\n\n{note}"
    component = _component(news)
    fields = {"component": component} if component else {}
    return _ours(news, _note(news, text, public=False), set=fields)


def _commented(news: News, event: Ticket.Commented) -> Ours:
    return _ours(news, _note(news, _text(news, event.text) or "(no text)", public=True))


def _reclassified(news: News, event: Ticket.Reclassified) -> Ours | Ignored:
    if event.field not in ("priority", "affected_site"):
        return Ignored("no-counterpart")
    why = _text(news, event.justification)
    text = f"{event.field} at {news.place.our_name}: {event.value}" + (f"\n\n{why}" if why else "")
    word = priority_there(news.place.words, news.ticket.priority)
    fields = {"priority": word} if word and event.field == "priority" else {}
    return _ours(news, _note(news, text, public=False), set=fields)


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
    status: Status | None = None,
    page: str = "",
) -> Ours:
    external_id = f"{news.place.our_name}-{news.ticket.number}"
    through = list(news.hops) if external_id in news.hops else [*news.hops, external_id]
    fields, resolution = dict(set or {}), ""
    if status is not None and (word := status_there(news.place.words, status)):
        fields["status"] = word
        if status in _RESOLUTIONS:
            resolution = _parameter(news, *_RESOLUTIONS[status])
    return Ours(
        number=news.ticket.number,
        mark=Mark(external_id=external_id, event_id=news.message_id.strip("<>"), hops=through),
        decided_at=news.at.isoformat(),
        create=create,
        note=note,
        set=fields,
        resolution=resolution,
        page=page,
    )


def _component(news: News) -> str:
    """Of the unit that has the ticket: told where the helpdesk has several, or the table has a word."""
    unit, place = news.ticket.unit, news.place
    told = len(place.their_units) > 1 or place.words.units.write(unit) is not None
    return unit_there(place.words, unit) if told and unit in place.their_units else ""


def _parameter(news: News, name: str, otherwise: str) -> str:
    """What the helpdesk's address says."""
    found = parse_qs(urlsplit(news.place.their_address).query).get(name)
    return found[0] if found else otherwise


def _note(news: News, text: str, *, public: bool) -> Note:
    return Note(public=public, text=cut(text, TEXT_CHARACTERS_MAX, _where(news)))


def _text(news: News, sealed: Sealed | None) -> str:
    return "" if sealed is None else news.texts.get(sealed.id, _ERASED)


def _named(news: News) -> str:
    return f"{news.place.our_name} ticket {news.ticket.number}"


def _page(news: News) -> str:
    return news.place.page.format(number=news.ticket.number)


def _where(news: News) -> str:
    return _page(news) or _named(news)
