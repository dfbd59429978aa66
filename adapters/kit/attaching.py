"""Files of an adapter with an interface: as its documents name and hold them, and how a courier hands one over.

A document to a partner names a file; its bytes are looked up when it leaves, so a file that waits is stored once.
A document from a partner holds the bytes: what was received is kept, whatever becomes of it.
"""

from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from adapters.kit import telling
from adapters.kit.asking import attached
from adapters.kit.contract import News, Unreadable
from adapters.kit.downloads import Downloads, NotFetched, Wanted
from adapters.kit.files import ReceivedFile, Taken, file_name, media_type, taken
from adapters.kit.interface import Incoming, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.telling import Told
from adapters.kit.text import line
from domain.content import sha256_of
from domain.ticket import Ticket
from domain.vocabulary import Visibility

FILES_BYTES_MAX: Final = 5_500_000
"""Of the files of one change together."""
DOCUMENT_BYTES_MAX: Final = 8_388_608
"""Of a document that holds files, in base64, and texts: the store keeps no more in one piece."""
PAGE_BYTES_MAX: Final = 12_000_000
"""Of the changes that a poller holds: no more are looked at after that."""
WITHDRAWN: Final = "It was withdrawn."
"""What is read in place of a file that was erased here."""
ATTEMPTS_MAX: Final = 5
"""So often a file is sent that breaks off: an upload begins anew each time."""
_TEXTS_BYTES: Final = 500_000
"""Of a document, beside all files that it may hold."""
_NAME_CHARACTERS_MAX: Final = 200
_REASON_CHARACTERS_MAX: Final = 300
_REFUSALS: Final = frozenset({
    "refused", "forbidden", "http-400", "http-413", "http-415", "http-422",
})  # fmt: skip
"""Of a file alone; all else is said of the ticket, or of us."""


class OurFile(Struct, frozen=True, kw_only=True):
    """A file that goes with a message."""

    id: UUID
    name: str
    type: str
    size: int
    sha256: str
    otherwise: str
    """What people there read where it does not come."""


class TheirFile(Struct, frozen=True, kw_only=True):
    """A file that came with a change."""

    name: str
    type: str
    content: str
    """Base64."""


# -- to a partner ------------------------------------------------------------------------------------


def told(news: News, event: Ticket.Attached) -> tuple[Told, OurFile | None]:
    """What is said of a file of ours, and the file, where it can go with it."""
    name = telling.text(news, event.name)
    said = f"A file was attached at {news.place.our_name}: {name}"
    if event.file.id not in news.files:
        return Told(text=f"{said}\n\n{WITHDRAWN}", public=True), None
    file = OurFile(
        id=event.file.id, name=file_name(name), type=event.file.media_type, size=event.file.size,
        sha256=event.file.sha256, otherwise=telling.stays(news),
    )  # fmt: skip
    return Told(text=said, public=True), file


class Uploads:
    """Hands files over, and says why one stays here."""

    def __init__(self) -> None:
        self._breaks: dict[str, int] = {}

    async def bring(
        self,
        parcel: Parcel,
        file: OurFile | None,
        event_id: str,
        bring: Callable[[OurFile, bytes], Awaitable[None]],
    ) -> str:
        """Look the file up and ``bring`` it; what to add to the text where it stays here.

        Raises ``Undelivered`` for what may be better later.
        """
        if file is None:
            return ""
        body = await parcel.contents(file.id) if parcel.contents else None
        if body is None:
            return f"\n\n{WITHDRAWN}"
        assert sha256_of(body) == file.sha256, "the store gives what it was given"
        try:
            await bring(file, body)
        except Undelivered as failure:
            if why := self._why_not(event_id, failure):
                return f"\n\n{why}. {file.otherwise}"
            raise
        self._breaks.pop(event_id, None)
        return ""

    def _why_not(self, event_id: str, failure: Undelivered) -> str:
        if failure.code in _REFUSALS:
            return f"It was refused there ({line(str(failure), _REASON_CHARACTERS_MAX)})"
        if failure.code != "not-reached" and not failure.code.startswith("http-5"):
            return ""
        broken = self._breaks.get(event_id, 0) + 1
        self._breaks[event_id] = broken
        if broken < ATTEMPTS_MAX:
            return ""
        del self._breaks[event_id]
        return f"It could not be handed over in {broken} attempts"


async def copies(
    file: OurFile, candidates: Sequence[tuple[str, Wanted]], downloads: Downloads
) -> list[str]:
    """Which of these files of our account's are the file, oldest first: by size, then by hash. Raises ``Undelivered``.

    ``candidates``: the partner's identifier of each, and how it is fetched.
    """
    found = []
    for name, wanted in candidates:
        if wanted.size != file.size:
            continue
        sha256 = wanted.sha256
        if not sha256:
            body = await downloads.fetch(wanted)
            sha256 = "" if isinstance(body, NotFetched) else sha256_of(body)
        if sha256 == file.sha256:
            found.append(name)
    return found


# -- from a partner ----------------------------------------------------------------------------------


class Listed(Struct, frozen=True, kw_only=True):
    """A file as the partner lists it."""

    name: str
    type: str
    wanted: Wanted


async def fetched(
    listed: Sequence[Listed], downloads: Downloads, *, beside: int = 0
) -> tuple[list[TheirFile], list[str]]:
    """The files that come along, and the names of those that stay there, with the reasons. Raises ``Undelivered``.

    ``beside``: bytes of the document without them.
    """
    files: list[TheirFile] = []
    left: list[str] = []
    room = FILES_BYTES_MAX - max(beside - _TEXTS_BYTES, 0)
    for each in listed:
        name = line(each.name, _NAME_CHARACTERS_MAX) or "file"
        if each.wanted.size > room:
            left.append(f"{name} ({_too_large(each.wanted.size)})")
            continue
        body = await downloads.fetch(each.wanted)
        if isinstance(body, NotFetched):
            left.append(f"{name} ({body.why})")
        elif len(body) > room:
            left.append(f"{name} ({_too_large(len(body))})")
        elif body:
            room -= len(body)
            content = b64encode(body).decode()
            files.append(TheirFile(name=name, type=media_type(each.type), content=content))
    return files, left


def _too_large(size: int) -> str:
    if size > FILES_BYTES_MAX:
        return f"too large: {size} bytes, at most {FILES_BYTES_MAX} are taken"
    return f"too large together with the others: at most {FILES_BYTES_MAX} bytes are taken at once"


def full(messages: Sequence[Incoming]) -> bool:
    """Whether a poller has found as much as it may hold at once: the rest is found next time."""
    return sum(len(each.raw) for each in messages) >= PAGE_BYTES_MAX


def received(files: Sequence[TheirFile], ticket: Ticket | None, *, public: bool = True) -> Taken:
    """What of these files is news to the ticket. Raises ``Unreadable``."""
    found = [ReceivedFile(each.name, each.type, _body(each)) for each in files]
    return taken(found, ticket, Visibility.PUBLIC if public else Visibility.INTERNAL)


def staying(left: Sequence[str], files: Taken) -> str:
    """A line about files that stay there; empty for none."""
    why = next(iter(files.withheld), "").removeprefix("file:")
    more = [f"{name} ({why})" for name in files.left]
    return attached([*left, *more])


def _body(file: TheirFile) -> bytes:
    try:
        return b64decode(file.content, validate=True)
    except ValueError as error:
        raise Unreadable(f"the file {file.name} is not in base64") from error
