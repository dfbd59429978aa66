"""How messages travel: what the exchange asks of a partner's mail relay or programming interface.

A partner that has only mail needs nothing of its own: ``MailCourier`` hands its messages to the relay.
An adapter for a partner with an interface brings a ``Connector``: it makes the ``Line`` to one registered
helpdesk, with a courier for what goes out and a poller for what is fetched.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from time import monotonic
from types import MappingProxyType
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct

from adapters.kit.contract import Place, Stamping
from adapters.kit.downloads import NotFetched
from adapters.kit.retry import Transport, Undelivered
from adapters.kit.settling import Notebook, Settling
from domain.helpdesk import Helpdesk
from domain.vocabulary import Visibility

_FRESH_S: Final = 1.0
"""A secret that was replaced is used for so long."""
BEGUN: Final = "begun:"
"""Before the partner's name: under which is kept what its courier has begun to write."""


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
    receipt: str
    """What the partner's system answered, for the record."""
    external_id: str = ""
    """The partner's ticket, where the answer tells."""
    external_reference: str = ""
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
    sent_at: datetime | None = None


class Found(Struct, frozen=True, kw_only=True):
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


class Secrets(Protocol):
    """Where passwords and tokens for partners are kept. They never stand in events."""

    async def secret(self, helpdesk: str) -> str: ...


class NoSecrets:
    """For exchanges by mail alone."""

    async def secret(self, helpdesk: str) -> str:  # noqa: ARG002 - nobody has one
        return ""


class MailCourier:
    """A partner whose interface is its mailbox."""

    def __init__(
        self, transport: Transport, place: Place, stamping: Stamping | None = None
    ) -> None:
        self._transport, self._place, self._stamping = transport, place, stamping

    async def deliver(self, parcel: Parcel) -> Delivered:
        raw: bytes | None = parcel.raw
        if self._stamping is not None:
            raw = self._stamping.stamped(parcel.raw, parcel.external_id)
        if raw is None:
            why = "the partner has not told yet which ticket it opened"
            raise Undelivered("no-reference", why, final=False)
        receipt = await self._transport.send(
            raw, sender=self._place.our_address, recipient=self._place.their_address
        )
        return Delivered(receipt=receipt)


class _Connected(Struct):
    """A line, and the terms on which it was made."""

    adapter: str
    place: Place
    secret: str
    line: Line
    asked_at: float
    """When the secret was last looked up, by the monotonic clock."""


class Carriers:
    """Finds the line to each partner; lines to interfaces are kept, with their sessions."""

    def __init__(
        self,
        place: Callable[[Helpdesk], Place],
        transport: Transport,
        connectors: Mapping[str, Connector],
        secrets: Secrets,
        *,
        allow_private: bool,
        stamping: Mapping[str, Stamping] = MappingProxyType({}),
        notebook: Notebook | None = None,
    ) -> None:
        """``stamping``: adapters whose mails get the partner's ticket when they leave, by name.

        ``notebook``: where couriers note what they begin.
        """
        self._place, self._transport, self._stamping = place, transport, stamping
        self._connectors, self._secrets = connectors, secrets
        self._allow_private, self._notebook = allow_private, notebook
        self._lines: dict[str, _Connected] = {}

    async def courier(self, partner: Helpdesk) -> Courier:
        """Raises ``Undelivered``, ``StoreUnavailable``."""
        line = await self._line(partner)
        if line:
            return line.courier
        stamping = self._stamping.get(partner.adapter)
        return MailCourier(self._transport, self._place(partner), stamping)

    async def observer(self, partner: Helpdesk) -> Observer | None:
        """None where a partner's tickets cannot be read. Raises ``Undelivered``, ``StoreUnavailable``."""
        line = await self._line(partner)
        return line.observer if line else None

    async def files(self, partner: Helpdesk) -> FileSource | None:
        """None where nothing is fetched. Raises ``Undelivered``, ``StoreUnavailable``."""
        line = await self._line(partner)
        return line.files if line else None

    async def poller(self, partner: Helpdesk) -> Poller | None:
        """None for a partner that tells us by itself. Raises ``Undelivered``, ``StoreUnavailable``."""
        line = await self._line(partner)
        return line.poller if line else None

    def polled(self, partner: Helpdesk) -> bool:
        """Whether the partner may have to be asked for its changes."""
        return partner.adapter in self._connectors

    async def close(self) -> None:
        while self._lines:
            _, connected = self._lines.popitem()
            await connected.line.close()

    async def _line(self, partner: Helpdesk) -> Line | None:
        connector = self._connectors.get(partner.adapter)
        if connector is None:
            return None
        place, known = self._place(partner), self._lines.get(partner.name)
        if known is not None and known.place == place and monotonic() < known.asked_at + _FRESH_S:
            return known.line
        asked_at, secret = monotonic(), await self._secrets.secret(partner.name)
        known = self._lines.get(partner.name)
        if known is not None and (known.adapter, known.place, known.secret) == (
            partner.adapter, place, secret,
        ):  # fmt: skip
            known.asked_at = asked_at
            return known.line
        line = connector.connect(place, secret, allow_private=self._allow_private)
        for about, each in line.settling.items():
            if self._notebook is not None:
                each.keep(self._notebook, f"{BEGUN}{partner.name}:{about}")
        connected = _Connected(partner.adapter, place, secret, line, asked_at)
        self._lines[partner.name] = connected
        if known is not None:
            await known.line.close()
        return line


NO_CONNECTORS: Final[Mapping[str, Connector]] = {}
