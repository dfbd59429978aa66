"""What Jira is to do in consequence of an event of ours."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs

from adapters.helpdesks.jira.documents import Mark, Note, Ours
from adapters.kit import attaching, telling
from adapters.kit.addresses import term
from adapters.kit.contract import Ignored, News
from adapters.kit.words import unit_there
from domain.lifecycle import Status
from domain.ticket import Ticket

_RESOLUTIONS: Final[Mapping[Status, tuple[str, str]]] = MappingProxyType({
    # status          parameter of the address, and the resolution as shipped
    Status.SOLVED:   ("resolution", "Done"),
    Status.VERIFIED: ("resolution", "Done"),
    Status.CLOSED:   ("resolution", "Done"),
    Status.UNSOLVED: ("unsolved", "Won't Do"),
})  # fmt: skip


def whole(news: News) -> Ours:
    """Create the issue. Who the submitter is stays with us: Jira must not mail the same person too."""
    opening, address = telling.opening(news), news.place.their_address
    create = {
        "project": term(address, "project"),
        "issuetype": term(address, "type", "Task"),
        "summary": opening.subject,
        "priority": opening.priority,
        "component": _component(news),
    }
    return _ours(
        news,
        Note(public=True, text=opening.text),
        create=telling.filled(create),
        set=telling.filled({"status": opening.state}),
        resolution=_resolution(news, opening.over) if opening.state else "",
        page=telling.page(news),
    )


def change(news: News) -> Ours | Ignored:
    """Bring their issue along."""
    if isinstance(news.event, Ticket.Attached):
        said, file = attaching.told(news, news.event)
        note = Note(public=said.public, text=said.text)
        return structs.replace(_ours(news, note, set={}, resolution="", page=""), file=file)
    told = telling.told(news)
    if isinstance(told, Ignored):
        return told
    component = _component(news) if told.unit else ""
    fields = {"component": component, "priority": told.priority, "status": told.state}
    return _ours(
        news,
        Note(public=told.public, text=told.text),
        set=telling.filled(fields),
        resolution=_resolution(news, told.status) if told.state else "",
        page=telling.page(news) if told.linked else "",
    )


def _ours(
    news: News,
    note: Note,
    *,
    create: dict[str, str] | None = None,
    set: dict[str, str],  # noqa: A002 - it is the word of the document
    resolution: str,
    page: str,
) -> Ours:
    our_id = telling.our_id(news)
    through = list(news.hops) if our_id in news.hops else [*news.hops, our_id]
    return Ours(
        number=news.ticket.number,
        mark=Mark(external_id=our_id, event_id=telling.event_id(news), hops=through),
        decided_at=news.at.isoformat(),
        create=create,
        note=note,
        set=set,
        resolution=resolution,
        page=page,
    )


def _component(news: News) -> str:
    """Of the unit that has the ticket: told where the helpdesk has several, or the table has a word."""
    unit, place = news.ticket.unit, news.place
    told = len(place.their_units) > 1 or place.words.units.write(unit) is not None
    return unit_there(place.words, unit) if told and unit in place.their_units else ""


def _resolution(news: News, status: Status | None) -> str:
    if status is None or status not in _RESOLUTIONS:
        return ""
    return term(news.place.their_address, *_RESOLUTIONS[status])
