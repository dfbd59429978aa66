"""Mail as a carrier of machine messages: its identity, its text, and whether a machine answered by itself.

Nothing here trusts a header: whatever is missing, doubled or senseless gives an empty answer.
"""

import hashlib
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

from adapters.kit.contract import Unreadable
from adapters.kit.text import decode, line

MEDIA_TYPE: Final = "message/rfc822"
HEADER_CHARACTERS_MAX: Final = 2_000
PARTS_MAX: Final = 100
HOPS_MAX: Final = 30
TOO_LARGE: Final = b"X-Ticket-Ledger-Too-Large: "
"""Begins what is kept of a mail that is too large to be taken."""

_HEAD_BYTES_MAX: Final = 100_000
_PARAMETERS_BYTES_MAX: Final = 4_000
_SEPARATORS_MAX: Final = 5_000
_NESTED_MAX: Final = 50

_CONTENT_HEADER: Final = re.compile(
    rb"^content-(?:type|disposition)[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE
)
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"\\]{1,64}@[A-Za-z0-9.-]{1,255}")
_LINE_ENDS: Final = re.compile(rb"\r\n|\r|\n")


class _Indexed(Message):
    """A mail that is not changed: its headers are found by name at once, for they are asked for again and again."""

    _first: dict[str, Any] | None = None
    _type = ""

    def set_raw(self, name: str, value: str) -> None:
        self._first, self._type = None, ""
        super().set_raw(name, value)

    def get(self, name: str, failobj: Any = None) -> Any:
        first = self._first
        if first is None:
            first = self._first = {}
            for each, value in self.raw_items():
                if each.lower() not in first:
                    first[each.lower()] = self.policy.header_fetch_parse(each, value)
        return first.get(name.lower(), failobj)

    def get_content_type(self) -> str:
        if not self._type:
            self._type = super().get_content_type()
        return self._type


@lru_cache(maxsize=2)
def parse(raw: bytes) -> Message:
    """The mail, to be read and not to be changed. Raises ``Unreadable`` for what nobody sends in good faith.

    Who takes a mail in and who understands it ask one after the other, so the last ones are kept.

    The limits keep the library's parser from spending seconds: its time grows with the square of these.
    """
    if raw.startswith(TOO_LARGE):
        told, _, _ = raw[len(TOO_LARGE) : 500].partition(b"\n")
        raise Unreadable(f"the mail is too large: {decode(told.strip())}")
    head = re.search(rb"\r?\n\r?\n", raw)
    if (head.start() if head else len(raw)) > _HEAD_BYTES_MAX:
        raise Unreadable(f"the mail's header has more than {_HEAD_BYTES_MAX} bytes")
    content = _CONTENT_HEADER.findall(raw)
    if any(len(found) > _PARAMETERS_BYTES_MAX for found in content):
        raise Unreadable(f"a content header has more than {_PARAMETERS_BYTES_MAX} bytes")
    if sum(b"multipart" in found.lower() for found in content) > _NESTED_MAX:
        raise Unreadable(f"the mail has more than {_NESTED_MAX} groups of parts")
    if raw.count(b"\n--") > _SEPARATORS_MAX:
        raise Unreadable("the mail has too many separators")
    try:
        return message_from_bytes(raw, _Indexed)
    except (RecursionError, ValueError, LookupError) as error:
        raise Unreadable(f"the mail cannot be taken apart: {type(error).__name__}") from error


def stub(head: bytes, why: str) -> bytes:
    """What is kept of a mail that is too large: its header, and why there is no more."""
    whole = head[: head.rfind(b"\n") + 1].rstrip()
    return TOO_LARGE + why.encode() + b"\r\n" + whole + b"\r\n\r\n"


def header(mail: Message, name: str) -> str:
    """A header as one line of text; empty when it is missing."""
    value = mail.get(name)
    return "" if value is None else decoded(str(value))


