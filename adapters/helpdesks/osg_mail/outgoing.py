"""The mail around a document, in the one canonical form."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from adapters.helpdesks.osg_mail import document
from adapters.kit.contract import News
from adapters.kit.ghd.outgoing import text_of
from adapters.kit.text import line
from domain.vocabulary import SUBJECT_CHARACTERS_MAX

_LINE_CHARACTERS_MAX: Final = 900


def write(news: News, fields: dict[str, str]) -> bytes:
    place = news.place
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = place.our_address, place.their_address
    message["Date"] = format_datetime(news.at)
    message["Message-ID"] = news.message_id
    title = line(text_of(news, news.ticket.subject), SUBJECT_CHARACTERS_MAX)
    marks = f"{place.our_name}-Ticket-ID: #{news.ticket.number}"
    message["Subject"] = " ".join(part for part in (marks, news.external_reference, title) if part)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    text = document.render(fields)
    # Old scripts read the body as it stands, so it is encoded only where it must be.
    plain = text.isascii() and max(map(len, text.splitlines())) <= _LINE_CHARACTERS_MAX
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    return message.as_bytes()
