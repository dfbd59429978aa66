"""The exchange at work: follows the log and keeps every conversation moving, each on its own.

The log is the queue. A checkpoint says from where to read it after a restart: just before the oldest
event whose conversation still has something to do. Reading again is harmless, because every decision
is recorded with the position it is about.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog

from adapters.kit.conversations import Conversations
from adapters.kit.inbox import Inbox, Received
from adapters.kit.outbox import Outbox
from adapters.kit.polling import Checkpoints, Pollers
from adapters.tasks import end
from domain.errors import StoreUnavailable
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import ticket_number
from domain.store import Recorded
from domain.ticket import Ticket

log = structlog.get_logger()

NAME: Final = "exchange"
_PAGE: Final = 500
_IDLE_S: Final = 1.0
_AT_ONCE: Final = 16
_HELD_S: Final = 30.0
"""How often a conversation looks again whether its paused partner is back, apart from being told."""
_TROUBLE_S: Final = 5.0
_KNOWN_MAX: Final = 20_000


class Wakeup(Protocol):
    async def wait(self, after: int, timeout: float) -> int: ...  # noqa: ASYNC109 - it is an answer


class ExchangeWorker:
    def __init__(
        self,
        conversations: Conversations,
        inbox: Inbox,
        outbox: Outbox,
        pollers: Pollers,
        wakeup: Wakeup,
        checkpoints: Checkpoints,
    ) -> None:
        self._conversations, self._inbox, self._outbox = conversations, inbox, outbox
        self.pollers = pollers
        self._store = conversations.ledger.store
        self._wakeup, self._checkpoints = wakeup, checkpoints
        self._partners: dict[str, Helpdesk] = {}
        self._about: OrderedDict[tuple[str, int], UUID | None] = OrderedDict()
        self._busy: dict[UUID, int] = {}
        """Conversations with something to do, and the position of the first event that says so."""
        self._stirred: dict[UUID, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._running = False
        self.position = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until ``stop`` is set. After an exception it may be run again."""
        self.position, memory = await self._checkpoints.load(NAME)
        saved = self.position
        self._running = True
        try:
            for name in msgspec.json.decode(memory or b"[]", type=list[str]):
                await self._meet(name)
            while not stop.is_set():
                page = await self._store.log(self.position, _PAGE)
                await self._follow(page)
                safe = min(self._busy.values(), default=self.position + 1) - 1
                if safe > saved and (page or not self._busy):
                    names = msgspec.json.encode(sorted(self._partners))
                    await self._checkpoints.save(NAME, safe, names)
                    saved = safe
                if not page:
                    await self._wakeup.wait(self.position, _IDLE_S)
        finally:
            self._running = False
            await self.pollers.close()
            await end(*self._tasks)
            await self._outbox.hang_up()
            self._busy.clear()
            self._stirred.clear()
            self._about.clear()

    def stir(self, stream: UUID, position: int) -> None:
        """Something may have to be done in this conversation since ``position``.

        No matter where the worker does not run: the process in which it does learns of it from the log.
        """
        if not self._running:
            return
        if stream in self._stirred:
            self._stirred[stream].set()
            return
        self._stirred[stream] = asyncio.Event()
        self._busy[stream] = position
        task = asyncio.create_task(self._converse(stream), name=f"exchange {stream}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _received(self, received: Received) -> None:
        self.stir(received.exchange, received.position)

    # -- following the log ---------------------------------------------------------------------------

    async def _follow(self, page: Sequence[Recorded]) -> None:
        for recorded in page:
            kind = type(recorded.event)
            if kind in Ticket.mutators:
                await self._ticket_changed(recorded)
            elif kind in Exchange.mutators:
                await self._conversation_moved(recorded)
            elif isinstance(recorded.event, Helpdesk.Registered):
                await self._meet(recorded.event.name)
            elif kind in Helpdesk.mutators:
                await self._terms_changed(recorded.event.originator_id)
            self.position = recorded.position
        await asyncio.sleep(0)

    async def _ticket_changed(self, recorded: Recorded) -> None:
        event = recorded.event
        if not self._partners or event.provenance.actor.startswith("import:"):
            return  # a history is not news
        number = ticket_number(event.originator_id)
        assert number is not None
        for partner in list(self._partners.values()):
            stream = await self._stream_about(partner.name, number)
            if stream is not None:
                await self._outbox.consider(stream, recorded)
            elif (
                isinstance(event, Ticket.Assigned)
                and event.unit in partner.units
                and partner.interface is not InterfaceState.NOT_INTERFACED
            ):
                await self._outbox.begin(partner, number, recorded)

    async def _conversation_moved(self, recorded: Recorded) -> None:
        event, stream = recorded.event, recorded.event.originator_id
        match event:
            case Exchange.Opened() if event.number:
                self._about[event.helpdesk, event.number] = stream
                await self._outbox.tell_whole(stream, recorded)
            case Exchange.Linked():
                exchange = await self._conversations.load(stream)
                self._about[exchange.helpdesk, event.number] = stream
                await self._outbox.tell_whole(stream, recorded)
            case Exchange.MessageReceived() | Exchange.Resumed():
                self.stir(stream, recorded.position)
            case Exchange.DispatchDecided() if event.disclosed:
                self.stir(stream, recorded.position)
            case _:
                pass

    async def _stream_about(self, helpdesk: str, number: int) -> UUID | None:
        """Remembered; what is not there yet comes by with the log."""
        key = (helpdesk, number)
        if key not in self._about:
            if len(self._about) >= _KNOWN_MAX:
                self._about.popitem(last=False)
            self._about[key] = await self._conversations.about(helpdesk, number=number)
        return self._about[key]

    async def _meet(self, name: str) -> None:
        partner = await self._conversations.partner(name)
        if partner is not None:
            self._partners[name] = partner
            self.pollers.attend(partner, self._received)

    async def _terms_changed(self, stream: UUID) -> None:
        for name, partner in list(self._partners.items()):
            if partner.id == stream:
                await self._meet(name)
        for event in self._stirred.values():
            event.set()

    # -- one conversation ----------------------------------------------------------------------------

    async def _converse(self, stream: UUID) -> None:
        """Work until nothing is left to do. Both directions go on by themselves, each in its order."""
        stirred = self._stirred[stream]
        while True:
            stirred.clear()
            try:
                pause_s = await self._move(stream)
            except StoreUnavailable:
                pause_s = _TROUBLE_S
            except Exception:  # the edge: no conversation may stop the others, nor be forgotten
                log.exception("conversation in trouble", exchange=str(stream))
                pause_s = _TROUBLE_S
            if pause_s is None and not stirred.is_set():
                break
            if pause_s:
                await _first_of(stirred, pause_s)
        del self._stirred[stream], self._busy[stream]

    async def _move(self, stream: UUID) -> float | None:
        """Do all that can be done now; seconds until the next attempt, or None when nothing waits."""
        async with self._at_once:
            while await self._inbox.apply(stream):
                pass
        while (pause_s := await self._outbox.deliver(stream)) == 0:
            pass
        if pause_s is None and await self._outbox.held(stream):
            return _HELD_S
        return pause_s


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
