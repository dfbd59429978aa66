"""The exchange at work: follows the log and keeps every conversation moving, each on its own.

The log is the queue. A checkpoint says from where to read it after a restart, and from where to fetch what
waited then. Reading again is harmless, because every decision is recorded with the position it is about.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar
from uuid import UUID

import structlog

from adapters.kit.conversations import Conversations
from adapters.kit.deciding import Deciding
from adapters.kit.inbox import Inbox, Received
from adapters.kit.lanes import Lane
from adapters.kit.outbox import Outbox
from adapters.kit.polling import Checkpoints, Pollers
from adapters.kit.progress import Progress
from adapters.kit.retry import Patience
from adapters.kit.turns import Turns
from domain.aggregate import Event
from domain.exchange import Direction, Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import ticket_number
from domain.store import Recorded
from domain.ticket import Ticket

log = structlog.get_logger()

NAME: Final = "exchange"
_PAGE: Final = 500
_IDLE_S: Final = 1.0
_AT_ONCE: Final = 16
_MOST: Final = 5_000
"""Conversations with incoming messages, in memory."""
_KNOWN_MAX: Final = 20_000

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


class Wakeup(Protocol):
    async def wait(self, after: int, timeout: float) -> int: ...  # noqa: ASYNC109 - it is an answer


class ExchangeWorker:
    def __init__(
        self,
        conversations: Conversations,
        inbox: Inbox,
        deciding: Deciding,
        outbox: Outbox,
        pollers: Pollers,
        wakeup: Wakeup,
        checkpoints: Checkpoints,
        patience: Patience,
    ) -> None:
        self._conversations, self._inbox = conversations, inbox
        self._deciding, self._outbox = deciding, outbox
        self.pollers = pollers
        self._store, self._directory = conversations.ledger.store, conversations.ledger.directory
        self._recent = conversations.recent
        self._wakeup, self._checkpoints, self._patience = wakeup, checkpoints, patience
        self._partners: dict[str, Helpdesk] = {}
        self._about: OrderedDict[tuple[str, int], UUID | None] = OrderedDict()
        self._with: OrderedDict[UUID, str] = OrderedDict()
        """Which partner a conversation is with."""
        self._in = Turns(self._apply, at_once=_AT_ONCE, most=_MOST)
        self._lanes: dict[str, Lane] = {}
        self._causes: dict[UUID, list[Recorded]] = {}
        """What the page that is being read tells of a conversation and its ticket."""
        self._running = False
        self.position = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until ``stop`` is set. After an exception it may be run again."""
        self.position, memory = await self._checkpoints.load(NAME)
        saved = (self.position, memory)
        self._recent.forget_all()  # another process may have done the exchange meanwhile
        self._running = True
        try:
            await self._resume(Progress.read(memory))
            while not stop.is_set():
                page = await self._store.log(self.position, _PAGE)
                await self._follow(page)
                fetched = await self._catch_up()
                state = (self.position, self._progress().written())
                if state != saved and (page or fetched or not self._waiting()):
                    await self._checkpoints.save(NAME, *state)
                    saved = state
                if not page and not fetched:
                    await self._wakeup.wait(self.position, _IDLE_S)
        finally:
            self._running = False
            await self.pollers.close()
            for turns in self._all_turns():
                await turns.close()
            await self._outbox.hang_up()
            self._lanes.clear()
            self._about.clear()
            self._with.clear()
            self._causes.clear()

    def stir(self, stream: UUID, position: int) -> None:
        """Something came in for this conversation at ``position``.

        No matter where the worker does not run: the process in which it does learns of it from the log.
        """
        if self._running:
            self._in.add(stream, position)

    def _received(self, received: Received) -> None:
        self.stir(received.exchange, received.position)

    # -- what waits ----------------------------------------------------------------------------------

    def _all_turns(self) -> list[Turns]:
        return [self._in, *(lane.turns for lane in self._lanes.values())]

    def _waiting(self) -> bool:
        return any(turns.waiting for turns in self._all_turns())

    async def _resume(self, progress: Progress) -> None:
        """Meet the partners; what waits stays in the log until there is a place for it."""
        self._in = Turns(self._apply, at_once=_AT_ONCE, most=_MOST)
        self._in.behind = progress.incoming
        for name in progress.outgoing:
            self._lanes[name] = Lane(self._outbox, self._patience)
            self._lanes[name].resume(progress.outgoing[name], progress.probes.get(name, 0))
        for name in progress.partners:
            await self._meet(name)

    def _progress(self) -> Progress:
        oldest = {name: each.turns.oldest() for name, each in sorted(self._lanes.items())}
        return Progress(
            partners=sorted(self._partners),
            incoming=self._in.oldest() or 0,
            outgoing={name: position for name, position in oldest.items() if position},
            probes={name: self._lanes[name].probes for name in oldest if self._lanes[name].probes},
        )

    async def _lane(self, stream: UUID) -> Lane:
        name = self._with.get(stream)
        if name is None:
            name = (await self._conversations.load(stream)).helpdesk
            _remember(self._with, stream, name)
        if name not in self._lanes:
            self._lanes[name] = Lane(self._outbox, self._patience)
        return self._lanes[name]

    async def _catch_up(self) -> bool:
        """Fetch from the log what found no place before; whether there was something to fetch."""
        busy = [turns for turns in self._all_turns() if turns.room]
        for turns in busy:
            page = await self._store.log(turns.behind - 1, _PAGE)
            for recorded in page:
                if turns.full or recorded.position > self.position:
                    break
                if turns in await self._turns_for(recorded):
                    turns.add(recorded.event.originator_id, recorded.position, fetched=True)
                turns.behind = recorded.position + 1
            if turns.behind > self.position:
                turns.behind = 0
        return bool(busy)

    async def _turns_for(self, recorded: Recorded) -> list[Turns]:
        """Where the conversation waits because of this event."""
        stream = recorded.event.originator_id
        match recorded.event:
            case Exchange.MessageReceived():
                return [self._in]
            case Exchange.DispatchDecided() as decided if decided.disclosed:
                return [(await self._lane(stream)).turns]
            case Exchange.Repeated():
                return [(await self._lane(stream)).turns]
            case Exchange.Resumed():
                return [self._in, (await self._lane(stream)).turns]
            case _:
                return []

    async def _apply(self, stream: UUID) -> float | None:
        """Give one message its effect; whether there may be more."""
        idle = self._recent.idle(stream, Direction.IN) or not await self._inbox.apply(stream)
        return None if idle or self._recent.idle(stream, Direction.IN) else 0

    # -- following the log ---------------------------------------------------------------------------

    async def _follow(self, page: Sequence[Recorded]) -> None:
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
        if page:
            self.position = page[-1].position
        await asyncio.sleep(0)

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
        if not self._partners or event.provenance.actor.startswith("import:"):
            return  # a history is not news
        number = ticket_number(event.originator_id)
        assert number is not None
        for partner in list(self._partners.values()):
            stream = await self._stream_about(partner.name, number)
            if stream is not None:
                self._causes.setdefault(stream, []).append(recorded)
            elif (
                isinstance(event, Ticket.Assigned)
                and event.unit in partner.units
                and partner.interface is not InterfaceState.NOT_INTERFACED
            ):
                await self._deciding.begin(partner, number, recorded)

    async def _conversation_moved(self, recorded: Recorded) -> None:
        event, stream = recorded.event, recorded.event.originator_id
        match event:
            case Exchange.Opened() if event.number:
                _remember(self._with, stream, event.helpdesk)
                _remember(self._about, (event.helpdesk, event.number), stream)
                self._causes.setdefault(stream, []).append(recorded)
            case Exchange.Unlinked():
                self._causes.setdefault(stream, []).append(recorded)
            case Exchange.Linked():
                exchange = await self._conversations.kept_or_load(stream)
                _remember(self._about, (exchange.helpdesk, event.number), stream)
                self._causes.setdefault(stream, []).append(recorded)
            case _:
                for turns in await self._turns_for(recorded):
                    turns.add(stream, recorded.position)

    async def _stream_about(self, helpdesk: str, number: int) -> UUID | None:
        """Remembered; what is not there yet comes by with the log."""
        key = (helpdesk, number)
        if key not in self._about:
            stream = await self._conversations.about(helpdesk, number=number)
            _remember(self._about, key, stream)
        return self._about[key]

    async def _meet(self, name: str) -> None:
        partner = await self._conversations.partner(name)
        if partner is not None:
            self._partners[name] = partner
            self.pollers.attend(partner, self._received)

    async def _terms_changed(self, event: Event) -> None:
        self._directory.forget([event.originator_id])
        if isinstance(event, Helpdesk.Registered):
            await self._meet(event.name)
            self._wake(event.name)
            return
        for name, partner in list(self._partners.items()):
            if partner.id == event.originator_id:
                await self._meet(name)
                self._wake(name)

    def _wake(self, name: str) -> None:
        """What was held may go on: at another address, or from another environment."""
        if name in self._lanes:
            self._lanes[name].wake()


def _remember(known: OrderedDict[KeyT, ValueT], key: KeyT, value: ValueT) -> None:
    known[key] = value
    if len(known) > _KNOWN_MAX:
        known.popitem(last=False)
