"""The mail around a document, in the one canonical form."""

from email.message import EmailMessage
from typing import Final

from adapters.helpdesks.osg_mail import document
from adapters.kit import telling
from adapters.kit.contract import News
from adapters.kit.ghd.outgoing import identifying
from adapters.kit.mail_files import FILE_BYTES_MAX, add_file
from adapters.kit.mail_marks import envelope_of, mark
from adapters.kit.text import line
from domain.ticket import Ticket
from domain.vocabulary import SUBJECT_CHARACTERS_MAX

_LINE_CHARACTERS_MAX: Final = 900


def write(news: News, fields: dict[str, str]) -> bytes:
    return _mail(news, fields).as_bytes()


def write_file(news: News, event: Ticket.Attached) -> bytes:
    """What identifies the ticket, and the file beside it. One that cannot come along is told in words."""
    fields = identifying(news)
    name = telling.text(news, event.name)
    why = ""
    if event.file.id not in news.files:
        why = "It was withdrawn."
    elif event.file.size > FILE_BYTES_MAX:
        why = f"With {event.file.size} bytes it is too large for a mail. {telling.stays(news)}"
    if why:
        fields["GHD_Public_Diary"] = f"A file was attached: {name}. {why}"
        return write(news, fields)
    message = _mail(news, fields)
    add_file(message, news, event, name)
    return message.as_bytes()


def _mail(news: News, fields: dict[str, str]) -> EmailMessage:
    title = line(telling.text(news, news.ticket.subject), SUBJECT_CHARACTERS_MAX)
    words = (mark(news), news.external_reference, title)
    message = envelope_of(news, " ".join(part for part in words if part))
    text = document.render(fields)
    # Old scripts read the body as it stands, so it is encoded only where it must be.
    plain = text.isascii() and max(map(len, text.splitlines())) <= _LINE_CHARACTERS_MAX
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    return message
