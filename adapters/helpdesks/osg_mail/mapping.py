"""The mapping itself: a mail with a ``<Ticket>`` document to commands, and our events to such mails."""

import re
from typing import Final

from adapters.helpdesks.osg_mail import document, outgoing
from adapters.helpdesks.osg_mail.incoming import commands_for_known, commands_for_unknown
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Reading, Unreadable
from adapters.kit.text import line
from domain.identifiers import NUMBER_MAX
from domain.ticket import Ticket

BYTES_MAX: Final = 1_000_000

_ISSUE: Final = re.compile(r"\bISSUE=(\d{1,12})\b", re.IGNORECASE)
_PROJECT: Final = re.compile(r"\bPROJ(?:ECT)?=(\d{1,9})\b", re.IGNORECASE)
_OUR_NUMBER: Final = re.compile(r"-Ticket-ID:\s{0,3}#(\d{1,9})\b", re.IGNORECASE)
_NUMBER: Final = re.compile(r"(?:[A-Za-z]{2,16}[-_ ])?#?0{0,9}(\d{1,9})")


class OsgMail:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "osg_mail"
    mapping = "osg_mail@1"
    media_type = mail.MEDIA_TYPE

    def read(self, raw: bytes) -> Reading | Ignored:
        if len(raw) > BYTES_MAX:
            raise Unreadable(f"the mail has {len(raw)} bytes, at most {BYTES_MAX} are read")
        message = mail.parse(raw)
        if why := mail.automatic(message):
            return Ignored(why)
        fields = _ticket_document(mail.texts(message))
        subject = mail.header(message, "Subject")
        fields.setdefault("GHD_Short_Description", _spoken(subject))
        number = _number(fields.get("GHD_Request-ID", "")) or _number_in(subject)
        external_id, reference = _external(subject, fields.get("GHD_Origin_ID", ""), number)
        return Reading(
            external_id=external_id,
            external_reference=reference,
            number=number,
            state=fields.get("GHD_Status", "")[:100],
            submitter=_submitter(fields),
            body=fields,
        )

    def inbound(self, reading: Reading, ticket: Ticket | None, before: Before) -> Asked | Ignored:
        if ticket is None:
            return commands_for_unknown(reading.body)
        return commands_for_known(reading.body, ticket, before)

    def outbound(self, news: News) -> bytes | Ignored:
        fields = outgoing.whole(news) if news.whole else outgoing.change(news)
        return fields if isinstance(fields, Ignored) else outgoing.write(news, fields)


def _ticket_document(texts: list[str]) -> dict[str, str]:
    """The document in the first part that holds one; the complaint is about the first part otherwise."""
    if not texts:
        raise Unreadable("the mail has no body")
    with_tags = [text for text in texts if "GHD_" in text.upper() or "GHD-" in text.upper()]
    return document.parse((with_tags or texts)[0])


def _number(text: str) -> int:
    if not text:
        return 0
    found = _NUMBER.fullmatch(text)
    if not found:
        raise Unreadable(f"GHD_Request-ID {text[:60]!r} is not a ticket number")
    number = int(found[1])
    return number if number <= NUMBER_MAX else 0


def _number_in(subject: str) -> int:
    found = _OUR_NUMBER.search(subject)
    return int(found[1]) if found else 0


def _external(subject: str, origin: str, number: int) -> tuple[str, str]:
    """Their identifier and the reference that their system reads in a subject."""
    issue = _ISSUE.search(subject)
    if issue:
        project = _PROJECT.search(subject)
        reference = f"ISSUE={issue[1]}" + (f" PROJ={project[1]}" if project else "")
        return issue[1], reference
    origin = line(origin, 100)
    ours = _NUMBER.fullmatch(origin)
    if number and ours and int(ours[1]) == number:
        return "", ""  # our own number, sent back as the origin
    return origin, ""


def _submitter(fields: dict[str, str]) -> Contact | None:
    contact = Contact(
        name=line(fields.get("GHD_Name", ""), 200),
        mail=mail.address(fields.get("GHD_E-Mail", "")),
        phone=line(fields.get("GHD_Phone", ""), 100),
        login=line(fields.get("GHD_Loginname", ""), 500),
    )
    return contact if contact != Contact() else None


def _spoken(subject: str) -> str:
    """The subject of a mail without the marks that machines put into it."""
    for mark in (_ISSUE, _PROJECT):
        subject = mark.sub("", subject)
    return " ".join(re.sub(r"\S*-Ticket-ID:\s{0,3}#\d{1,9}", "", subject).split())
