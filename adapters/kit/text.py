"""Texts from everywhere: bytes that are not what they say, and texts longer than partners take."""

import codecs
import re
from typing import Final

_CUT: Final = "\n[...] cut here"


def _one_by_one(error: UnicodeError) -> tuple[str, int]:
    """Read what is not UTF-8 as Windows-1252 (which holds Latin-1's letters), byte by byte."""
    assert isinstance(error, UnicodeDecodeError)
    wrong = error.object[error.start : error.end]
    return "".join(
        bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in wrong
    ), error.end


codecs.register_error("one-by-one", _one_by_one)


def decode(body: bytes, charset: str = "") -> str:
    """The text of these bytes. A declared charset is believed only when the bytes agree with it.

    Text that claims to be UTF-8 and has Latin-1 letters in it, the commonest lie, comes out right.
    """
    declared = charset.strip().strip("\"'").lower()
    if declared and declared not in ("utf-8", "utf8", "us-ascii", "ascii"):
        try:
            return body.decode(declared).removeprefix("\ufeff")
        except (LookupError, UnicodeError, ValueError):
            pass  # unknown, or not true: judge the bytes by themselves
    return body.decode("utf-8", "one-by-one").removeprefix("\ufeff")


_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def storable(text: str) -> str:
    """The text with what no database and no XML can hold made visible, and with plain line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isprintable():
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def line(text: str, limit: int) -> str:
    """The text as one printable line of at most ``limit`` characters."""
    flat = " ".join(text.split())
    if not flat.isprintable():
        flat = "".join(char for char in flat if char.isprintable())
    return flat[:limit].strip()


def cut(text: str, limit: int, where: str = "") -> str:
    """At most ``limit`` characters, ending with a note of where the rest is, when something is missing."""
    if len(text) <= limit:
        return text
    note = f"{_CUT}; the whole text: {where}" if where else _CUT
    return text[: limit - len(note)].rstrip() + note
