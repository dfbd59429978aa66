"""Which conversation is about which ticket. Answers come from claims in the store, never from projections.

``exchange:<helpdesk>`` and our number, ``link:<helpdesk>`` and their identifier, each lead to the one
``Exchange`` that may hold them: so two messages that arrive together cannot begin two conversations.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog

from adapters.kit.contract import Adapter, Place
from adapters.kit.reading import Readings
from adapters.kit.recent import Recent
from domain.content import Sealed
from domain.errors import EntryNotFound, Refused, StaleVersion, StoreUnavailable
from domain.exchange import Exchange
from domain.helpdesk import PRODUCTION, Helpdesk, InterfaceState
from domain.identifiers import named_id, random_id, ticket_id
from domain.ledger import Ledger
from domain.store import Receipt, Recorded

log = structlog.get_logger()

ATTEMPTS_MAX: Final = 10
"""How often a decision is repeated because another process wrote to the same conversation meanwhile."""

CONNECTED: Final = frozenset({InterfaceState.TESTING, InterfaceState.LIVE})
"""Messages flow both ways."""


class Conversations:
    def __init__(
        self,
        ledger: Ledger,
        adapters: Mapping[str, Adapter],
        place: Callable[[Helpdesk], Place],
        environment: str = PRODUCTION,
    ) -> None:
        self.ledger = ledger
        self.adapters = adapters
        self.place = place
        """The terms of messages to and from a partner."""
        self.readings = Readings()
        self.recent = Recent()
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        self._environment = environment

    async def partner(self, name: str) -> Helpdesk | None:
        """The helpdesk as registered now. One whose adapter this program does not have is none.

        Where we are a test and it is real, its interface counts as paused.
        """
        return self._usable(await self.ledger.load(Helpdesk, named_id(Helpdesk.KIND, name)))

    async def terms(self, name: str) -> Helpdesk | None:
        """The same as of a moment ago, to be read and not to be changed."""
        return self._usable(await self.ledger.directory.helpdesk(name))

    async def known_terms(self, name: str) -> Helpdesk:
        """As ``terms``. Raises ``EntryNotFound``."""
        found = await self.terms(name)
        if found is None:
            raise EntryNotFound("helpdesk", name)
        return found

    def _usable(self, found: Helpdesk | None) -> Helpdesk | None:
        if found is not None and found.adapter not in self.adapters:
            log.error("helpdesk has an unknown adapter", helpdesk=found.name, adapter=found.adapter)
            return None
        if found is not None and found.out_of_bounds(self._environment):
            found.interface = InterfaceState.PAUSED
        return found

    async def known_partner(self, name: str) -> Helpdesk:
        """The helpdesk. Raises ``EntryNotFound``."""
        found = await self.partner(name)
        if found is None:
            raise EntryNotFound("helpdesk", name)
        return found

    async def about(self, helpdesk: str, *, number: int = 0, external_id: str = "") -> UUID | None:
        """The conversation about our ticket, or else about theirs."""
        return (await self.find(helpdesk, number=number, external_id=external_id))[1]

    async def find(
        self, helpdesk: str, *, number: int = 0, external_id: str = ""
    ) -> tuple[str, UUID | None]:
        """The same, and where there is none the key under which their ticket can be claimed."""
        for name in (number, external_id):
            if name and (found := self.recent.about(helpdesk, name)):
                return "", found
            if name and name == number:
                found = await self.ledger.store.holder(f"exchange:{helpdesk}", str(number))
                if found is not None:
                    return "", found
        return await self.link(helpdesk, external_id) if external_id else ("", None)

    async def link(self, helpdesk: str, external_id: str) -> tuple[str, UUID | None]:
        """The key under which their ticket is claimed, and the conversation about it.

        Claims are for ever. A partner that was restored from a backup gives identifiers a second time: then
        the conversation about the lost ticket gave up its claim, and the next one has a key of its own.
        """
        store, key, times = self.ledger.store, external_id, 1
        while True:
            found = await store.holder(f"link:{helpdesk}", key)
            if found is None or await store.holder(f"unlinked:{helpdesk}", key) is None:
                return key, found
            times += 1
            key = f"{external_id} #{times}"

    async def load(self, stream: UUID) -> Exchange:
        """The conversation as it is now. Raises ``EntryNotFound``."""
        reading, current = self.recent.begin_reading(stream), False
        try:
            found = await self.ledger.load(Exchange, stream)
        finally:
            current = self.recent.end_reading(stream, reading)
        if found is None:
            raise EntryNotFound("exchange", str(stream))
        if current:
            self.recent.keep(found)
        return found.fork()

    async def kept_or_load(self, stream: UUID) -> Exchange:
        """The conversation as it was lately; see ``Recent`` for what may be decided on it."""
        await self.recent.landed(stream)
        return self.recent.kept(stream) or await self.load(stream)

    async def seen(self, stream: UUID) -> Exchange:
        """The same, to be read and not to be changed."""
        await self.recent.landed(stream)
        return self.recent.seen(stream) or await self.load(stream)

    async def begin_or_load(self, stream: UUID | None) -> Exchange:
        """The conversation as it was lately, or a new one that is not opened yet."""
        return Exchange(random_id()) if stream is None else await self.kept_or_load(stream)

    async def history(self, number: int, as_of: int) -> list[Recorded]:
        """The events of our ticket up to a position, oldest first. Raises ``TicketNotFound``."""
        told = self.recent.history(ticket_id(number), as_of)
        return told or await self.ledger.history(number, as_of=as_of)

    async def bodies(self, *sealed: Sealed | None) -> list[bytes | None]:
        """The bytes of messages and texts; None for what was erased."""
        known = {each.id: self.recent.body(each) for each in sealed if each}
        wanted = [id_ for id_, body in known.items() if body is None]
        found = await self.ledger.store.contents(wanted) if wanted else {}
        known |= {id_: content.body for id_, content in found.items()}
        return [known[each.id] if each else None for each in sealed]

    def alone(self, stream: UUID) -> asyncio.Lock:
        """One decision about a conversation at a time in this process: conflicts are left to other processes.

        A conflict costs more than its repetition: all commands that were to be stored with it are judged one by one.
        """
        lock = self._locks.get(stream)
        if lock is None:
            lock = self._locks[stream] = asyncio.Lock()
        return lock

    async def save(self, exchange: Exchange) -> Receipt | None:
        """Store what was decided. Raises what ``Ledger.save`` raises."""
        self.recent.expect(exchange)
        try:
            receipt = await self.ledger.save(exchange)
        except BaseException:
            self.recent.forget(exchange.id)
            raise
        self.recent.keep(exchange)
        return receipt

    async def change(self, stream: UUID, decide: Callable[[Exchange], object]) -> Receipt | None:
        """Decide on the present state and store it; again when somebody else was faster.

        Needs an ``acting`` block. Raises what ``decide`` raises.
        """
        for attempt in range(ATTEMPTS_MAX):
            async with self.alone(stream):
                kept = None if attempt else self.recent.kept(stream)
                exchange = kept or await self.load(stream)
                try:
                    decide(exchange)
                    receipt = await self.save(exchange)
                except StoreUnavailable:
                    raise  # it may be stored: deciding again could do it twice
                except StaleVersion:
                    if attempt == ATTEMPTS_MAX - 1:
                        raise
                except Refused:
                    if kept is None:
                        raise
                else:
                    if receipt is not None or kept is None:
                        return receipt
        raise AssertionError  # the loop returns or raises
