"""What the log tells the exchange: of tickets, of conversations and of partners, page by page.

What is to be decided in consequence of a page is decided in its order within each conversation, and for
several conversations at a time.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

from adapters.kit.conversations import Conversations
from adapters.kit.deciding import Deciding
from domain.aggregate import Event
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import ticket_number
from domain.store import Recorded
from domain.ticket import Ticket

_AT_ONCE: Final = 16
_KNOWN_MAX: Final = 20_000

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Following:
    def __init__(
        self,
        conversations: Conversations,
        deciding: Deciding,
        moved: Callable[[Recorded], Awaitable[None]],
        met: Callable[[Helpdesk], None],
    ) -> None:
        """``moved`` is told of every event of a conversation, ``met`` of partners and of their new terms."""
        self._conversations, self._deciding = conversations, deciding
        self._directory, self._recent = conversations.ledger.directory, conversations.recent
        self._moved, self._met = moved, met
        self.partners: dict[str, Helpdesk] = {}
        self._about: OrderedDict[tuple[str, int], UUID | None] = OrderedDict()
        self._causes: dict[UUID, list[Recorded]] = {}
        """What the page tells of a conversation and its ticket."""

    def forget(self) -> None:
        """Another process may do the exchange meanwhile."""
        self._recent.forget_all()
        self._about.clear()
        self._causes.clear()

    async def follow(self, page: Sequence[Recorded]) -> None:
        """Return when all is decided. Raises ``StoreUnavailable``; then the page is to be followed again."""
        self._recent.tell(page)
        for recorded in page:
            event, kind = recorded.event, type(recorded.event)
            if kind in Ticket.mutators:
                await self._ticket_changed(recorded)
            elif kind in Exchange.mutators:
                self._recent.follow(event.originator_id, event.originator_version)
                await self._conversation_moved(recorded)
            elif kind in Helpdesk.mutators:
                await self._decide()  # by the terms of then
                await self._terms_changed(event)
        await self._decide()

    async def _decide(self) -> None:
        """What is to be decided in consequence of the page: in its order within each conversation."""
        causes, self._causes = list(self._causes.items()), {}
        for first in range(0, len(causes), _AT_ONCE):
            some = causes[first : first + _AT_ONCE]
            tasks = (self._deciding.decide(stream, told) for stream, told in some)
            for end in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(end, BaseException):
                    raise end

    async def _ticket_changed(self, recorded: Recorded) -> None:
        event = recorded.event
        if not self.partners or event.provenance.actor.startswith("import:"):
            return  # a history is not news
        number = ticket_number(event.originator_id)
        assert number is not None
        for partner in list(self.partners.values()):
            stream = await self._stream_about(partner.name, number)
            if stream is not None:
                self._causes.setdefault(stream, []).append(recorded)
            elif (
                (isinstance(event, Ticket.Assigned) and event.unit in partner.units)
                or isinstance(event, Ticket.Reopened)
            ) and partner.interface is not InterfaceState.NOT_INTERFACED:
                await self._deciding.begin(partner, number, recorded)

    async def _conversation_moved(self, recorded: Recorded) -> None:
        event, stream = recorded.event, recorded.event.originator_id
        match event:
            case Exchange.Opened() if event.number:
                remember(self._about, (event.helpdesk, event.number), stream)
                self._causes.setdefault(stream, []).append(recorded)
            case Exchange.Unlinked() | Exchange.Confirmed():
                self._causes.setdefault(stream, []).append(recorded)
            case Exchange.Linked():
                exchange = await self._conversations.seen(stream)
                remember(self._about, (exchange.helpdesk, event.number), stream)
                self._causes.setdefault(stream, []).append(recorded)
            case _:
                pass
        await self._moved(recorded)

    async def _stream_about(self, helpdesk: str, number: int) -> UUID | None:
        """Remembered; what is not there yet comes by with the log."""
        key = (helpdesk, number)
        if key not in self._about:
            stream = await self._conversations.about(helpdesk, number=number)
            remember(self._about, key, stream)
        return self._about[key]

    async def meet(self, name: str) -> None:
        """Learn the present terms of a partner."""
        partner = await self._conversations.partner(name)
        if partner is not None:
            self.partners[name] = partner
            self._met(partner)

    async def _terms_changed(self, event: Event) -> None:
        self._directory.forget([event.originator_id])
        if isinstance(event, Helpdesk.Registered):
            await self.meet(event.name)
            return
        for name, partner in list(self.partners.items()):
            if partner.id == event.originator_id:
                await self.meet(name)


def remember(known: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT) -> None:
    """As much of it as there is memory for."""
    known[key] = value
    if len(known) > _KNOWN_MAX:
        known.popitem(last=False)
