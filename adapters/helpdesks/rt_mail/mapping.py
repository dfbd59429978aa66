"""Request Tracker behind its mail gateway: mail between people, with what RT adds to it and wants in it.

RT knows the ticket of a mail by the tag in its subject alone (``[name #17]``), never by In-Reply-To. So
nothing but the first mail may leave without it, and the first one must get RT's automatic answer, which
tells the tag. Everything else is said as to people, by the adapter that this one is put around.
"""

import re
from email.message import Message
from typing import Final, Literal, Protocol

from msgspec import structs

from adapters.kit import mail
from adapters.kit.contract import Adapter, Asked, Before, Ignored, News, Place, Reading, Returned
from adapters.kit.mail_automatic import unmeant
from adapters.kit.text import line
from domain import commands as c
from domain.lifecycle import POSSIBLE, Action, Status
from domain.ticket import Ticket
from domain.words import Table

TICKET: Final = "X-RT-Ticket"
RESOLVED: Final = "resolved"
"""As RT's own template begins the subject of the mail that it sends then."""

_TICKET: Final = re.compile(r"(\S{1,80}) #(\d{1,15})")
_MARKED: Final = re.compile(
    rb"^(?:precedence|auto-submitted)[ \t]*:.*\n(?:[ \t].*\n)*", re.IGNORECASE | re.MULTILINE
)
_AUTOMATIC: Final = re.compile(rb"^auto-submitted:.*\r\n", re.IGNORECASE | re.MULTILINE)
_SUBJECT: Final = re.compile(rb"^subject: ", re.IGNORECASE | re.MULTILINE)
_HEAD: Final = re.compile(rb"\r?\n\r?\n")


class PeopleByMail(Adapter, Protocol):
    by_people: Literal[True]


class RtMail:
    """See README.md beside this file for what is understood and what gets lost."""

    name = "rt_mail"
    mapping = "rt_mail@1"
    media_type = mail.MEDIA_TYPE
    by_people: Literal[True] = True

    def __init__(self, people: PeopleByMail) -> None:
        """``people``: how mail between people is written and read."""
        self._people = people
        states = people.words.states
        self.words = structs.replace(
            people.words,
            states=Table(theirs={**states.theirs, RESOLVED: Status.SOLVED.value}, ours=states.ours),
        )

    def unmeant(self, message: Message) -> str:
        """RT marks all its mails as bulk; only its automatic answers are meant for nobody."""
        if not _tag(message):
            return unmeant(message)
        return mail.automatic(message)

    def read(self, raw: bytes) -> Reading | Ignored | Returned:
        message = mail.parse(raw)
        tag = _tag(message)
        why = mail.automatic(message)
        if not tag or why not in ("", "automatic-answer"):
            return self._people.read(raw)
        reading = self._people.read(_unmarked(raw))
        if not isinstance(reading, Reading) or reading.body is None:
            return reading
        known = structs.replace(reading, external_id=tag, external_reference=f"[{tag}]")
        if why:
            return structs.replace(known, state="", body=None)
        title = mail.header(message, "Subject").partition("]")[2].strip().lower()
        resolved = title.startswith(f"{RESOLVED}:")
        return structs.replace(known, state=RESOLVED) if resolved else known

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        if reading.body is None and reading.external_id:
            return Ignored("automatic-answer")
        asked = self._people.inbound(reading, ticket, before, place)
        if reading.state != RESOLVED or ticket is None or not isinstance(asked, Asked):
            return asked
        command, *files = asked.commands
        agreed = place.words.states.theirs.get(RESOLVED) == Status.SOLVED.value
        if not agreed or not isinstance(command, c.Comment):
            return asked
        if Action.SOLVE not in POSSIBLE[ticket.status]:
            return Asked(files, asked.withheld) if files else Ignored("nothing-new")
        solve = c.Solve(number=ticket.number, solution=command.text)
        return Asked([solve, *files], asked.withheld)

    def outbound(self, news: News) -> bytes | Ignored:
        raw = self._people.outbound(news)
        if not news.whole or isinstance(raw, Ignored):
            return raw
        end = _end_of_head(raw)  # RT answers only what does not say that a machine made it
        return _AUTOMATIC.sub(b"", raw[:end]) + raw[end:]

    def stamped(self, raw: bytes, external_id: str) -> bytes | None:
        """The mail with RT's tag; None while RT has not told it, for all mails but the first."""
        head = raw[: _end_of_head(raw)]
        if not external_id:
            first = re.search(rb"^in-reply-to:", head, re.IGNORECASE | re.MULTILINE) is None
            return raw if first else None
        tag = b"Subject: [" + external_id.encode() + b"] "
        return _SUBJECT.sub(lambda _: tag, head, count=1) + raw[len(head) :]


def _tag(message: Message) -> str:
    """``name #17``; empty where RT did not send it."""
    found = _TICKET.fullmatch(line(mail.header(message, TICKET), 100))
    return found[0] if found else ""


def _unmarked(raw: bytes) -> bytes:
    """Without what marks every mail of RT as one that nobody wrote."""
    end = _end_of_head(raw)
    return _MARKED.sub(b"", raw[:end]) + raw[end:]


def _end_of_head(raw: bytes) -> int:
    found = _HEAD.search(raw)
    return found.start() + 1 if found else len(raw)
