"""Messages in: kept before the carrier may say that we have them, whatever becomes of them.

``receive`` stores the bytes under the partner's own identifier of the message, so a repetition is a
no-op. ``apply`` translates, executes and records the outcome, all in one append: after a crash between
the two the message still waits. ``take`` does both in one append, or only the first where something
stands in the way.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from adapters.kit.applying import Application
from adapters.kit.belonging import Belonging
from adapters.kit.carrying import Settled
from adapters.kit.contract import Reading
from adapters.kit.conversations import ATTEMPTS_MAX, Conversations
from adapters.kit.verdicts import TellAgain, Verdict
from domain import clock
from domain.errors import AlreadyClaimed, NotNow, Refused, StaleVersion, StoreUnavailable
from domain.exchange import Direction, Exchange, Message
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
    settled: bool = False
    """It has its outcome already."""


class Inbox:
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._adapters = conversations.adapters
        self._belonging = Belonging(conversations)
        self.tell_again: TellAgain | None = None
        """Set where the exchange is put together."""

    async def take(
        self,
        partner: Helpdesk,
        raw: bytes,
        message_id: str,
        sent_at: datetime | None = None,
        *,
        about: UUID | None = None,
    ) -> Received | None:
        """As ``receive``; where no other message of its conversation waits, with its outcome in the same append."""
        try:
            return await self._take(partner, raw, message_id, sent_at, about)
        except StoreUnavailable:
            raise  # it may be stored
        except (Refused, Settled):
            # Come before, or somebody was faster, or it is refused as such: told apart at leisure.
            return await self.receive(partner, raw, message_id, sent_at, about=about)

    async def _take(
        self,
        partner: Helpdesk,
        raw: bytes,
        message_id: str,
        sent_at: datetime | None,
        about: UUID | None,
    ) -> Received:
        reading = self._belonging.glance(partner, raw)
        if about is None and self._belonging.opens(partner.name, reading):
            key, stream = reading.external_id, None
        else:
            key, stream = await self._belonging.find(partner.name, reading, about)
        async with self._conversations.alone(stream or random_id()):
            exchange = await self._conversations.begin_or_load(stream)
            provenance = _provenance(partner.name, message_id)
            with acting(provenance, _believable(sent_at)):
                reference = self._keep(exchange, partner, raw, message_id, reading, key)
            message = exchange.messages[reference]
            if exchange.next_message(Direction.IN) is not message:
                raise Settled
            kept = len(exchange.pending_events)
            with acting(provenance, message.at):
                application = self._application(partner, exchange, message, raw)
                verdict = await application.run()
                receipt = application.receipt
                if verdict is not None:
                    verdict.record(exchange, reference)
                    receipt = await self._conversations.save(exchange)
        assert receipt is not None
        self._conversations.recent.remember(message, raw)
        return Received(exchange.id, receipt.first_position + kept - 1, settled=True)

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
        reading, moves = self._belonging.glance(partner, raw), True
        for attempt in range(ATTEMPTS_MAX):
            key, stream = await self._belonging.find(partner.name, reading, about)
            async with self._conversations.alone(stream or random_id()):
                exchange = await self._conversations.begin_or_load(stream)
                with acting(_provenance(partner.name, message_id), _believable(sent_at)):
                    reference = self._keep(
                        exchange, partner, raw, message_id, reading, key, moves=moves
                    )
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

    def _keep(
        self,
        exchange: Exchange,
        partner: Helpdesk,
        raw: bytes,
        message_id: str,
        reading: Reading,
        key: str,
        *,
        moves: bool = True,
    ) -> int:
        """The reference of the message in its conversation, which begins where it is the first."""
        if not exchange.version:
            exchange.open(partner.name, external_id=reading.external_id, link_key=key)
        elif reading.moved_to and moves and exchange.number:
            exchange.link(exchange.number, reading.moved_to, link_key=key)
        mapping = self._conversations.place(partner).mapping
        return exchange.receive(
            message_id, raw, self._adapters[partner.adapter].media_type, mapping
        )

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
        with acting(_provenance(partner.name, message.message_id), message.at):
            application = self._application(partner, exchange, message)
            try:
                verdict = await application.run()
                if verdict is not None:
                    await self._record(stream, message.reference, verdict)
            except (NotNow, Settled):
                log.info("message was settled by another process", exchange=str(stream))
                self._conversations.recent.forget(stream)
        return True

    def _application(
        self,
        partner: Helpdesk,
        exchange: Exchange,
        message: Message,
        raw: bytes | None = None,
    ) -> Application:
        adapter = self._adapters[partner.adapter]
        application = Application(self._conversations, adapter, partner, exchange, message, raw=raw)
        application.tell_again = self.tell_again
        return application

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
