"""What an operator can do about the exchange: send a ticket, retry or skip messages, pause a partner."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from adapters.kit.conversations import Conversations
from adapters.kit.rehearsing import TEXT_CHARACTERS_MAX, Preview, Rehearsal
from domain.errors import AlreadyClaimed, EntryNotFound, NothingToDo, NotNow, StaleVersion
from domain.exchange import Direction, Exchange, Outcome
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id, random_id
from domain.provenance import Provenance, acting
from domain.rights import Actor, Right, require
from domain.store import Receipt
from domain.texts import must_fit

REASON_CHARACTERS_MAX: Final = 500


class Resumed(Struct, frozen=True):
    """What became of several messages that were to be resumed."""

    done: int
    settled: int
    """Somebody else decided about them meanwhile."""
    first: int
    """Position of the first event; 0 when nothing was done."""
    position: int
    """Of the last event; 0 when nothing was done."""


class ByHand:
    """Every method needs an ``acting`` block of its actor, who needs the right to send."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._ledger = conversations.ledger

    async def send(self, actor: Actor, number: int, helpdesk: str) -> tuple[UUID, Receipt]:
        """Begin to exchange a ticket; the worker sends it.

        Raises ``Forbidden``, ``TicketNotFound``, ``EntryNotFound``, ``NotNow``, ``NothingToDo``.
        """
        require(actor, Right.SEND)
        require(actor, Right.SEND, await self._ledger.ticket(number))
        partner = await self._conversations.known_partner(helpdesk)
        if partner.interface is InterfaceState.NOT_INTERFACED:
            raise NotNow(
                f"{helpdesk} is not interfaced; set its interface to testing or live first"
            )
        exchange = Exchange(random_id())
        exchange.open(helpdesk, number)
        try:
            receipt = await self._ledger.save(exchange)
        except AlreadyClaimed as error:
            raise NothingToDo(f"ticket {number} is exchanged with {helpdesk} already") from error
        assert receipt is not None
        return exchange.id, receipt

    async def resume(self, actor: Actor, exchange: UUID, reference: int, *, skip: bool) -> Receipt:
        """Let a parked message be tried again, or leave it out for good.

        Raises ``Forbidden``, ``EntryNotFound``, ``NotNow``.
        """
        require(actor, Right.SEND)
        receipt = await self._conversations.change(
            exchange, lambda found: found.resume(reference, skip=skip)
        )
        assert receipt is not None
        return receipt

    async def resume_all(
        self, actor: Actor, messages: Iterable[tuple[UUID, int]], *, skip: bool
    ) -> Resumed:
        """Resume many, each by itself: what is done stays done, wherever this ends.

        Raises ``Forbidden``, ``StoreUnavailable``.
        """
        require(actor, Right.SEND)
        done = settled = first = position = 0
        for exchange, reference in messages:
            try:
                receipt = await self.resume(actor, exchange, reference, skip=skip)
            except NotNow:
                settled += 1
            else:
                done, position = done + 1, receipt.position
                first = first or position
        return Resumed(done, settled, first, position)

    async def preview(self, actor: Actor, exchange: UUID, reference: int) -> Preview:
        """What a parked message would do if it were tried again now. Nothing happens.

        Raises ``Forbidden``, ``EntryNotFound``, ``NotNow``.
        """
        require(actor, Right.SEND)
        found = await self._conversations.load(exchange)
        message = found.messages.get(reference)
        if message is None or message.outcome is not Outcome.PARKED:
            raise NotNow(f"message {reference} is not parked")
        partner = await self._conversations.known_partner(found.helpdesk)
        if message.direction is Direction.OUT:
            _, body = await self.raw(actor, exchange, reference)
            return Preview(
                direction=message.direction.value,
                mapping="",
                outcome="sent",
                number=found.number,
                text=body.decode("utf-8", "replace")[:TEXT_CHARACTERS_MAX],
                size=len(body),
            )
        adapter = self._conversations.adapters[partner.adapter]
        as_partner = Provenance(f"helpdesk:{partner.name}", random_id(), "preview")
        with acting(as_partner, message.at):
            rehearsal = Rehearsal(self._conversations, adapter, partner, found, message)
            return await rehearsal.preview()

    async def set_interface(
        self,
        actor: Actor,
        helpdesk: str,
        state: InterfaceState,
        reason: str = "",
        *,
        expected_version: int | None = None,
    ) -> tuple[Helpdesk, Receipt]:
        """Let messages flow, or hold them. What waits for a paused partner is kept, and not parked.

        Raises ``Forbidden``, ``EntryNotFound``, ``NothingToDo``, ``StaleVersion``.
        """
        require(actor, Right.ADMINISTER)
        must_fit("reason", reason, REASON_CHARACTERS_MAX)
        partner = await self.registered(helpdesk)
        if expected_version is not None and expected_version != partner.version:
            raise StaleVersion(expected_version, partner.version)
        partner.set_interface(state, reason)
        receipt = await self._ledger.save(partner)
        assert receipt is not None
        return partner, receipt

    async def registered(self, helpdesk: str) -> Helpdesk:
        """As it is registered, whether it is connected or not. Raises ``EntryNotFound``."""
        partner = await self._ledger.load(Helpdesk, named_id(Helpdesk.KIND, helpdesk))
        if partner is None:
            raise EntryNotFound("helpdesk", helpdesk)
        return partner

    async def raw(self, actor: Actor, exchange: UUID, reference: int) -> tuple[str, bytes]:
        """Media type and bytes of a message, as it came or as it was to be sent.

        Raises ``Forbidden``, ``EntryNotFound``.
        """
        require(actor, Right.SEND)
        history = await self._ledger.store.stream(
            exchange, after_version=reference - 1, until_version=reference
        )
        event = history[0].event if history else None
        sealed = (
            event.raw
            if isinstance(
                event, Exchange.MessageReceived | Exchange.DispatchDecided | Exchange.Returned
            )
            else None
        )
        found = await self._ledger.store.contents([sealed.id]) if sealed else {}
        if sealed is None or sealed.id not in found:
            raise EntryNotFound("message", f"{exchange}/{reference}")
        content = found[sealed.id]
        return content.media_type, content.body
