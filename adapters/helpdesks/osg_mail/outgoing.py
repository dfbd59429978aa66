"""The mail around a document, in the one canonical form."""

from typing import Final

from adapters.helpdesks.osg_mail import document
from adapters.kit.contract import News
from adapters.kit.ghd.outgoing import text_of
from adapters.kit.mail_marks import envelope_of, mark
from adapters.kit.text import line
from domain.vocabulary import SUBJECT_CHARACTERS_MAX

_LINE_CHARACTERS_MAX: Final = 900


def write(news: News, fields: dict[str, str]) -> bytes:
    title = line(text_of(news, news.ticket.subject), SUBJECT_CHARACTERS_MAX)
    words = (mark(news), news.external_reference, title)
    message = envelope_of(news, " ".join(part for part in words if part))
    text = document.render(fields)
    # Old scripts read the body as it stands, so it is encoded only where it must be.
    plain = text.isascii() and max(map(len, text.splitlines())) <= _LINE_CHARACTERS_MAX
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    return message.as_bytes()
