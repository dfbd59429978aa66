"""The door for partners' webhooks: who sends, whether it is too much, what is kept. Nothing is understood here."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

import structlog

from adapters.helpdesks.webhook import message as kept
from adapters.helpdesks.webhook.keys import BadSecret, Keys
from adapters.helpdesks.webhook.looking import look_signed
from adapters.helpdesks.webhook.mapping import Webhook
from adapters.kit.answers import instant
from adapters.kit.assembly import ExchangeParts
from adapters.kit.carriers import Secrets
from adapters.kit.contract import Unreadable
from adapters.kit.doorkeeping import Doorkeeper
from adapters.kit.inbox import Received
from adapters.kit.webhook import Unverified, must_be_signed
from domain import clock
from domain.errors import Conflict
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState

log = structlog.get_logger()

_PARTNERS_MAX: Final = 1_000
_BURST: Final = 10
_FRESH_S: Final = 1.0
"""A key that was taken away is good for so long."""


class Stranger(Exception):
    """Not a partner, or not signed by it: which of these is not told."""


class TooMany(Exception):
    """The partner sends more than it may."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"more messages than agreed; again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class IdReused(Conflict):
    """Another message was kept under this identifier."""

    code = "id-reused"


class WebhookDoor:
    def __init__(
        self, exchange: ExchangeParts, secrets: Secrets, doors: Doorkeeper, *, per_s_max: float
    ) -> None:
        """``per_s_max``: messages that each partner may send, for longer than a moment."""
        self._exchange, self._conversations = exchange, exchange.conversations
        self._secrets, self._doors = secrets, doors
        self._measure, self._looks = Measure(per_s_max), Measure(per_s_max)
        self._keys: dict[str, tuple[float, Sequence[bytes]]] = {}

    async def take(
        self, helpdesk: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Received | None:
        """Keep a request of a partner; None when it was kept before. ``headers``: names in lower case.

        Raises ``Stranger``, ``TooMany``, ``Shut``, ``Unreadable``, ``IdReused``, ``StoreUnavailable``.
        """
        partner = await self._partner(helpdesk)
        await self._must_be_believed(partner.name, headers, body)
        self._measure.must_keep(helpdesk)
        await self._doors.admit(partner)
        message = kept.received(target, headers, body)
        envelope, raw = message.envelope(), kept.written(message)
        received = await self._exchange.inbox.take(
            partner, raw, envelope.id, instant(envelope.time)
        )
        if received is None:
            await self._must_be_the_same(partner, envelope.id, body)
            await self._doors.repeated(partner)
        else:
            self._exchange.worker.stir(received)
        return received

    async def look(self, helpdesk: str, headers: Mapping[str, str], query: bytes) -> None:
        """Let a partner look that signed its query. Raises ``Stranger``, ``StoreUnavailable``."""
        partner = await self._partner(helpdesk)
        await self._must_be_believed(partner.name, headers, look_signed(query))

    def count_look(self, helpdesk: str, tickets: int) -> None:
        """A look at so many tickets costs as much as some messages. Raises ``TooMany``."""
        for _ in range(1 + tickets // 10):
            self._looks.must_keep(helpdesk)

    async def _must_be_believed(
        self, helpdesk: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Raises ``Stranger``."""
        try:
            await self._must_be_signed(helpdesk, headers, body)
        except BadSecret as error:
            log.error("secret of a partner cannot be used", helpdesk=helpdesk, why=str(error))  # noqa: TRY400
            raise Stranger from error
        except Unverified as error:
            log.warning("webhook not believed", helpdesk=helpdesk, why=str(error))
            raise Stranger from error

    async def _partner(self, name: str) -> Helpdesk:
        partner = await self._conversations.terms(name)
        if (
            partner is None
            or partner.adapter != Webhook.name
            or partner.interface is InterfaceState.NOT_INTERFACED
        ):
            raise Stranger
        return partner

    async def _must_be_signed(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """By the keys of a moment ago, or by those of now. Raises ``Unverified``, ``BadSecret``."""
        now = monotonic()
        until, keys = self._keys.get(name, (0.0, ()))
        if until > now:
            with suppress(Unverified):
                must_be_signed(headers, body, keys, clock.now())
                return
        if name in self._keys:  # one asks, and the others go on for a moment with what is known
            self._keys[name] = now + _FRESH_S, keys
        keys = Keys.of(await self._secrets.secret(name)).incoming
        if len(self._keys) >= _PARTNERS_MAX:
            self._keys.clear()
        self._keys[name] = now + _FRESH_S, keys
        must_be_signed(headers, body, keys, clock.now())

    async def _must_be_the_same(self, partner: Helpdesk, message_id: str, body: bytes) -> None:
        """A sender that uses an identifier twice would lose what it says the second time."""
        store = self._conversations.ledger.store
        stream = await store.holder(f"message:{partner.name}", message_id)
        assert stream is not None
        for recorded in await store.stream(stream):
            event = recorded.event
            if isinstance(event, Exchange.MessageReceived) and event.message_id == message_id:
                found = (await store.contents([event.raw.id])).get(event.raw.id)
                if found is None:
                    return  # erased meanwhile
                with suppress(Unreadable):
                    if kept.taken_apart(found.body).body != body:
                        raise IdReused(f"another message came with the identifier {message_id!r}")


class Measure:
    """So many messages a second of each partner, and for a short time ten times as many."""

    def __init__(self, per_s: float) -> None:
        self._per_s, self._most = per_s, max(per_s * _BURST, 1.0)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def must_keep(self, name: str) -> None:
        """Count one. Raises ``TooMany``."""
        now = monotonic()
        left, at = self._left.get(name, (self._most, now))
        left = min(left + (now - at) * self._per_s, self._most)
        if left < 1:
            raise TooMany(max(1, round((1 - left) / self._per_s)))
        self._left[name] = left - 1, now
        self._left.move_to_end(name)
        if len(self._left) > _PARTNERS_MAX:
            self._left.popitem(last=False)
