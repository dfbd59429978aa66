"""Messages of partners that wait for the answer: kept, applied at once, and what became of them.

The exchange worker may be faster, and so may another process: whoever settles the message, the outcome is
read from the conversation.
"""

import asyncio
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

from msgspec import Struct

from adapters.kit.conversations import Conversations
from adapters.kit.inbox import Inbox
from domain.aggregate import Event
from domain.content import Sealed
from domain.errors import StaleVersion
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id

_ATTEMPTS_MAX: Final = 5


class Settlement(Struct, frozen=True, kw_only=True):
    """What became of a message."""

    outcome: str
    """``applied``, ``ignored``, ``refused``, ``parked``; ``waiting`` behind one that is parked."""
    code: str = ""
    detail: str = ""
    number: int = 0
    """Our ticket; 0 when there is none."""
    withheld: tuple[str, ...] = ()


class Waiting:
    def __init__(self, conversations: Conversations, inbox: Inbox) -> None:
        self._conversations, self._inbox = conversations, inbox
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """A partner's calls wait for each other here, not in a contest for the versions of one conversation."""

    async def take(self, partner: Helpdesk, raw: bytes) -> Settlement:
        """Keep a message and give it its effect.

        Each call is a message of its own. That a repetition has no second effect follows from what it says.
        Raises ``TooLarge``, and ``StoreUnavailable``, ``StaleVersion`` when it may be asked again.
        """
        async with self._locks.setdefault(partner.name, asyncio.Lock()):
            return await self._take(partner, raw)

    async def _take(self, partner: Helpdesk, raw: bytes) -> Settlement:
        message_id = f"call:{random_id()}"
        received = await self._inbox.take(partner, raw, message_id)
        assert received is not None, "the identifier is new"
        waits = True
        for attempt in range(_ATTEMPTS_MAX):
            try:
                while waits and not await self._settled(received.exchange, message_id):
                    waits = await self._inbox.apply(received.exchange)
                break
            except StaleVersion:
                if attempt == _ATTEMPTS_MAX - 1:
                    raise
        return await self._outcome(received.exchange, message_id)

    async def _settled(self, stream: UUID, message_id: str) -> bool:
        exchange = await self._conversations.load(stream)
        return not any(
            message.message_id == message_id and message.outcome.value == "pending"
            for message in exchange.messages.values()
        )

    async def _outcome(self, stream: UUID, message_id: str) -> Settlement:
        store = self._conversations.ledger.store
        events = [recorded.event for recorded in await store.stream(stream)]
        number = Exchange.replay(stream, events).number
        reference = 0
        found = Settlement(outcome="waiting", code="waiting", number=number)
        for event in events:
            if isinstance(event, Exchange.MessageReceived) and event.message_id == message_id:
                reference = event.originator_version
            elif reference and getattr(event, "reference", 0) == reference:
                found = await self._told(event, number) or found
        return found

    async def _told(self, event: Event, number: int) -> Settlement | None:
        match event:
            case Exchange.Applied():
                return Settlement(outcome="applied", number=number, withheld=event.withheld)
            case Exchange.Ignored():
                return Settlement(
                    outcome="ignored", code=event.why, number=number, withheld=event.withheld
                )
            case Exchange.MessageRefused():
                return Settlement(
                    outcome="refused", code=event.code, detail=await self._text(event.detail), number=number
                )  # fmt: skip
            case Exchange.Parked():
                return Settlement(outcome="parked", code=event.code, number=number)
            case _:
                return None

    async def _text(self, sealed: Sealed) -> str:
        found = await self._conversations.ledger.store.contents([sealed.id])
        return found[sealed.id].text() if sealed.id in found else ""