def decoded(value: str) -> str:
    """The text of a header, or of a part of one, in which letters may be encoded."""
    if "=?" not in value and value.isascii():
        return line(value[:HEADER_CHARACTERS_MAX], HEADER_CHARACTERS_MAX)
    try:
        parts = decode_header(value[:HEADER_CHARACTERS_MAX])
    except (HeaderParseError, ValueError, LookupError):
        return line(value, HEADER_CHARACTERS_MAX)
    text = "".join(
        decode(part, charset or "") if isinstance(part, bytes) else part for part, charset in parts
    )
    return line(text.encode("utf-8", "replace").decode(), HEADER_CHARACTERS_MAX)


def address(text: str) -> str:
    """The first bare address in a header or an envelope, in lower case."""
    bracketed = text.rpartition("<")[2] if "<" in text else text
    found = _ADDRESS.search(bracketed[:HEADER_CHARACTERS_MAX])
    return found[0].lower() if found else ""


def sent_at(mail: Message) -> datetime | None:
    """When it was sent, as it says; None where that cannot be read or has no zone."""
    try:
        at = parsedate_to_datetime(header(mail, "Date"))
        return at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def identity(raw: bytes) -> str:
    """What a second delivery of the same mail has in common with the first.

    Its Message-ID and a digest of its body: some systems give one Message-ID to several mails, and
    relays add headers on the way and change line ends.
    """
    text = _LINE_ENDS.sub(b"\n", raw)
    head, _, body = text.partition(b"\n\n")
    message_id = line(_raw_header(head, b"message-id"), 200)
    if not message_id:
        body = b"\n".join(
            _raw_header(head, name).encode("utf-8", "replace")
            for name in (b"date", b"subject", b"from")
        ) + body  # fmt: skip
    return f"{message_id} {hashlib.sha256(body.rstrip()).hexdigest()[:32]}".strip()


def _raw_header(head: bytes, name: bytes) -> str:
    found = re.search(rb"(?im)^" + name + rb":((?:.*)(?:\n[ \t].*)*)", head)
    return found[1].decode("latin-1").strip() if found else ""


def texts(mail: Message) -> list[str]:
    """The text parts, attachments left aside. Raises ``Unreadable`` when a mail has too many parts."""
    return [text for part in parts(mail) if (text := text_in(part))]


def text_in(part: Message) -> str:
    """The text of a part that is one; else, and where there is nothing to see in it, empty."""
    kind = part.get_content_type()
    if part.is_multipart() or not (kind.startswith("text/") or kind.endswith("xml")):
        return ""
    return text_of(part)


def parts(mail: Message) -> list[Message]:
    """The mail and all that is in it. Raises ``Unreadable`` when that is too much."""
    found = []
    for count, part in enumerate(mail.walk()):
        if count >= PARTS_MAX:
            raise Unreadable(f"the mail has more than {PARTS_MAX} parts")
        found.append(part)
    return found


def text_of(part: Message) -> str:
    """The text of one part; empty when there is nothing to see in it. Raises ``Unreadable``."""
    try:
        body = part.get_payload(decode=True)
        charset = part.get_content_charset() or ""
    except (ValueError, LookupError, TypeError, UnicodeError) as error:
        raise Unreadable(f"a part of the mail cannot be decoded: {type(error).__name__}") from error
    return decode(body, charset) if isinstance(body, bytes) and body.strip() else ""


def bytes_of(part: Message) -> bytes:
    """What one part holds, as it was before it was put into a mail; empty where that cannot be told."""
    try:
        body = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, UnicodeError):
        return b""
    return body if isinstance(body, bytes) else b""


def automatic(mail: Message) -> str:
    """Why nobody meant this mail for us: an automatic answer, a bounce or a loop. Empty otherwise.

    ``Auto-Submitted: auto-generated`` is what machine mail rightly says of itself, ours too.
    """
    submitted = header(mail, "Auto-Submitted").lower()
    if submitted.startswith("auto-replied"):
        return "automatic-answer"
    if mail.get_content_type() == "multipart/report" or address(header(mail, "From")).startswith(
        ("mailer-daemon@", "postmaster@")
    ):
        return "bounce"
    if header(mail, "Return-Path") == "<>":
        return "bounce"
    if header(mail, "Precedence").lower() == "auto_reply" or any(
        mail.get(name) is not None for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
    ):
        return "automatic-answer"
    if len(mail.get_all("Received") or ()) > HOPS_MAX:
        return "loop"
    return ""
