"""The exchange at work: follows the log and keeps every conversation moving, each on its own.

The log is the queue. A checkpoint says from where to read it after a restart, and from where to fetch what
waited then. Reading again is harmless, because every decision is recorded with the position it is about.
"""

import asyncio
from collections import OrderedDict
from typing import Final, Protocol
from uuid import UUID

import structlog

from adapters.kit.checkpoints import Checkpoints
from adapters.kit.conversations import Conversations
from adapters.kit.deciding import Deciding
from adapters.kit.fetching import ELSEWHERE, Fetching
from adapters.kit.following import Following, remember
from adapters.kit.inbox import Inbox, Received
from adapters.kit.lanes import Lane
from adapters.kit.outbox import Outbox
from adapters.kit.polling import Pollers
from adapters.kit.progress import Progress
from adapters.kit.retry import Patience
from adapters.kit.turns import Turns
from domain.exchange import Direction, Exchange
from domain.helpdesk import Helpdesk
from domain.store import Recorded

log = structlog.get_logger()

NAME: Final = "exchange"
_PAGE: Final = 500
_IDLE_S: Final = 1.0
_AT_ONCE: Final = 16
_MOST: Final = 5_000
"""Conversations with incoming messages, in memory."""


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
        self._outbox = outbox
        self._following = Following(conversations, deciding, self._conversation_moved, self._met)
        self.pollers = pollers
        self._store, self._recent = conversations.ledger.store, conversations.recent
        self._wakeup, self._checkpoints, self._patience = wakeup, checkpoints, patience
        self._with: OrderedDict[UUID, str] = OrderedDict()
        """Which partner a conversation is with."""
        self._in = Turns(self._apply, at_once=_AT_ONCE, most=_MOST)
        self._lanes: dict[str, Lane] = {}
        self._running = False
        self.position = 0
        self.fetching: Fetching | None = None
        """Set where the exchange is put together."""

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until ``stop`` is set. After an exception it may be run again."""
        self.position, memory = await self._checkpoints.load(NAME)
        saved = (self.position, memory)
        self._following.forget()
        self._running = True
        try:
            await self._resume(Progress.read(memory))
            if self.fetching:
                await self.fetching.begin()
            while not stop.is_set():
                page = await self._store.log(self.position, _PAGE)
                await self._following.follow(page)
                if page:
                    self.position = page[-1].position
                    await asyncio.sleep(0)
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
            if self.fetching:
                await self.fetching.close()
            for turns in self._all_turns():
                await turns.close()
            await self._outbox.hang_up()
            self._lanes.clear()
            self._following.forget()
            self._with.clear()

    def stir(self, received: Received) -> None:
        """Something came in.

        No matter where the worker does not run: the process in which it does learns of it from the log.
        """
        if self._running and not received.settled:
            self._in.add(received.exchange, received.position)

    # -- what waits ----------------------------------------------------------------------------------

    def _all_turns(self) -> list[Turns]:
        return [self._in, *(lane.turns for lane in self._lanes.values())]

    def _waiting(self) -> bool:
        return any(turns.waiting for turns in self._all_turns())

    async def _resume(self, progress: Progress) -> None:
        """Meet the partners; what waits stays in the log until there is a place for it."""
        self._in = Turns(self._apply, at_once=_AT_ONCE, most=_MOST)
        self._in.behind = progress.incoming
        for name in progress.partners:
            await self._following.meet(name)
        for name in progress.outgoing:
            self._lanes[name] = Lane(self._outbox, self._patience)
            self._lanes[name].resume(progress.outgoing[name], progress.probes.get(name, 0))

    def _progress(self) -> Progress:
        oldest = {name: each.turns.oldest() for name, each in sorted(self._lanes.items())}
        return Progress(
            partners=sorted(self._following.partners),
            incoming=self._in.oldest() or 0,
            outgoing={name: position for name, position in oldest.items() if position},
            probes={name: self._lanes[name].probes for name in oldest if self._lanes[name].probes},
        )

    async def _lane(self, stream: UUID) -> Lane:
        name = self._with.get(stream)
        if name is None:
            name = (await self._conversations.seen(stream)).helpdesk
            remember(self._with, stream, name)
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
                return [] if self._recent.idle(stream, Direction.IN) else [self._in]
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
        await self._recent.landed(stream)
        idle = self._recent.idle(stream, Direction.IN) or not await self._inbox.apply(stream)
        return None if idle or self._recent.idle(stream, Direction.IN) else 0

    async def _conversation_moved(self, recorded: Recorded) -> None:
        event, stream = recorded.event, recorded.event.originator_id
        if isinstance(event, Exchange.Opened) and event.number:
            remember(self._with, stream, event.helpdesk)
        if isinstance(event, Exchange.Applied) and ELSEWHERE in event.withheld and self.fetching:
            await self.fetching.want(stream, event.reference)
        for turns in await self._turns_for(recorded):
            turns.add(stream, recorded.position)

    def _met(self, partner: Helpdesk) -> None:
        """What was held may go on: at another address, or from another environment."""
        self.pollers.attend(partner, self.stir)
        if partner.name in self._lanes:
            self._lanes[partner.name].wake()
