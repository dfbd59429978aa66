"""What may be written: the limits of texts and names, held before anything is decided.

Names stand in events and in columns of tables, so they are one printable line. Texts stand beside the
events; they may hold anything but what no database and no mail can carry.
"""

import re
from collections.abc import Iterable
from typing import Final

from domain.errors import Invalid, TooLong, UnknownValue
from domain.vocabulary import NAME_CHARACTERS_MAX, TEXT_CHARACTERS_MAX


def must_fit(field: str, text: str, limit: int = TEXT_CHARACTERS_MAX) -> None:
    """Refuse more than ``limit`` characters, zero characters and half characters (lone surrogates)."""
    if len(text) > limit:
        raise TooLong(field, len(text), limit)
    if "\0" in text:
        raise Invalid(f"{field} holds a zero character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{field} holds half a character") from None


def must_say(field: str, text: str, limit: int = TEXT_CHARACTERS_MAX) -> None:
    """Refuse an empty text, and what ``must_fit`` refuses."""
    if not text.strip():
        raise Invalid(f"{field} must not be empty")
    must_fit(field, text, limit)


def must_be_line(field: str, text: str, limit: int = NAME_CHARACTERS_MAX) -> None:
    """Refuse what is not one printable line; it may be empty."""
    if len(text) > limit:
        raise TooLong(field, len(text), limit)
    if not text.isprintable() or text != text.strip():
        raise Invalid(f"{field} {text!r} is not one line of text without spaces around it")


def must_be_file_name(name: str) -> None:
    """Refuse what is not one printable line, and what leads to another folder."""
    must_be_name("name", name)
    if name in {".", ".."} or any(each in name for each in _IN_PATHS):
        raise Invalid(f"name {name!r} is not the name of a file alone")


def must_be_media_type(media_type: str) -> None:
    """Refuse what is not two names with a slash between them."""
    if not _MEDIA_TYPE.fullmatch(media_type):
        raise Invalid(f"{media_type[:100]!r} is not a media type, such as image/png")


_IN_PATHS: Final = ("/", "\\")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+_-]{0,60}/[a-z0-9][a-z0-9.+_-]{0,60}")


def must_be_name(field: str, text: str) -> None:
    """Refuse an empty name, and what ``must_be_line`` refuses."""
    if not text:
        raise Invalid(f"{field} must not be empty")
    must_be_line(field, text)


def must_be_one_of(field: str, value: str, possible: Iterable[str]) -> None:
    """Refuse what is not in a list, and say what is."""
    if value not in possible:
        raise UnknownValue(field, value, possible)
