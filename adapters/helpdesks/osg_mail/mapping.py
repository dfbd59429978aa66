"""The mapping itself: a mail with a ``<Ticket>`` document to commands, and our events to such mails."""

import re
from email.message import Message
from typing import Final

from msgspec import Struct, structs

from adapters.helpdesks.osg_mail import document
from adapters.helpdesks.osg_mail.outgoing import write, write_file
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Ignored, News, Place, Reading, Unreadable
from adapters.kit.files import ReceivedFile, taken
from adapters.kit.ghd import incoming, outgoing
from adapters.kit.ghd.identity import is_number, number_of, submitter
from adapters.kit.ghd.words import WORDS
from adapters.kit.hops import hops_in, parted
from adapters.kit.mail_files import files_of
from adapters.kit.mail_marks import (
    CHANGED,
    CONFIRMS,
    HOPS,
    RESPONSIBLE,
    SEEN,
    installation_in,
    number_in,
    unmarked,
)
from adapters.kit.telling import heard_responsible
from adapters.kit.text import line
from domain.ticket import Ticket

BYTES_MAX: Final = 8_000_000

_ISSUE: Final = re.compile(r"\bISSUE=(\d{1,12})\b", re.IGNORECASE)
_PROJECT: Final = re.compile(r"\bPROJ(?:ECT)?=(\d{1,9})\b", re.IGNORECASE)


class OsgMail:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "osg_mail"
    mapping = "osg_mail@1"
    words = WORDS
    media_type = mail.MEDIA_TYPE

    def read(self, raw: bytes) -> Reading | Ignored:
        if len(raw) > BYTES_MAX:
            raise Unreadable(f"the mail has {len(raw)} bytes, at most {BYTES_MAX} are read")
        message = mail.parse(raw)
        if why := mail.automatic(message):
            return Ignored(why)
        told = _told(message)
        fields = told.fields
        subject = mail.header(message, "Subject")
        fields.setdefault("GHD_Short_Description", _spoken(subject))
        number = number_of(fields) or number_in(subject)
        installation = installation_in(subject) if number == number_in(subject) else ""
        external_id, reference = _external(subject, fields.get("GHD_Origin_ID", ""), number)
        hops = hops_in(mail.header(message, HOPS))
        if hops:  # an installation like ours writes: the number is its own, the origin may be ours
            external_id, reference = hops[-1], ""
            installation, number = parted(fields.get("GHD_Origin_ID", ""))
        if hops:
            told = structs.replace(
                told,
                changed=mail.header(message, CHANGED),
                confirms=mail.header(message, CONFIRMS) == "yes",
            )
        return Reading(
            external_id=external_id,
            external_reference=reference,
            number=number,
            opens="GHD_Description" in fields,
            installation=installation,
            hops=hops,
            seen=line(mail.header(message, SEEN), 300) if hops else "",
            moves=told.changed == "state" or (bool(hops) and "GHD_Priority" in fields),
            responsible=heard_responsible(mail.header(message, RESPONSIBLE)) if hops else None,
            state=fields.get("GHD_Status", "")[:100],
            submitter=submitter(fields),
            body=told,
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        told: _Told = reading.body
        if ticket is None:
            asked = incoming.commands_for_unknown(told.fields, place.words)
            return asked if isinstance(asked, Ignored) else _with_files(asked, told, None)
        if told.confirms and (held := incoming.held(told.fields, place.words)):
            return Asked([], held=held)
        known = Before(_document(before.heard), _document(before.told), before.state)
        fields = dict(told.fields)
        if told.changed == "nothing":
            fields.pop("GHD_Status", None)
        asked = incoming.commands_for_known(
            fields,
            ticket,
            known,
            place.words,
            knows_all=bool(reading.hops),
            moved=told.changed == "state",
        )
        return _with_files(asked, told, ticket)

    def outbound(self, news: News) -> bytes | Ignored:
        if isinstance(news.event, Ticket.Attached) and not news.whole:
            return write_file(news, news.event)
        fields = outgoing.whole(news) if news.whole or news.anew else outgoing.change(news)
        return fields if isinstance(fields, Ignored) else write(news, fields)


class _Told(Struct, frozen=True):
    """What a mail holds."""

    fields: dict[str, str]
    files: tuple[ReceivedFile, ...]
    changed: str = ""
    """``state`` or ``nothing`` of the state that is told; empty where the mail does not say."""
    confirms: bool = False
    """It tells what holds, and no news."""


def _document(reading: Reading | None) -> Reading | None:
    """Without the files, as the document is compared."""
    return None if reading is None else structs.replace(reading, body=reading.body.fields)


def _with_files(asked: Asked | Ignored, told: _Told, ticket: Ticket | None) -> Asked | Ignored:
    files = taken(told.files, ticket)
    if isinstance(asked, Asked):
        return Asked([*asked.commands, *files.commands], [*asked.withheld, *files.withheld])
    return Asked(files.commands, files.withheld) if files.commands else asked


def _told(message: Message) -> _Told:
    """The document in the first part that holds one, and the files; the complaint is about the first part."""
    parts = mail.parts(message)
    texts = [(part, text) for part in parts if (text := mail.text_in(part))]
    if not texts:
        raise Unreadable("the mail has no body")
    with_tags = [each for each in texts if "GHD_" in each[1].upper() or "GHD-" in each[1].upper()]
    document_part, text = (with_tags or texts)[0]
    files = files_of([part for part in parts if part is not document_part])
    return _Told(document.parse(text), files)


def _external(subject: str, origin: str, number: int) -> tuple[str, str]:
    """Their identifier and the reference that their system reads in a subject."""
    issue = _ISSUE.search(subject)
    if issue:
        project = _PROJECT.search(subject)
        reference = f"ISSUE={issue[1]}" + (f" PROJ={project[1]}" if project else "")
        return issue[1], reference
    origin = line(origin, 100)
    if number and is_number(origin, number):
        return "", ""  # our own number, sent back as the origin
    return origin, ""


def _spoken(subject: str) -> str:
    """The subject of a mail without the marks that machines put into it."""
    for mark in (_ISSUE, _PROJECT):
        subject = mark.sub("", subject)
    return unmarked(subject)
