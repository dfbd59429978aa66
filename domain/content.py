"""Texts and personal data: they stand beside the events, never in them.

An event holds a ``Sealed`` reference: an identifier and a salted SHA-256 commitment. The bytes live in
the store's ``content`` table. Deleting that row erases the text; the log still verifies, and whatever
was not erased can be shown to be the original.
"""

import hashlib
import os
from typing import Final
from uuid import UUID

from msgspec import Struct

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
_SALT_BYTES: Final = 16


class Sealed(Struct, frozen=True, gc=False):
    """What an event says about a content: where it is, how large, and the commitment to it."""

    id: UUID
    commitment: str
    """Hexadecimal SHA-256, see ``commitment``."""
    size: int
    """Bytes of the body."""


class SealedFile(Struct, frozen=True, gc=False):
    """A reference to a file: as to any content, and by what copies of the file are recognised."""

    id: UUID
    commitment: str
    size: int
    """Bytes."""
    media_type: str
    """As whoever attached it says."""
    sha256: str
    """Hexadecimal, of the bytes alone."""


class Content(Struct, frozen=True, gc=False):
    """The content itself, as the store keeps it."""

    id: UUID
    salt: bytes
    media_type: str
    body: bytes

    def commitment(self) -> str:
        """The commitment that an event about this content must carry."""
        return commitment(self.salt, self.media_type, self.body)

    def text(self) -> str:
        """The body as text; bytes that are not UTF-8 are shown as replacement characters."""
        return self.body.decode("utf-8", "replace")


def commitment(salt: bytes, media_type: str, body: bytes) -> str:
    """Hexadecimal SHA-256 over ``<bytes of salt> <bytes of media type> `` in decimal, salt, media type, body.

    The lengths come first, so that no other division of the same bytes has the same commitment.
    """
    kind = media_type.encode()
    return hashlib.sha256(b"%d %d %b%b%b" % (len(salt), len(kind), salt, kind, body)).hexdigest()


def sha256_of(body: bytes) -> str:
    """By what copies of a file are recognised: hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def seal(body: bytes, media_type: str = TEXT) -> tuple[Sealed, Content]:
    """A fresh reference and the content it commits to.

    Salt and identifier are random: equal texts cannot be recognised by their commitments.
    """
    noise = os.urandom(_SALT_BYTES + 16)
    content = Content(
        UUID(bytes=noise[_SALT_BYTES:], version=4), noise[:_SALT_BYTES], media_type, body
    )
    return Sealed(content.id, content.commitment(), len(body)), content
