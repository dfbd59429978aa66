"""Files that come with a message: which of them a ticket takes, and as what."""

from collections.abc import Sequence
from mimetypes import MimeTypes

from msgspec import Struct

from adapters.kit.text import line
from domain import commands as c
from domain.content import sha256_of
from domain.errors import Invalid
from domain.texts import must_be_media_type
from domain.ticket import Ticket
from domain.vocabulary import FILE_BYTES_MAX, FILES_MAX, NAME_CHARACTERS_MAX, Visibility

AT_ONCE_MAX = 20
"""Of one message."""
BYTES_AT_ONCE_MAX = 12_000_000
"""Of the files of one message together: they are stored in one piece."""
UNKNOWN = "application/octet-stream"
_TYPES = MimeTypes()


class ReceivedFile(Struct, frozen=True):
    name: str
    """As the sender says."""
    media_type: str
    body: bytes


class Taken(Struct, frozen=True):
    """What becomes of the files of one message."""

    commands: Sequence[c.Attach]
    withheld: Sequence[str]
    """Why others are left where they are, for the record."""
    left: Sequence[str]
    """The names of these."""


def taken(
    files: Sequence[ReceivedFile],
    ticket: Ticket | None,
    visibility: Visibility = Visibility.PUBLIC,
) -> Taken:
    """What of the files is news to the ticket (None: it is yet to be opened).

    A copy of one that it has is no news, whoever sent it first.
    """
    there = len(ticket.files) if ticket else 0
    commands: dict[str, c.Attach] = {}
    withheld: dict[str, None] = {}
    left: list[str] = []
    size = 0
    for each in files:
        sha256 = sha256_of(each.body)
        if not each.body or sha256 in commands or (ticket and ticket.has_file(sha256, visibility)):
            continue
        if len(each.body) > FILE_BYTES_MAX or size + len(each.body) > BYTES_AT_ONCE_MAX:
            withheld["file:too-large"] = None
        elif len(commands) >= AT_ONCE_MAX or there + len(commands) >= FILES_MAX:
            withheld["file:too-many"] = None
        else:
            size += len(each.body)
            commands[sha256] = c.Attach(
                number=ticket.number if ticket else 0,
                name=file_name(each.name),
                media_type=media_type(each.media_type),
                body=each.body,
                visibility=visibility,
            )
            continue
        left.append(file_name(each.name))
    return Taken(list(commands.values()), list(withheld), left)


def file_name(said: str) -> str:
    """A name for a file, without any folder; what is no name becomes ``file``."""
    name = line(said.replace("\\", "/").rpartition("/")[2], NAME_CHARACTERS_MAX).strip()
    return name if name.strip(".") and name.isprintable() else "file"


def guessed_media_type(name: str) -> str:
    """By the end of a name, the same on every machine."""
    guessed, packed = _TYPES.guess_type(name)
    return UNKNOWN if packed or not guessed else guessed


def media_type(said: str) -> str:
    """What the sender says, where that is one."""
    known = said.partition(";")[0].strip().lower()
    try:
        must_be_media_type(known)
    except Invalid:
        return UNKNOWN
    return known
