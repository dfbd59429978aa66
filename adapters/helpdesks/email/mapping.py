"""The mapping itself: a mail that a person wrote to commands, and our events to mails that a person reads."""

from collections.abc import Mapping
from email.message import Message
from types import MappingProxyType
from typing import Final, Literal

from adapters.helpdesks.email.outgoing import OURS, write
from adapters.helpdesks.email.reading import Said, said
from adapters.kit import mail
from adapters.kit.bounces import returned
from adapters.kit.contract import Asked, Before, Ignored, News, Place, Reading, Returned, Unreadable
from adapters.kit.mail_automatic import unmeant
from adapters.kit.mail_marks import number_in, references
from adapters.kit.reply_addresses import number_of
from adapters.kit.text import cut, line
from domain import commands as c
from domain.lifecycle import POSSIBLE, Action
from domain.ticket import Ticket
from domain.vocabulary import TEXT_CHARACTERS_MAX
from domain.words import Words

BYTES_MAX: Final = 1_000_000
_WHERE: Final = "it stands in the mail, which is kept"

WORDS: Final[Mapping[str, Action]] = MappingProxyType({
    "solved":      Action.SOLVE,
    "in-progress": Action.START_WORK,
})  # fmt: skip
"""What a first line may say, after ``#``. Nothing else can be changed by mail."""

_CARRIED: Final = frozenset({Action.SOLVE, Action.START_WORK})


class Email:
    """See README.md beside this file for what is understood and what gets lost."""

    name = "email"
    mapping = "email@1"
    words = Words()
    media_type = mail.MEDIA_TYPE
    by_people: Literal[True] = True

    def __init__(self, words: Mapping[str, Action] = WORDS) -> None:
        """``words``: what supporters may write on the first line, without ``#``, in lower case."""
        assert set(words.values()) <= _CARRIED, "mail solves and starts work, nothing else"
        self._words = words

    def read(self, raw: bytes) -> Reading | Ignored | Returned:
        if len(raw) > BYTES_MAX:
            raise Unreadable(f"the mail has {len(raw)} bytes, at most {BYTES_MAX} are read")
        message = mail.parse(raw)
        number = _number(message)
        if message.get(OURS) is not None:
            return Reading(number=number)
        if message.get_content_type() == "multipart/report":
            return returned(message)
        if why := unmeant(message):
            return Ignored(why)
        told = said(message)
        return Reading(
            number=number, state=told.word if told.word in self._words else "", body=told
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        told: Said | None = reading.body
        if told is None:
            return Ignored("echo")
        if ticket is None:
            raise Unreadable("the mail names no ticket that is exchanged with this helpdesk")
        if before.heard is not None and before.heard.body == told:
            return Ignored("said-again")
        action, text = self._words.get(told.word), _text(told)
        withheld = []
        if told.word and action is None:
            withheld.append("word:not-agreed")
            text = f"#{told.word}\n{text}".strip()
        if action is not None and action in POSSIBLE[ticket.status]:
            return Asked([_step(action, ticket.number, text)])
        if action is not None:
            withheld.append(f"{action.value}:not-now")
        if not text:
            return Ignored("nothing-new")
        return Asked([c.Comment(number=ticket.number, text=text)], withheld)

    def outbound(self, news: News) -> bytes | Ignored:
        return write(news, self._words)


def _step(action: Action, number: int, text: str) -> c.Command:
    if action is Action.SOLVE:
        return c.Solve(number=number, solution=text)
    assert action is Action.START_WORK
    return c.StartWork(number=number, note=text)


def _text(told: Said) -> str:
    names = ", ".join(told.attachments)
    note = f"\n\n[Not taken over from the mail: {names}]" if names else ""
    return (cut(told.text, TEXT_CHARACTERS_MAX - len(note), _WHERE) + note).strip()


def _number(message: Message) -> int:
    """Our ticket by the address written to, else by the subject unless the mail answers one of ours."""
    for name in ("To", "Cc", "Delivered-To", "X-Original-To"):
        for each in line(mail.header(message, name), 4_000).split(","):
            detail = mail.address(each).partition("@")[0].partition("+")[2]
            if number := number_of(detail):
                return number
    return 0 if references(message) else number_in(mail.header(message, "Subject"))
