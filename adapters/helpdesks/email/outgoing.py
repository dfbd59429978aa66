"""Mails that people read: one a piece of news, in plain words, answered by replying."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.email.words import MARKER_LINE
from adapters.kit import telling
from adapters.kit.contract import Ignored, News
from adapters.kit.mail_files import FILE_BYTES_MAX, add_file
from adapters.kit.mail_marks import conversation_id, envelope_of, mark
from adapters.kit.text import cut, line, storable
from domain.aggregate import Event
from domain.content import Sealed
from domain.lifecycle import Action
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX, TEXT_CHARACTERS_MAX

OURS: Final = "X-Ticket-Ledger"
"""Says that a mail is one of ours, wherever lists and forwards send it."""
_TIME: Final = "%Y-%m-%d %H:%M UTC"

_SENTENCES: Final[Mapping[type[Event], tuple[str, str]]] = MappingProxyType({
    Ticket.Opened: ("The ticket was opened here.", ""),
    Ticket.Assigned: ("The ticket was assigned to {unit}.", "note"),
    Ticket.WorkStarted: ("Work on the ticket has begun.", "note"),
    Ticket.ReplyRequested: ("The submitter is asked:", "question"),
    Ticket.SubmitterReplied: ("The submitter replied:", "text"),
    Ticket.PutOnHold: ("The ticket was put on hold:", "reason"),
    Ticket.Solved: ("The ticket is solved:", "solution"),
    Ticket.FoundUnsolvable: ("The ticket cannot be solved:", "solution"),
    Ticket.Verified: ("The submitter confirmed the solution.", ""),
    Ticket.Closed: ("The ticket was closed.", ""),
    Ticket.Reopened: ("The ticket was opened again:", "comment"),
    Ticket.Commented: ("A new entry:", "text"),
    Ticket.Attached: ("A file was attached: {name}", ""),
    Ticket.Reclassified: ("{field}: {value}", "justification"),
})  # fmt: skip
"""Each event in words, and the name of the field with the text that belongs to it."""

_FIELDS: Final = MappingProxyType({
    "priority": "Priority", "category": "Category", "issue_type": "Type of problem", "vo": "VO",
    "affected_site": "Affected site",
})  # fmt: skip


def write(news: News, words: Mapping[str, Action]) -> bytes | Ignored:
    """The mail, byte for byte. ``words``: what a first line of an answer may say."""
    body = _whole(news, words) if news.whole else _change(news)
    if isinstance(body, Ignored):
        return body
    title = line(telling.text(news, news.ticket.subject), SUBJECT_CHARACTERS_MAX)
    message = envelope_of(news, f"{mark(news)} {title}")
    message["Reply-To"] = news.reply_address or news.place.our_address
    message["References"] = conversation_id(news.message_id)
    if not news.whole:
        message["In-Reply-To"] = conversation_id(news.message_id)
    message[OURS] = f"{news.place.our_name} {news.ticket.number}"
    message.set_content(
        storable(f"{MARKER_LINE}\n\n{body}\n\n{_foot(news)}\n"), cte="quoted-printable"
    )
    if isinstance(news.event, Ticket.Attached) and not news.whole:
        add_file(message, news, news.event, telling.text(news, news.event.name))
    return message.as_bytes()


def _change(news: News) -> str | Ignored:
    event = news.event
    if type(event) not in _SENTENCES:
        return Ignored("no-counterpart")
    sentence, field = _SENTENCES[type(event)]
    if isinstance(event, Ticket.Reclassified):
        if event.field not in _FIELDS:
            return Ignored("no-counterpart")
        sentence = sentence.format(field=_FIELDS[event.field], value=event.value)
    elif isinstance(event, Ticket.Attached):
        sentence = sentence.format(name=telling.text(news, event.name))
        if event.file.size > FILE_BYTES_MAX:
            sentence += f"\n\nIt is too large for a mail: see {telling.where(news)}"
    elif isinstance(event, Ticket.Assigned):
        sentence = sentence.format(unit=event.unit)
    text = _fitting(news, getattr(event, field, None) if field else None)
    return f"{sentence}\n\n{text}".strip() if text else sentence


def _whole(news: News, words: Mapping[str, Action]) -> str:
    ticket = news.ticket
    facts = {
        "Ticket": f"{news.place.our_name} {ticket.number}",
        "Subject": line(telling.text(news, ticket.subject), SUBJECT_CHARACTERS_MAX),
        "Status": ticket.status.value,
        "Support unit": ticket.unit,
        "Priority": ticket.priority.value,
        "Type of problem": ticket.issue_type,
        "VO": ticket.vo,
        "Site": ticket.notified_site or ticket.affected_site,
        "Opened": ticket.opened_at.strftime(_TIME),
    }
    blocks = ["\n".join(f"{name + ':':<17}{value}" for name, value in facts.items() if value)]
    if description := _fitting(news, ticket.description):
        blocks.append(f"Description:\n\n{description}")
    if news.diary:
        diary = "\n\n".join(storable(each) for each in news.diary)
        blocks.append(
            f"Public entries so far:\n\n{cut(diary, TEXT_CHARACTERS_MAX, telling.where(news))}"
        )
    if ticket.solution is not None:
        blocks.append(f"Solution:\n\n{_fitting(news, ticket.solution)}")
    return "\n\n".join([*blocks, _how_to_answer(words)])


def _how_to_answer(words: Mapping[str, Action]) -> str:
    agreed = [f"  #{word:<14} {_MEANINGS[action]}" for word, action in words.items()]
    return "\n".join([
        "To answer, reply to this mail: what you write becomes a public entry of the ticket.",
        "The first line of your answer may begin with one of these words:",
        *agreed,
        "Files that you attach are taken over. Nothing else can be changed by mail.",
    ])  # fmt: skip


_MEANINGS: Final[Mapping[Action, str]] = MappingProxyType(
    {
        Action.SOLVE: "your text is the solution",
        Action.START_WORK: "work has begun",
        Action.REQUEST_REPLY: "your text is a question to the submitter",
        Action.PUT_ON_HOLD: "the ticket waits; your text is the reason",
        Action.FIND_UNSOLVABLE: "it cannot be solved; your text is the reason",
        Action.REOPEN: "the ticket is opened again",
    }
)


def _foot(news: News) -> str:
    status = f"{news.place.our_name} ticket {news.ticket.number} is: {news.ticket.status.value}"
    page = news.place.page.format(number=news.ticket.number)
    return "\n".join(part for part in ("-- ", status, page) if part)


def _fitting(news: News, sealed: Sealed | None) -> str:
    return cut(telling.text(news, sealed), TEXT_CHARACTERS_MAX, telling.where(news)).strip()
