"""What an operator can do about the exchange: send a ticket to a helpdesk, retry or skip a message."""

from uuid import UUID

from adapters.kit.conversations import Conversations
from domain.errors import AlreadyClaimed, EntryNotFound, NothingToDo, NotNow
from domain.exchange import Exchange
from domain.helpdesk import InterfaceState
from domain.identifiers import random_id
from domain.rights import Actor, Right, require
from domain.store import Receipt


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
