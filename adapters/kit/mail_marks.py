"""What our mails carry so that their answers are recognised: the number in the subject, Message-IDs of our own.

A Message-ID of ours names the conversation and the position in the log of what it tells:
``<(32 hexadecimal digits).(position)@our domain>``. Conversations have random identifiers, so nobody who
has not seen a mail of ours can name one.
"""

import re
from email.headerregistry import BaseHeader, HeaderRegistry
from email.message import EmailMessage, Message
from email.policy import SMTP, Policy
from email.utils import format_datetime
from typing import Any, Final, Self
from uuid import UUID

from msgspec import Struct

from adapters.kit import mail, telling
from adapters.kit.clashing import MOVES
from adapters.kit.contract import News

_NUMBER: Final = re.compile(r"-Ticket-ID:\s{0,3}#(\d{1,9})\b", re.IGNORECASE)
_NAMED: Final = re.compile(r"([^\s:<>()\[\]]{1,40})-Ticket-ID:\s{0,3}#\d{1,9}\b", re.IGNORECASE)
_MARK: Final = re.compile(r"\S{0,40}-Ticket-ID:\s{0,3}#\d{1,9}", re.IGNORECASE)
_OURS: Final = re.compile(r"<([0-9a-f]{32})(?:\.(\d{1,18}))?@([^<>\s@]{1,255})>")
_REFERENCES_MAX: Final = 50
ENVIRONMENT: Final = "X-Ticket-Environment"
"""Stands in mails of installations that are not the real one."""
HOPS: Final = "X-Ticket-Hops"
"""The way that the news came, in our mails and in those of installations like ours."""
SEEN: Final = "X-Ticket-Seen"
"""The last mail of the other side that had been heard when the news happened."""
RESPONSIBLE: Final = "X-Ticket-Responsible"
"""Whether the unit that has the ticket works for the sender or for the receiver, as the sender sees it."""
CHANGED: Final = "X-Ticket-Changed"
"""``state`` where the news is that it changed, else ``nothing``: every document bears the state, and an entry that
crosses a change of the other side must not undo it."""
CONFIRMS: Final = "X-Ticket-Confirms"
"""``yes`` in a mail that tells no news but what holds: changes of both sides crossed."""

_EACH: Final = frozenset({"Date", "Message-ID", "Subject", "In-Reply-To", "References", "Reply-To"})
"""Headers that are hardly ever the same in two mails."""
_PLAIN: Final = frozenset(
    {"Date", "Message-ID", "Subject", "In-Reply-To", "References", HOPS, SEEN}
)
"""Of these we read nothing but their text."""
_LINE_CHARACTERS_MAX: Final = 78
"""RFC 5322, section 2.1.1."""
_USUAL_MAX: Final = 500


class _Header(BaseHeader):
    """A header that is folded once."""

    _folded = ""

    def fold(self, *, policy: Policy) -> str:
        if not self._folded:
            self._folded = super().fold(policy=policy)
        return self._folded


class _Plain(BaseHeader):
    """A header that fits into a line as it is, so it is not taken apart."""

    max_count = 1
    _name: str
    _defects = ()

    def __new__(cls, name: str, value: str) -> Self:
        made = str.__new__(cls, value)
        made._name = name  # noqa: SLF001 - its own
        return made

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _Headers(HeaderRegistry):
    """The library's, which makes a class for each header each time one is set: here it is made once.

    What stands in mail after mail is taken apart and folded once, and what fits into a line as it is never is:
    that is most of what a mail costs.
    """

    def __init__(self) -> None:
        super().__init__(base_class=_Header)
        self._made: dict[str, type[BaseHeader]] = {}
        self._usual: dict[tuple[str, str], BaseHeader] = {}

    def __getitem__(self, name: str) -> type[BaseHeader]:
        if name not in self._made:
            self._made[name] = super().__getitem__(name)
        return self._made[name]

    def __call__(self, name: str, value: Any) -> BaseHeader:
        if name in _PLAIN and _fits(name, value):
            return _Plain(name, value)
        if name in _EACH:
            return super().__call__(name, value)
        known = self._usual.get((name, value))
        if known is None:
            if len(self._usual) >= _USUAL_MAX:
                self._usual.clear()
            known = self._usual[name, value] = super().__call__(name, value)
        return known


def _fits(name: str, value: Any) -> bool:
    """Whether the library would write it like this, too: in one line, and nothing in it encoded."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LINE_CHARACTERS_MAX - len(name) - len(": ")
        and value.isascii()
        and value.isprintable()
        and "=?" not in value
        and value == value.strip()
    )


_POLICY: Final = SMTP.clone(header_factory=_Headers())


class OurId(Struct, frozen=True):
    """What a Message-ID of ours says."""

    exchange: UUID
    event_position: int
    """0 in the identifier that stands for the whole conversation."""
    domain: str


def mark(news: News) -> str:
    return f"{'_'.join(news.place.our_name.split())}-Ticket-ID: #{news.ticket.number}"


def number_in(subject: str) -> int:
    """Our number, as the writer of the subject believes; 0 for none."""
    found = _NUMBER.search(subject)
    return int(found[1]) if found else 0


def installation_in(subject: str) -> str:
    """Whose number ``number_in`` finds; empty for none."""
    found = _NAMED.search(subject)
    return found[1] if found else ""


def unmarked(subject: str) -> str:
    return " ".join(_MARK.sub("", subject).split())


def conversation_id(message_id: str) -> str:
    """The Message-ID, never sent, that all our mails of one conversation refer to."""
    local, _, domain = message_id.strip("<>").partition("@")
    return f"<{local.partition('.')[0]}@{domain}>"


def our_ids(text: str) -> list[OurId]:
    """The Message-IDs in our form, in the order in which they stand."""
    return [
        OurId(UUID(hex=found[1]), int(found[2] or 0), found[3].lower())
        for found in _OURS.finditer(text)
    ]


def references(message: Message) -> list[OurId]:
    """The mails in our form that this one answers, the nearest first."""
    nearest = our_ids(mail.header(message, "In-Reply-To"))
    # Long threads: the end of the header is what matters.
    further = our_ids(" ".join(str(message.get("References") or "").split()[-_REFERENCES_MAX:]))
    return [*nearest, *reversed(further)]


def envelope_of(news: News, subject: str) -> EmailMessage:
    """A mail of ours without its text: who, when, which, and that no automaton is to answer."""
    message = EmailMessage(policy=_POLICY)
    message["From"], message["To"] = news.place.our_address, news.place.their_address
    message["Date"] = format_datetime(news.at)
    message["Message-ID"] = news.message_id
    environment = news.place.environment
    message["Subject"] = f"[{environment.upper()}] {subject}" if environment else subject
    if environment:
        message[ENVIRONMENT] = environment
    if news.hops:
        message[HOPS] = " ".join(news.hops)
    if news.seen:
        message[SEEN] = news.seen
        message[RESPONSIBLE] = telling.responsible(news)
        moved = news.confirms or isinstance(news.event, MOVES)
        message[CHANGED] = "state" if moved else "nothing"
    if news.confirms:
        message[CONFIRMS] = "yes"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    return message
