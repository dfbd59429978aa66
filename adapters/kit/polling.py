"""Asking partners for their changes: one poller a partner, each at its own pace, on the edge of the inbox.

What is found is kept under the partner's own identifiers, so finding it again is a no-op; the cursor is
saved only afterwards. A hint (a partner's push) makes a poller look at once; a lost one costs the interval.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec
import structlog
from msgspec import Struct

from adapters.kit.carriers import Carriers
from adapters.kit.checkpoints import Checkpoints
from adapters.kit.conversations import CONNECTED, Conversations
from adapters.kit.inbox import Inbox, Received
from adapters.kit.retry import Patience, Undelivered
from adapters.kit.reused import given_again
from adapters.tasks import end
from domain import clock
from domain.errors import StoreUnavailable
from domain.helpdesk import Helpdesk

log = structlog.get_logger()

POLLED: Final = "polled:"
"""Before the partner's name: under which its poller's health is kept, for other processes to read."""

_STORE_AWAY_S: Final = 5.0
_KEEP_EVERY: Final = timedelta(seconds=15)
"""So old may be what other processes read of a poller that does well."""
_ERROR_CHARACTERS_MAX: Final = 500


class Stir(Protocol):
    def __call__(self, received: Received) -> None:
        """A message was kept, and waits to have its effect."""
        ...


class PollerHealth(Struct, kw_only=True):
    """How asking a partner goes."""

    asked_at: datetime | None = None
    """When it last answered."""
    failures: int = 0
    """In a row."""
    last_error: str = ""
    """Of the last attempt; empty when it went well."""
    next_at: datetime | None = None
    """When it is asked again, unless something hints at news before."""


class LinkedTo:
    """Which tickets a poller finds are exchanged with us."""

    def __init__(self, conversations: Conversations, helpdesk: str) -> None:
        self._conversations, self._helpdesk = conversations, helpdesk
        self.another: set[tuple[str, datetime]] = set()
        """Identifiers of tickets of ours that are other tickets' now, and when these were made."""

    async def known(self, external_id: str, opened_at: datetime | None = None) -> bool:
        """See ``Known``."""
        stream = await self._conversations.about(self._helpdesk, external_id=external_id)
        if stream is None or opened_at is None:
            return stream is not None
        exchange = await self._conversations.load(stream)
        ours = exchange.external_id == external_id  # else it is a former identifier
        if ours and given_again(opened_at, exchange.opened_at, exchange.linked_at):
            self.another.add((external_id, opened_at))
            return False
        return True


class Pollers:
    """Asks each partner that has to be asked, in a task of its own: in its rhythm, or when something hints at news."""

    def __init__(
        self,
        conversations: Conversations,
        inbox: Inbox,
        carriers: Carriers,
        checkpoints: Checkpoints,
        *,
        every_s: float,
        patience: Patience,
    ) -> None:
        self._conversations, self._inbox = conversations, inbox
        self._carriers, self._checkpoints = carriers, checkpoints
        self._every_s, self._patience = every_s, patience
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._hints: dict[str, asyncio.Event] = {}
        self._kept: dict[str, tuple[datetime, int]] = {}
        self._others: dict[str, set[tuple[str, datetime]]] = {}
        """Tickets found under identifiers of others, because of which all were compared."""
        self.health: dict[str, PollerHealth] = {}
        self.restored: Callable[[Helpdesk], Awaitable[None]] | None = None
        """Called when a partner has forgotten what it had told us, before its news are taken in."""

    def attend(self, partner: Helpdesk, stir: Stir) -> None:
        """Ask this partner from now on, on its present terms; or no more, where they say so."""
        if not self._carriers.polled(partner):
            return
        name = partner.name
        self._hints.setdefault(name, asyncio.Event()).set()
        running = self._tasks.get(name)
        if partner.interface in CONNECTED and (running is None or running.done()):
            self._tasks[name] = asyncio.create_task(self._ask(name, stir), name=f"poll {name}")

    def hint(self, helpdesk: str) -> None:
        """The partner may have something new. Anybody may say so: it is only looked at sooner."""
        if event := self._hints.get(helpdesk):
            event.set()

    async def close(self) -> None:
        await end(*self._tasks.values())
        self._tasks.clear()

    async def _ask(self, name: str, stir: Stir) -> None:
        """Until the interface is paused; ``attend`` begins anew when it is live again."""
        health = self.health.setdefault(name, PollerHealth())
        hint = self._hints[name]
        while True:
            hint.clear()
            try:
                partner = await self._conversations.partner(name)
                if partner is None or partner.interface not in CONNECTED:
                    return
                if await self._carriers.poller(partner) is None:
                    await self._forget(name)
                    return
                more = await self.ask_once(partner, stir)
                health.asked_at, health.failures, health.last_error = clock.now(), 0, ""
                if more:
                    continue
                pause_s = self._every_s
            except Undelivered as failure:
                health.failures += 1
                health.last_error = f"{failure.code}: {failure}"[:_ERROR_CHARACTERS_MAX]
                log.warning("partner cannot be asked", helpdesk=name, code=failure.code)
                pause_s = self._patience.pause_s(health.failures, failure.retry_after_s)
            except StoreUnavailable:
                pause_s = _STORE_AWAY_S
            except Exception as error:  # the edge: one partner's answers may not end the exchange
                log.exception("poller in trouble", helpdesk=name)
                health.failures += 1
                health.last_error = f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS_MAX]
                pause_s = self._patience.pause_s(health.failures)
            health.next_at = clock.now() + timedelta(seconds=pause_s)
            with suppress(StoreUnavailable):
                await self._keep(name, health)
            with suppress(TimeoutError):
                await asyncio.wait_for(hint.wait(), pause_s)

    async def _forget(self, name: str) -> None:
        """It tells by itself: what was written down about asking it holds no more."""
        del self.health[name]
        self._kept.pop(name, None)
        _, memory = await self._checkpoints.load(POLLED + name)
        nothing = msgspec.json.encode(PollerHealth())
        if memory not in (b"", nothing):
            await self._checkpoints.save(POLLED + name, 0, nothing)

    async def _keep(self, name: str, health: PollerHealth) -> None:
        """Write down how it goes: a change of fortune at once, the usual now and then."""
        now = clock.now()
        kept_at, failures = self._kept.get(name, (now - _KEEP_EVERY, 0))
        if failures != health.failures or now - kept_at >= _KEEP_EVERY:
            await self._checkpoints.save(POLLED + name, 0, msgspec.json.encode(health))
            self._kept[name] = now, health.failures

    async def ask_once(self, partner: Helpdesk, stir: Stir) -> bool:
        """Fetch one page, keep what is in it, remember how far that was; whether there is more.

        Raises ``Undelivered``, ``StoreUnavailable``.
        """
        poller = await self._carriers.poller(partner)
        if poller is None:
            return False
        checkpoint = f"poll:{partner.name}"
        _, cursor = await self._checkpoints.load(checkpoint)

        about = LinkedTo(self._conversations, partner.name)
        found = await poller.poll(cursor, about.known)
        compared_for = self._others.setdefault(partner.name, set())
        others = about.another - compared_for
        if (found.restored or others) and self.restored is not None:
            await self.restored(partner)
        if others:  # they are nobody's now, unless an operator let one be so: ask once more
            compared_for |= others
            return True
        for message in found.messages:
            received = await self._inbox.take(
                partner, message.raw, message.message_id, message.sent_at
            )
            if received is not None:
                stir(received)
        if found.cursor != cursor:
            await self._checkpoints.save(checkpoint, 0, found.cursor)
        return found.more
