"""What a partner is told of an event of ours, before its format comes into play: pure.

For partners whose tickets take texts, public ones and others among their supporters, and fields. Which of
their fields these are is the adapter's; so is what only one of them takes, such as files.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct

from adapters.kit.addresses import term
from adapters.kit.contract import Ignored, News
from adapters.kit.text import cut, line
from adapters.kit.words import priority_there, status_there, unit_there
from domain.conflicts import Side
from domain.content import Sealed
from domain.lifecycle import TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX

ERASED: Final = "(erased)"
WHOLE_CHARACTERS_MAX: Final = 20_000
"""Of a description with all public entries so far."""


class Opening(Struct, frozen=True, kw_only=True):
    """A ticket that they do not have yet. Words are theirs; empty ones are not to be said."""

    subject: str
    text: str
    """The description, the public entries so far, and the outcome where there is one."""
    priority: str
    site: str
    over: Status | None
    """Ours, of a ticket on which nobody works any more."""
    state: str
    """Theirs for that."""


class Told(Struct, frozen=True, kw_only=True):
    """A text for their ticket, and what changes with it. Words are theirs; empty ones are not to be said."""

    text: str
    public: bool = False
    """For the submitter too; else among their supporters."""
    status: Status | None = None
    """Ours, where the event moved the ticket."""
    state: str = ""
    """Theirs for that."""
    unit: str = ""
    """It went to this unit of theirs."""
    priority: str = ""
    site: str | None = None
    """The affected site is another now; empty: it is none."""
    linked: bool = False
    """They opened the ticket: now they learn which of ours it is."""


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
"""Their ticket is over already; only their supporters are told."""


def opening(
    news: News,
    *,
    subject_characters_max: int = SUBJECT_CHARACTERS_MAX,
    characters_max: int = WHOLE_CHARACTERS_MAX,
    outcome_apart: bool = False,
) -> Opening:
    """The whole ticket, but for its submitter: who that is stays with us.

    ``outcome_apart``: their ticket has a place of its own for that.
    """
    ticket, words = news.ticket, news.place.words
    over = ticket.status if ticket.status in TERMINAL else None
    parts = [
        text(news, ticket.description) or "(no description)",
        *news.diary,
        "" if outcome_apart else outcome(news),
    ]
    return Opening(
        subject=line(text(news, ticket.subject), subject_characters_max) or "(no subject)",
        text=cut("\n\n".join(filter(None, parts)), characters_max, where(news)),
        priority=priority_there(words, ticket.priority),
        site=ticket.notified_site or ticket.affected_site,
        over=over,
        state=status_there(words, over) if over else "",
    )


def outcome(news: News) -> str:
    """The solution that holds, or why there is none: the diary of a whole ticket is without it."""
    return text(news, news.ticket.solution) if news.ticket.status in TERMINAL else ""


def told(news: News) -> Told | Ignored:
    """What they are told of the event that ``news`` is about."""
    if news.confirms:
        return _confirmed(news)
    kind = type(news.event)
    if kind in _MOVES:
        status, field, otherwise = _MOVES[kind]
        return moved(news, status, text(news, getattr(news.event, field)), otherwise)
    if kind in _FINAL:
        return Told(text=_FINAL[kind].format(name=news.place.our_name))
    tell = _OTHERS.get(kind)
    return tell(news, news.event) if tell else Ignored("no-counterpart")


def moved(news: News, status: Status, said: str, otherwise: str) -> Told:
    """Our ticket is in ``status`` now. Without a text, supporters read what stands in ``otherwise``."""
    return Told(
        text=_fitting(news, said or otherwise.format(name=news.place.our_name)),
        public=bool(said),
        status=status,
        state=status_there(news.place.words, status),
    )


def _confirmed(news: News) -> Told:
    """Changes crossed: what holds, for their supporters."""
    ticket, words = news.ticket, news.place.words
    said = f"Changes crossed; at {news.place.our_name} the ticket is {ticket.status.value}."
    begun = ticket.status not in (Status.NEW, Status.ASSIGNED)
    return Told(
        text=said,
        status=ticket.status if begun else None,
        state=status_there(words, ticket.status) if begun else "",
        unit=their_unit(news),
        priority=priority_there(words, ticket.priority),
    )


def _linked(news: News, _: Ticket.Opened) -> Told:
    """They opened it: they learn its number and who has it."""
    said = f"This is {named(news)} now, with {news.ticket.unit}. {where(news)}"
    return Told(text=said, linked=True)


def _assigned(news: News, event: Ticket.Assigned) -> Told:
    said = _with(f"Assigned to {event.unit} at {news.place.our_name}.", text(news, event.note))
    return Told(text=_fitting(news, said), unit=their_unit(news))


def _commented(news: News, event: Ticket.Commented) -> Told:
    return Told(text=_fitting(news, text(news, event.text) or "(no text)"), public=True)


def _reclassified(news: News, event: Ticket.Reclassified) -> Told | Ignored:
    changed = f"{event.field} at {news.place.our_name}: {event.value}"
    said = _fitting(news, _with(changed, text(news, event.justification)))
    if event.field == "priority":
        return Told(text=said, priority=priority_there(news.place.words, news.ticket.priority))
    if event.field == "affected_site":
        return Told(text=said, site=event.value)
    return Ignored("no-counterpart")


_OTHERS: Final[Mapping[type, Callable[[News, Any], Told | Ignored]]] = MappingProxyType({
    Ticket.Opened: _linked,
    Ticket.Assigned: _assigned,
    Ticket.Commented: _commented,
    Ticket.Reclassified: _reclassified,
})  # fmt: skip


def their_unit(news: News) -> str:
    """The unit that has the ticket, where it is one of theirs."""
    unit = news.ticket.unit
    return unit_there(news.place.words, unit) if unit in news.place.their_units else ""


def unit_for(news: News, parameter: str, otherwise: str = "") -> str:
    """Where the ticket goes, also one of another unit that is sent there by hand.

    ``parameter`` of the helpdesk's address says where to; else that is the first of their units.
    """
    place = news.place
    first = [unit_there(place.words, unit) for unit in place.their_units[:1]]
    return their_unit(news) or term(place.their_address, parameter, (first or [otherwise])[0])


def text(news: News, sealed: Sealed | None) -> str:
    """What was written, or a word for what was erased since; empty where nothing was."""
    return "" if sealed is None else news.texts.get(sealed.id, ERASED)


def our_id(news: News) -> str:
    """Our ticket for machines, such as ``GGUS-42``."""
    return f"{news.place.our_name}-{news.ticket.number}"


def event_id(news: News) -> str:
    """Of this message, for what a partner keeps with its effect."""
    return news.message_id.strip("<>")


def responsible(news: News) -> Literal["sender", "receiver"]:
    """Who works on the ticket, as we see it. ``heard_responsible`` reads it."""
    return "receiver" if news.ticket.unit in news.place.their_units else "sender"


def heard_responsible(word: str) -> Side | None:
    """The same, seen from the other side; None where the word says nothing."""
    return {"sender": Side.THEIRS, "receiver": Side.OURS}.get(word)


def named(news: News) -> str:
    """Our ticket for people."""
    return f"{news.place.our_name} ticket {news.ticket.number}"


def page(news: News) -> str:
    """Address of our page of the ticket; empty where we have none."""
    return news.place.page.format(number=news.ticket.number)


def where(news: News) -> str:
    """Where the whole of it is read."""
    return page(news) or named(news)


def stays(news: News) -> str:
    """Where a file is that does not go with the message, and how people there get it."""
    name = news.place.our_name
    if address := page(news):
        return f"It stays at {name}: {address}"
    whom = news.place.our_address or name
    return f"It stays at {name}: ask {whom} for it, and name {named(news)}."


def filled(fields: Mapping[str, str]) -> dict[str, str]:
    """Those that have a value."""
    return {name: value for name, value in fields.items() if value}


def _fitting(news: News, said: str) -> str:
    return cut(said, TEXT_CHARACTERS_MAX, where(news))


def _with(said: str, more: str) -> str:
    return f"{said}\n\n{more}" if more else said
