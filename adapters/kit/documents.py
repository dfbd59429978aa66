"""The two kinds of documents of an adapter with an interface: what we tell the partner to do, and what happened there.

They are what is kept of the exchange, as JSON. A courier does the ones; a poller puts the others together from
the partner's answers. This file reads and writes them; what stands in them is the adapter's.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from adapters.kit.contract import Asked, Ignored, News, Place, Reading, Unreadable
from adapters.kit.retry import Undelivered
from domain.identifiers import NUMBER_MAX
from domain.ticket import Ticket
from domain.words import Words

Ours = TypeVar("Ours", bound=Struct)
Theirs = TypeVar("Theirs", bound=Struct)

ECHO: Final = Ignored("echo")
OUR_ID: Final = re.compile(r"([A-Z][A-Z0-9]{1,15})-(\d{1,9})")
"""A ticket of an installation like ours, as fields of partners hold it: ``GGUS-42``."""


class Documents(Generic[Ours, Theirs]):
    """Reads and writes the documents of one adapter, and answers for its mapping."""

    def __init__(
        self,
        ours: type[Ours],
        theirs: type[Theirs],
        *,
        bytes_max: int = 2_000_000,
        no_document: str = "no document of this adapter",
    ) -> None:
        """``ours``, ``theirs``: tagged structs. ``bytes_max``: of a document that is read.

        ``no_document``: what an operator reads that anything else is.
        """
        self._ours, self._theirs = ours, theirs
        self._bytes_max, self._no_document = bytes_max, no_document
        either: Any = ours | theirs
        self._decoder: msgspec.json.Decoder[Ours | Theirs] = msgspec.json.Decoder(either)

    def read(self, raw: bytes) -> Ours | Theirs:
        """Raises ``Unreadable``."""
        if len(raw) > self._bytes_max:
            raise Unreadable(
                f"the document has {len(raw)} bytes, at most {self._bytes_max} are read"
            )
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(f"this is {self._no_document}: {error}"[:500]) from error

    def write(self, document: Ours | Theirs) -> bytes:
        """JSON that people can read."""
        return msgspec.json.format(msgspec.json.encode(document), indent=2)

    def to_do(self, raw: bytes) -> Ours:
        """What a courier is to do. Raises ``Undelivered``."""
        try:
            document = self.read(raw)
        except Unreadable as error:
            raise Undelivered("unreadable", str(error), final=True) from error
        if not isinstance(document, self._ours):
            raise Undelivered("unreadable", "this is a message of theirs", final=True)
        return document

    def asked(
        self,
        reading: Reading,
        ticket: Ticket | None,
        place: Place,
        for_unknown: Callable[[Theirs, Words], Asked | Ignored],
        for_known: Callable[[Theirs, Ticket, Words], Asked | Ignored],
    ) -> Asked | Ignored:
        """What a document asks of us; what we said ourselves is an echo. Raises ``Unreadable``."""
        document = reading.body
        if not isinstance(document, self._theirs):
            return ECHO
        if ticket is None:
            return for_unknown(document, place.words)
        return for_known(document, ticket, place.words)

    def told(
        self,
        news: News,
        whole: Callable[[News], Ours],
        change: Callable[[News], Ours | Ignored],
    ) -> bytes | Ignored:
        """The document that tells the partner the ``whole`` ticket, or the ``change`` of one that it knows."""
        document = whole(news) if news.whole else change(news)
        return document if isinstance(document, Ignored) else self.write(document)


def our_id(text: str) -> tuple[str, int]:
    """Installation and number of a ticket like ``GGUS-42``; empty and 0 for anything else."""
    found = OUR_ID.fullmatch(text.strip())
    if found is None or not 0 < int(found[2]) <= NUMBER_MAX:
        return "", 0
    return found[1], int(found[2])


def our_number(text: str) -> int:
    """The number in a text like ``GGUS-42``; 0 for anything else."""
    return our_id(text)[1]


def ours(text: str, our_name: str) -> str:
    """The text, where it names a ticket of this installation; empty for another's, and for anything else."""
    installation, number = our_id(text)
    return text if number and installation == our_name else ""
