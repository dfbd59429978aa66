"""What ServiceNow is to do in consequence of an event of ours."""

from typing import Final

from msgspec import structs

from adapters.helpdesks.servicenow import words
from adapters.helpdesks.servicenow.documents import Ours
from adapters.kit import attaching, telling
from adapters.kit.addresses import term
from adapters.kit.contract import Ignored, News
from adapters.kit.text import cut
from adapters.kit.words import status_there
from domain.lifecycle import TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import TEXT_CHARACTERS_MAX

_SHORT_CHARACTERS_MAX: Final = 160
"""Of ``short_description`` as shipped: ServiceNow cuts what is longer in silence."""
_WHOLE_CHARACTERS_MAX: Final = 4_000
"""Of ``description``, likewise."""


def whole(news: News) -> Ours:
    """Create the incident. Who the submitter is stays with us; the account is the caller."""
    ticket, where = news.ticket, telling.where(news)
    opening = telling.opening(
        news,
        subject_characters_max=_SHORT_CHARACTERS_MAX,
        characters_max=_WHOLE_CHARACTERS_MAX,
        outcome_apart=True,
    )
    note = f"This is {telling.our_id(news)}, {ticket.status.value} there. {where}"
    columns = {"short_description": opening.subject, "description": opening.text}
    return _ours(
        news,
        note,
        create=True,
        set=columns | _priority(opening.priority),
        group=telling.their_unit(news) or term(news.place.their_address, "group"),
        status=opening.over or Status.ASSIGNED,
        outcome=cut(telling.text(news, ticket.solution), TEXT_CHARACTERS_MAX, where),
    )


def change(news: News) -> Ours | Ignored:
    """Bring their incident along."""
    if isinstance(news.event, Ticket.Attached):
        said, file = attaching.told(news, news.event)
        document = _ours(news, said.text, public=said.public, set={}, group="", status=None)
        return structs.replace(document, file=file)
    told = telling.told(news)
    if isinstance(told, Ignored):
        return told
    text = told.text
    if told.linked:
        text = f"This is {telling.our_id(news)} now, with {news.ticket.unit}. {telling.where(news)}"
    columns, public = _priority(told.priority), told.public
    return _ours(news, text, public=public, set=columns, group=told.unit, status=told.status)


def _ours(
    news: News,
    text: str,
    *,
    create: bool = False,
    public: bool = False,
    set: dict[str, str],  # noqa: A002 - it is the word of the document
    group: str,
    status: Status | None,
    outcome: str = "",
) -> Ours:
    our_id, place = telling.our_id(news), news.place
    state = status_there(place.words, status) if status else ""
    columns = {"correlation_id": our_id, **set}
    if state:
        columns |= words.columns(state)
        columns["correlation_display"] = f"{place.our_name} {state}"
    if state and status in TERMINAL:
        columns["close_code"] = term(place.their_address, "close_code", words.CLOSE_CODE)
        columns["close_notes"] = outcome or text
    return Ours(
        number=news.ticket.number,
        external_id=our_id,
        event_id=telling.event_id(news),
        decided_at=news.at.isoformat(),
        create=create,
        public=public,
        text=text,
        set=columns,
        group=group,
        state=state,
    )


def _priority(word: str) -> dict[str, str]:
    pair = words.IMPACT_AND_URGENCY.get(word)
    return {"impact": pair[0], "urgency": pair[1]} if pair else {}
