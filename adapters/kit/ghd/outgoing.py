"""How we tell them: the whole ticket once, and after that only what changed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.kit import telling
from adapters.kit.contract import Ignored, News
from adapters.kit.ghd import words
from adapters.kit.ghd.names import DOCUMENT
from adapters.kit.text import cut, line
from adapters.kit.words import priority_there, status_there, unit_there
from domain.aggregate import Event
from domain.content import Sealed
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX, Priority

_SOLUTION_CHARACTERS_MAX: Final = 255

DIARY: Final[Mapping[type[Event], str]] = MappingProxyType({
    Ticket.Assigned: "note",
    Ticket.WorkStarted: "note",
    Ticket.ReplyRequested: "question",
    Ticket.SubmitterReplied: "text",
    Ticket.PutOnHold: "reason",
    Ticket.Reopened: "comment",
    Ticket.Commented: "text",
    Ticket.Verified: "",
    Ticket.Closed: "",
})  # fmt: skip
"""The text of an event that is a public entry, by the name of its field."""

_CLASSIFIED: Final = MappingProxyType({
    "priority": "GHD_Priority",
    "issue_type": "GHD_Type_Of_Problem",
    "vo": "GHD_Experiment",
    "affected_site": "GHD_Affected_Site",
})  # fmt: skip


def whole(news: News) -> dict[str, str]:
    """Every element. Who the submitter is stays with us: the partner must not mail the same person too."""
    ticket = news.ticket
    fields = dict.fromkeys(DOCUMENT, "") | identifying(news)
    fields |= {
        "GHD_Experiment": ticket.vo or "none",
        "GHD_Responsible_Unit": unit_there(news.place.words, ticket.unit),
        "GHD_Priority": priority_there(news.place.words, ticket.priority),
        "GHD_Short_Description": line(telling.text(news, ticket.subject), SUBJECT_CHARACTERS_MAX),
        "GHD_Description": _fitting(news, telling.text(news, ticket.description)),
        "GHD_Experiment_Specific_Problem": "Yes" if ticket.vo_specific else "No",
        "GHD_Type_Of_Problem": ticket.issue_type,
        "GHD_Date_Time_Of_Problem": words.problem_text(ticket.opened_at),
        "GHD_Public_Diary": _fitting(news, "\n".join(news.diary)),
        "GHD_Affected_Site": ticket.notified_site or ticket.affected_site,
    }
    if ticket.solution is not None:
        fields |= _solution(news, ticket.solution)
    return fields


def change(news: News) -> dict[str, str] | Ignored:
    """The elements that the event changes."""
    event = news.event
    fields = identifying(news)
    if news.confirms:
        return fields | {
            "GHD_Responsible_Unit": unit_there(news.place.words, news.ticket.unit),
            "GHD_Priority": priority_there(news.place.words, news.ticket.priority),
        }
    match event:
        case Ticket.Opened():  # of a ticket that they opened: they learn its number and who has it
            return fields | {"GHD_Responsible_Unit": unit_there(news.place.words, news.ticket.unit)}
        case Ticket.Assigned():
            fields["GHD_Responsible_Unit"] = unit_there(news.place.words, event.unit)
        case Ticket.Solved() | Ticket.FoundUnsolvable():
            return fields | _solution(news, event.solution)
        case Ticket.Reclassified() if event.field in _CLASSIFIED:
            return fields | _reclassified(news, event)
        case _ if type(event) not in DIARY:
            return Ignored("no-counterpart")
    sealed = getattr(event, DIARY[type(event)], None)
    if sealed is not None:
        fields["GHD_Public_Diary"] = _fitting(news, telling.text(news, sealed))
    return fields


def identifying(news: News) -> dict[str, str]:
    """What identifies the ticket in every message."""
    return {
        "GHD_Request-ID": str(news.ticket.number),
        "GHD_Status": status_there(news.place.words, news.ticket.status),
        "GHD_Origin_ID": news.external_id if news.theirs else str(news.ticket.number),
        "GHD_Last_Modifier": news.place.our_name,
    }


def _reclassified(news: News, event: Ticket.Reclassified) -> dict[str, str]:
    changed = {_CLASSIFIED[event.field]: event.value}
    if event.field == "priority":
        changed["GHD_Priority"] = priority_there(news.place.words, Priority(event.value))
        changed["GHD_Public_Diary"] = _fitting(news, telling.text(news, event.justification))
    return changed


def _solution(news: News, sealed: Sealed | None) -> dict[str, str]:
    text = telling.text(news, sealed)
    return {
        "GHD_Short_Solution": line(text, _SOLUTION_CHARACTERS_MAX),
        "GHD_Detailed_Solution": _fitting(news, text),
    }


def _fitting(news: News, text: str) -> str:
    return cut(text, TEXT_CHARACTERS_MAX, telling.where(news))
