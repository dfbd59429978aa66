"""Finds the way to each partner: the mail relay, or the line to its own system.

A partner that has only mail needs nothing of its own: ``MailCourier`` hands its messages to the relay.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from types import MappingProxyType
from typing import Final, Protocol

from msgspec import Struct

from adapters.kit.checkpoints import Checkpoints
from adapters.kit.contract import Place, Stamping
from adapters.kit.interface import (
    Connector,
    Courier,
    Delivered,
    FileSource,
    Line,
    Observer,
    Parcel,
    Poller,
)
from adapters.kit.retry import Transport, Undelivered
from domain.helpdesk import Helpdesk

NO_CONNECTORS: Final[Mapping[str, Connector]] = {}
BEGUN: Final = "begun:"
"""Before the partner's name: under which is kept what its courier has begun to write."""
_FRESH_S: Final = 1.0
"""A secret that was replaced is used for so long."""


class Secrets(Protocol):
    """Where passwords and tokens for partners are kept. They never stand in events."""

    async def secret(self, helpdesk: str) -> str:
        """Empty where there is none. Raises ``StoreUnavailable``."""
        ...


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
        """See ``Courier``. A mail that is delivered twice bears the same Message-ID both times."""
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
        checkpoints: Checkpoints | None = None,
    ) -> None:
        """``stamping``: adapters whose mails get the partner's ticket when they leave, by name.

        ``checkpoints``: where couriers note what they begin.
        """
        self._place, self._transport, self._stamping = place, transport, stamping
        self._connectors, self._secrets = connectors, secrets
        self._allow_private, self._checkpoints = allow_private, checkpoints
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
            if self._checkpoints is not None:
                each.keep(self._checkpoints, f"{BEGUN}{partner.name}:{about}")
        connected = _Connected(partner.adapter, place, secret, line, asked_at)
        self._lines[partner.name] = connected
        if known is not None:
            await known.line.close()
        return line
