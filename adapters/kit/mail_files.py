"""Files in mails: the parts that are files, and one of ours put into a mail of its own."""

from collections.abc import Sequence
from email.message import EmailMessage, Message
from typing import Final

from adapters.kit import mail
from adapters.kit.contract import News
from adapters.kit.files import ReceivedFile, file_name
from adapters.kit.text import line
from domain.content import sha256_of
from domain.ticket import Ticket

FILE_BYTES_MAX: Final = 4_000_000
"""Mail systems refuse much more than 5 MB, and mail makes of 3 bytes 4."""
_FILES_MAX: Final = 50
_NAME_CHARACTERS_MAX: Final = 120
_SIGNATURES: Final = ("application/pgp-signature", "application/pkcs7-signature")


def name_of(part: Message) -> str:
    """What the sender calls it; empty for a part that has no name."""
    try:
        name = part.get_filename() or ""
    except (LookupError, ValueError, TypeError):
        return "a file whose name cannot be read"
    return line(mail.decoded(name.encode("utf-8", "replace").decode()), _NAME_CHARACTERS_MAX)


def is_file(part: Message) -> bool:
    """Whether a part is a file by what it says of itself. Texts with a name are what the format makes of them."""
    kind = part.get_content_type()
    if part.is_multipart() or kind in _SIGNATURES:
        return False
    return part.get_content_disposition() == "attachment" or not kind.startswith("text/")


def file_of(part: Message) -> ReceivedFile:
    kind = part.get_content_type()
    return ReceivedFile(name_of(part) or kind, kind, mail.bytes_of(part))


def files_of(parts: Sequence[Message]) -> tuple[ReceivedFile, ...]:
    """All that are files."""
    return tuple([file_of(part) for part in parts if is_file(part)][:_FILES_MAX])


def add_file(message: EmailMessage, news: News, event: Ticket.Attached, name: str) -> None:
    """The file that the news is about, where it is small enough: one a mail, so that it fails alone."""
    body = news.files.get(event.file.id)
    if body is None or len(body) > FILE_BYTES_MAX:
        return
    kind, _, subtype = event.file.media_type.partition("/")
    if kind in {"message", "multipart"}:  # it arrives as it is, whatever is in it
        kind, subtype = "application", "octet-stream"
    message.add_attachment(body, maintype=kind, subtype=subtype, filename=file_name(name))
    # Not a random one: the same news are the same bytes. Neither part can hold it in its encoding.
    message.set_boundary(f"=_{sha256_of(news.message_id.encode())[:32]}")
