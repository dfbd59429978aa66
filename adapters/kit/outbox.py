"""Messages out: what was decided and not acknowledged is sent again, the same bytes under the same Message-ID."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct

from adapters.kit.carriers import Carriers
from adapters.kit.conversations import CONNECTED, Conversations
from adapters.kit.deciding import ACTOR, UNTRANSLATED
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Patience, Undelivered
from adapters.kit.reused import key_for
from adapters.kit.writing import Untranslatable, Writer
from domain.content import Sealed
from domain.errors import AlreadyClaimed, NothingToDo, NotNow, Refused
from domain.exchange import Direction, Exchange, Message
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Provenance, acting

log = structlog.get_logger()

_ERASED: Final = "erased"
_UNREACHED: Final = "not-reached"
_UNREACHED_TIMES: Final = 12
"""A partner that cannot be reached says nothing about the message: so many times more attempts, three days."""


class Attempt(Struct, frozen=True, kw_only=True):
    """How an attempt to deliver the oldest message of a conversation went."""

    pause_s: float = 0
    """Before the next one; 0 after a success."""
    answered: bool = True
    """The partner is there: it took the message, or said what is wrong with it."""
    retry_after_s: float | None = None
    """How long the partner wants to be left alone."""
    held: bool = False
    """The partner's interface is closed, so nothing was tried."""


class Outbox:
    def __init__(
        self, conversations: Conversations, carriers: Carriers, patience: Patience, writer: Writer
    ) -> None:
        self._conversations, self._writer = conversations, writer
        self._ledger = conversations.ledger
        self._carriers, self._patience = carriers, patience

    async def deliver(self, stream: UUID) -> Attempt | None:
        """Send the oldest message that waits; None when there is none."""
        exchange = await self._conversations.seen(stream)
        message = exchange.next_message(Direction.OUT)
        if message is None:
            return None
        partner = await self._conversations.known_terms(exchange.helpdesk)
        if partner.interface not in CONNECTED:
            return Attempt(held=True)
        with acting(_provenance_of_delivery(message.event_position)):
            try:
                if message.raw is None:
                    await self._translate_again(exchange, message, partner)
                else:
                    await self._hand_over(exchange, message.reference, message.raw, partner)
            except Undelivered as failure:
                return await self._fail(stream, message.reference, failure)
            except Refused:
                raise
            except Exception as error:  # a defect of a courier is tried again with a limit
                log.exception("courier failed", helpdesk=partner.name, exchange=str(stream))
                what = f"{type(error).__name__}: {error}"[:1000]
                unexpected = Undelivered("courier-failed", what, final=False)
                return await self._fail(stream, message.reference, unexpected)
        return Attempt()

    async def _hand_over(
        self, exchange: Exchange, reference: int, raw: Sealed, partner: Helpdesk
    ) -> None:
        [body] = await self._conversations.bodies(raw)
        if body is None:
            raise Undelivered(_ERASED, "it was erased", final=True)
        parcel = Parcel(
            raw=body,
            external_id=exchange.external_id,
            linked_at=exchange.linked_at,
            opened_at=exchange.opened_at,
            contents=self._content,
        )
        delivered = await (await self._carriers.courier(partner)).deliver(parcel)
        await self._delivered(exchange, reference, delivered)

    async def _content(self, id_: UUID) -> bytes | None:
        found = await self._ledger.store.contents([id_])
        return found[id_].body if id_ in found else None

    async def _delivered(self, exchange: Exchange, reference: int, delivered: Delivered) -> None:
        """Record it, and their ticket with it. Raises ``Undelivered`` when that belongs to another of ours."""
        key = ""
        if delivered.external_id not in ("", exchange.external_id):
            key = await key_for(
                self._conversations,
                exchange.helpdesk,
                delivered.external_id,
                delivered.opened_at,
            )

        def decide(fresh: Exchange, *, link: bool = True) -> None:
            fresh.record_dispatch(reference, delivered.receipt)
            reference_ = delivered.external_reference or fresh.external_reference
            told = (delivered.external_id or fresh.external_id, reference_)
            if link:
                with suppress(NothingToDo):
                    fresh.link(fresh.number, *told, link_key=key, opened_at=delivered.opened_at)

        try:
            await self._change(exchange.id, decide)
        except AlreadyClaimed as error:
            if not exchange.external_id:
                raise Undelivered("link-conflict", str(error), final=True) from error
            # They merged it into the ticket of another of ours: both go on, each with its first identifier.
            await self._change(exchange.id, lambda fresh: decide(fresh, link=False))

    async def _translate_again(
        self, exchange: Exchange, message: Message, partner: Helpdesk
    ) -> None:
        """An operator let a message go on that could not be translated before. Raises ``Undelivered``."""
        [cause] = await self._ledger.store.log(message.event_position - 1, 1)
        media_type = self._conversations.adapters[partner.adapter].media_type
        try:
            raw = await self._writer.message(exchange, partner, cause, message.rule)
        except Untranslatable as error:
            raise Undelivered(UNTRANSLATED, str(error), final=True) from error

        def decide(fresh: Exchange) -> None:
            if raw is None:
                fresh.ignore(message.reference, "no-counterpart")
            else:
                fresh.translate(message.reference, raw, media_type)

        await self._change(exchange.id, decide)

    async def hang_up(self) -> None:
        """Close the lines to the partners; they are opened again when they are needed."""
        await self._carriers.close()

    async def _fail(self, stream: UUID, reference: int, failure: Undelivered) -> Attempt:
        attempts, parked, attempts_max = 0, False, self._patience.attempts_max
        if failure.code == _UNREACHED:
            attempts_max *= _UNREACHED_TIMES

        def decide(exchange: Exchange) -> None:
            nonlocal attempts, parked
            exchange.record_failure(reference, failure.code, str(failure))
            attempts = exchange.messages[reference].attempts
            parked = failure.final or attempts >= attempts_max
            if parked:
                exchange.park(reference, failure.code, str(failure))

        await self._change(stream, decide)
        pause_s = self._patience.pause_s(max(attempts, 1), failure.retry_after_s)
        return Attempt(
            pause_s=0 if parked else pause_s,
            answered=failure.final,
            retry_after_s=failure.retry_after_s,
        )

    async def _change(self, stream: UUID, decide: Callable[[Exchange], object]) -> None:
        try:
            await self._conversations.change(stream, decide)
        except NotNow:
            log.info("message was settled by another process", exchange=str(stream))


def _provenance_of_delivery(position: int) -> Provenance:
    return Provenance(
        actor=ACTOR,
        command_id=random_id(),
        correlation_id=f"event:{position}",
        causation_id=f"event:{position}",
    )
