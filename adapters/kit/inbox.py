"""Messages in: kept first, understood afterwards.

``receive`` stores the bytes under the partner's own identifier of the message, so a repetition is a
no-op; only then may the carrier say that we have it. ``apply`` translates, executes and records the
outcome, all in one append: after a crash between the two the message still waits.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from adapters.kit.applying import Application, Settled
from adapters.kit.contract import Adapter, Reading, Unreadable
from adapters.kit.conversations import ATTEMPTS_MAX, Conversations
from adapters.kit.hops import as_for_us
from adapters.kit.reused import given_up
from adapters.kit.verdicts import TellAgain, Verdict
from domain import clock
from domain.errors import AlreadyClaimed, NotNow, StaleVersion
from domain.exchange import Direction, Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Origin, Provenance, acting

log = structlog.get_logger()

_AGE_MAX: Final = timedelta(days=1)
"""A partner's clock is believed for so long into the past, and never about the future."""


class Received(Struct, frozen=True):
    """Where a message was kept."""

    exchange: UUID
    position: int


class Inbox:
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._adapters = conversations.adapters
        self.tell_again: TellAgain | None = None
        """Set where the exchange is put together."""

    async def receive(
        self,
        partner: Helpdesk,
        raw: bytes,
        message_id: str,
        sent_at: datetime | None = None,
        *,
        about: UUID | None = None,
    ) -> Received | None:
        """Keep a message of a partner; None when it was kept before. Raises ``StoreUnavailable``.

        ``about`` is the conversation it belongs to, where the carrier knows it for certain.
        """
        adapter, place = self._adapters[partner.adapter], self._conversations.place(partner)
        reading, moves = as_for_us(self._glance(adapter, raw), place.our_name), True
        for attempt in range(ATTEMPTS_MAX):
            key, stream = await self._find(partner.name, reading, about)
            async with self._conversations.alone(stream or random_id()):
                exchange = await self._conversations.begin_or_load(stream)
                with acting(_provenance(partner.name, message_id), _believable(sent_at)):
                    if not exchange.version:
                        exchange.open(partner.name, external_id=reading.external_id, link_key=key)
                    elif reading.moved_to and moves and exchange.number:
                        exchange.link(exchange.number, reading.moved_to, link_key=key)
                    reference = exchange.receive(message_id, raw, adapter.media_type, place.mapping)
                try:
                    receipt = await self._conversations.save(exchange)
                except AlreadyClaimed as error:
                    if error.kind == f"message:{partner.name}":
                        return None
                    # Merged with the ticket of another of ours: that keeps its identifier.
                    moves = moves and error.key != key
                    if attempt == ATTEMPTS_MAX - 1:
                        raise
                except StaleVersion:
                    if attempt == ATTEMPTS_MAX - 1:
                        raise
                else:
                    assert receipt is not None
                    self._conversations.recent.remember(exchange.messages[reference], raw)
                    return Received(exchange.id, receipt.position)
        raise AssertionError  # the loop returns or raises

    async def _find(
        self, helpdesk: str, reading: Reading, about: UUID | None
    ) -> tuple[str, UUID | None]:
        """The conversation, and the key under which it can claim a ticket of theirs that is new to it."""
        key = ""
        if about is None:
            key, about = await self._conversations.find(
                helpdesk, number=reading.number, external_id=reading.external_id
            )
        if about is not None and reading.opens and await given_up(
            self._conversations, about, reading
        ):
            return await self._conversations.link(helpdesk, reading.external_id)
        if about is not None and reading.moved_to:
            key, _ = await self._conversations.link(helpdesk, reading.moved_to)
        return key, about

    def _glance(self, adapter: Adapter, raw: bytes) -> Reading:
        """Which conversation the message belongs to: one of its own where that cannot be told.

        What is wrong with the message is found, and recorded, when it is applied.
        """
        try:
            reading = self._conversations.readings.read(adapter, raw)
        except Unreadable:
            return Reading()
        except Exception:  # a defect of the adapter must not cost us the message
            log.exception("adapter failed to read", adapter=adapter.name)
            return Reading()
        return reading if isinstance(reading, Reading) else Reading()

    async def apply(self, stream: UUID) -> bool:
        """Give the oldest waiting message its effect; False when none waits.

        Raises ``StoreUnavailable`` and, when others keep writing, ``StaleVersion``.
        """
        exchange = self._conversations.recent.kept(stream)
        message = exchange.next_message(Direction.IN) if exchange else None
        if exchange is None or message is None:
            exchange = await self._conversations.load(stream)
            message = exchange.next_message(Direction.IN)
        if message is None:
            return False
        partner = await self._conversations.known_terms(exchange.helpdesk)
        adapter = self._adapters[partner.adapter]
        with acting(_provenance(partner.name, message.message_id), message.at):
            application = Application(self._conversations, adapter, partner, exchange, message)
            application.tell_again = self.tell_again
            try:
                verdict = await application.run()
                if verdict is not None:
                    await self._record(stream, message.reference, verdict)
            except (NotNow, Settled):
                log.info("message was settled by another process", exchange=str(stream))
                self._conversations.recent.forget(stream)
        return True

    async def _record(self, stream: UUID, reference: int, verdict: Verdict) -> None:
        def decide(exchange: Exchange) -> None:
            verdict.record(exchange, reference)

        await self._conversations.change(stream, decide)


def _provenance(helpdesk: str, message_id: str) -> Provenance:
    return Provenance(
        actor=f"helpdesk:{helpdesk}",
        command_id=random_id(),
        correlation_id=message_id,
        causation_id=f"message:{message_id}",
        origin=Origin(helpdesk, message_id),
    )


def _believable(sent_at: datetime | None) -> datetime | None:
    now = clock.now()
    return sent_at if sent_at is not None and now - _AGE_MAX <= sent_at <= now else None
