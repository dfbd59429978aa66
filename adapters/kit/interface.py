"""What connects us to a helpdesk's own system: a line, with whoever writes, asks, looks and fetches over it.

An adapter for a partner with an interface brings a ``Connector``: it makes the ``Line`` to one registered
helpdesk, with a courier for what goes out and a poller for what is fetched. What they give and take stands here;
what several adapters have in common is in ``sessions``, ``connecting`` and ``polling``.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from adapters.kit.contract import Place
from adapters.kit.downloads import NotFetched
from adapters.kit.settling import Settling
from domain.vocabulary import Visibility


class Parcel(Struct, frozen=True, kw_only=True):
    """One recorded message on its way."""

    raw: bytes
    """As the adapter wrote it when it was decided on."""
    external_id: str = ""
    """The partner's ticket as known now; empty as long as it is not."""
    linked_at: datetime | None = None
    """When we first knew that."""
    opened_at: datetime | None = None
    """When that ticket was made, as the partner told; None as long as it did not."""
    contents: Callable[[UUID], Awaitable[bytes | None]] | None = None
    """What a file is that the message names; None for one that was erased."""


class Delivered(Struct, frozen=True, kw_only=True):
    """What became of a message that the partner took."""

    receipt: str
    """What the partner's system answered, for the record."""
    external_id: str = ""
    """The partner's ticket, where the answer tells."""
    external_reference: str = ""
    """How the partner wants it to be named in messages."""
    opened_at: datetime | None = None
    """When it was made, by their clock, where the answer tells."""


class Courier(Protocol):
    async def deliver(self, parcel: Parcel) -> Delivered:
        """Give the message its effect at the partner, once, however often it is delivered.

        A crash may lie between any two steps: look before writing, read back after it. Raises
        ``Undelivered``.
        """
        ...


class Incoming(Struct, frozen=True, kw_only=True):
    """A change that a poller found."""

    message_id: str
    """The partner's own identifier of the change: the same whenever it is found again."""
    raw: bytes
    """As the adapter reads it, and as it is kept."""
    sent_at: datetime | None = None
    """When it happened, by their clock; None where they do not say."""


class Found(Struct, frozen=True, kw_only=True):
    """One page of changes."""

    messages: Sequence[Incoming]
    """In the order in which they are to have their effects."""
    cursor: bytes
    """From where to ask next; saved after the messages are kept."""
    more: bool = False
    """There is more to fetch at once."""
    restored: bool = False
    """The partner has forgotten what it had told us: it was restored from a backup. No messages come with that."""


class Known(Protocol):
    async def __call__(self, external_id: str, opened_at: datetime | None = None) -> bool:
        """Whether a ticket of the partner, by its identifier, is exchanged with us.

        ``opened_at``: when it was made, where that is at hand. A ticket whose identifier was that of another one
        before is not; what is found with it is not taken in before both sides were compared.
        """
        ...


class Poller(Protocol):
    async def poll(self, cursor: bytes, known: Known) -> Found:
        """One bounded page of what changed at the partner. Raises ``Undelivered``.

        An empty cursor is the beginning: what happened before the interface came to life is not news.
        """
        ...


class Seen(Struct, frozen=True, kw_only=True):
    """The partner's ticket as it is there now, as far as both sides have agreed on it."""

    external_id: str
    gone: bool = False
    """There is none, or nobody may see it."""
    moved_to: str = ""
    """Merged into another."""
    opened_at: datetime | None = None
    """When it was made, by their clock, where they tell."""
    number: int = 0
    """Our ticket, as theirs bears its number; 0 where it bears none."""
    state: str = ""
    """Their exact word; empty where it is not told."""
    priority: str = ""
    unit: str = ""
    """Their word, in which their unit is named."""
    messages: frozenset[str] | None = None
    """Our messages that had their effect there, by ``News.message_id``; None where theirs cannot tell."""
    version: int = 0
    """Of theirs, where they count their changes and tell the number with each; else 0."""
    quiet: bool = True
    """Nothing is under way or parked at theirs, as far as it says: else what differs may be because of that."""
    doubled: tuple[str, ...] = ()
    """What stands there twice and cannot be taken back, in words such as ``article 15 repeats 12``."""


class Observer(Protocol):
    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        """These tickets of the partner, at most 50, one answer for each. Raises ``Undelivered``."""
        ...


class Elsewhere(Struct, frozen=True, kw_only=True):
    """A file that a message only names: it is at the partner."""

    ticket: str
    """The partner's."""
    name: str
    media_type: str
    size: int
    """Bytes."""
    sha256: str
    visibility: Visibility


class FileSource(Protocol):
    async def fetch(self, file: Elsewhere) -> bytes | NotFetched:
        """The file, whole and with this hash. Raises ``Undelivered`` where another attempt may do better."""
        ...


class Line(Struct, frozen=True, kw_only=True):
    """The connection to one registered helpdesk."""

    courier: Courier
    poller: Poller | None = None
    observer: Observer | None = None
    """None where a partner's tickets cannot be read."""
    files: FileSource | None = None
    """Where files are fetched that messages only name; None where they come with them or not at all."""
    close: Callable[[], Awaitable[None]]
    settling: Mapping[str, Settling] = {}
    """Those of the courier, by what they are about."""


class Connector(Protocol):
    def check(self, address: str) -> None:
        """Look at an address before a partner is registered with it. Raises ``Undelivered`` where it cannot be one."""
        ...

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        """The line to a partner, not used yet. Raises ``Undelivered`` for an address that cannot be one."""
        ...
