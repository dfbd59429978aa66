"""The mapping itself: a mail that a person wrote to commands, and our events to mails that a person reads."""

from collections.abc import Mapping, Sequence
from email.message import Message
from types import MappingProxyType
from typing import Final, Literal

from adapters.helpdesks.email.outgoing import OURS, write
from adapters.helpdesks.email.reading import Said, said
from adapters.kit import mail
from adapters.kit.asking import COMMANDS
from adapters.kit.bounces import returned
from adapters.kit.contract import Asked, Before, Ignored, News, Place, Reading, Returned, Unreadable
from adapters.kit.files import taken
from adapters.kit.mail_automatic import unmeant
from adapters.kit.mail_marks import number_in, references
from adapters.kit.reply_addresses import number_of
from adapters.kit.text import cut, line
from domain import commands as c
from domain.lifecycle import POSSIBLE, Action, Status
from domain.ticket import Ticket
from domain.vocabulary import TEXT_CHARACTERS_MAX, Priority
from domain.words import Table, Words

BYTES_MAX: Final = 8_000_000
_WHERE: Final = "it stands in the mail, which is kept"

WORDS: Final = Words(
    states=Table(
        theirs={"solved": Status.SOLVED.value, "in-progress": Status.IN_PROGRESS.value},
        ours=dict.fromkeys((status.value for status in Status), ""),
    ),
    priorities=Table(ours=dict.fromkeys((priority.value for priority in Priority), "")),
)
"""What a first line may say, after ``#``. Nothing else can be changed by mail. People are told in sentences."""


class Email:
    """See README.md beside this file for what is understood and what gets lost."""

    name = "email"
    mapping = "email@1"
    words = WORDS
    media_type = mail.MEDIA_TYPE
    by_people: Literal[True] = True
    unmeant = staticmethod(unmeant)

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
        agreed = told.word in self.words.states.theirs
        return Reading(number=number, state=told.word if agreed else "", body=told)

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
        files = taken(told.files, ticket)
        action, text = agreed_words(place.words).get(told.word), _text(told, files.left)
        withheld = list(files.withheld)
        if told.word and action is None:
            withheld.append("word:not-agreed")
            text = f"#{told.word}\n{text}".strip()
        if action is not None and action in POSSIBLE[ticket.status]:
            return Asked([COMMANDS[action](ticket.number, text), *files.commands], withheld)
        if action is not None:
            withheld.append(f"{action.value}:not-now")
        entry = [c.Comment(number=ticket.number, text=text)] if text else []
        if not entry and not files.commands:
            return Ignored("nothing-new")
        return Asked([*entry, *files.commands], withheld)

    def outbound(self, news: News) -> bytes | Ignored:
        if news.confirms:
            return Ignored("no-counterpart")  # people see what happened in which order
        return write(news, agreed_words(news.place.words))


def agreed_words(words: Words) -> dict[str, Action]:
    """What supporters may write on the first line, and the step that it stands for."""
    states = words.states.theirs.items()
    return {
        word.lower(): _ACTIONS[Status(ours)]
        for word, ours in states
        if ours and Status(ours) in _ACTIONS
    }


_ACTIONS: Final[Mapping[Status, Action]] = MappingProxyType({
    Status.IN_PROGRESS:       Action.START_WORK,
    Status.WAITING_FOR_REPLY: Action.REQUEST_REPLY,
    Status.ON_HOLD:           Action.PUT_ON_HOLD,
    Status.REOPENED:          Action.REOPEN,
    Status.SOLVED:            Action.SOLVE,
    Status.UNSOLVED:          Action.FIND_UNSOLVABLE,
})  # fmt: skip
"""What a mail can do where a word for it was agreed on."""


assert set(COMMANDS) == set(_ACTIONS.values()), "every word does something"


def _text(told: Said, left: Sequence[str]) -> str:
    names = ", ".join(left)
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
