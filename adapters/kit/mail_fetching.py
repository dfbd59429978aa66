"""Mail in, from mailboxes: each is emptied by a worker of its own, into the same door as all other mail.

A mail is moved out of the way only after it is stored; a crash between the two brings it again, and the
door knows it. The server tells of new mail (IDLE); whether it does or not, it is asked from time to time.
"""

import asyncio
import ssl
from collections import Counter
from contextlib import suppress
from typing import Final

import structlog

from adapters.kit.mail_door import MailDoor
from adapters.kit.mail_emptying import Emptying, MailboxHealth
from adapters.kit.mailbox import Mailbox, MailboxAddress, MailboxTrouble
from adapters.kit.one_thread import OneThread
from adapters.kit.retry import Patience
from adapters.kit.worker import ExchangeWorker
from domain import clock
from domain.errors import StoreUnavailable

log = structlog.get_logger()

_LISTEN_S: Final = 240.0
"""Shorter than routers in between forget a silent connection."""
_LATER_S: Final = 60.0
"""For mails that may be brought again."""
_STORE_AWAY_S: Final = 5.0
_REFUSED: Final = Patience(first_s=60, longest_s=3600)
"""Servers lock accounts after a few wrong passwords."""


class MailFetcher:
    """Empties one mailbox."""

    def __init__(
        self,
        address: MailboxAddress,
        password: str,
        door: MailDoor,
        worker: ExchangeWorker | None,
        *,
        trust: ssl.SSLContext,
        every_s: float = 30.0,
        patience: Patience | None = None,
    ) -> None:
        """``every_s``: how often a server is asked that cannot tell by itself."""
        self._address, self._password, self._trust = address, password, trust
        self._door, self._worker = door, worker
        self._every_s = every_s
        self._patience = patience or Patience(first_s=1.0, longest_s=300.0)
        self.health = MailboxHealth(mailbox=str(address))
        self._broken: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; through all troubles of the server and of the store."""
        health = self.health
        while not stop.is_set():
            health.state = "connecting"
            try:
                await self._connection(stop)
            except MailboxTrouble as trouble:
                if stop.is_set():
                    return
                health.failures += 1
                health.state, health.last_error = trouble.code, f"{trouble.code}: {trouble}"
                log.warning("mailbox cannot be emptied", mailbox=health.mailbox, code=trouble.code)
                patience = _REFUSED if trouble.code == "login-refused" else self._patience
                pause_s = patience.pause_s(health.failures)
            except StoreUnavailable:
                health.state, pause_s = "store-away", _STORE_AWAY_S
            else:
                return
            await _within(stop, pause_s)

    async def _connection(self, stop: asyncio.Event) -> None:
        """One connection, until it breaks."""
        mailbox, health = Mailbox(self._address, self._password, self._trust), self.health
        thread = OneThread()
        try:
            await thread.do(mailbox.open)
            health.state = "open"
            while True:
                emptying = Emptying(mailbox, thread, self._door, self._worker, health, self._broken)
                left = await emptying.run(stop)
                if stop.is_set():
                    break
                health.asked_at, health.failures, health.last_error = clock.now(), 0, ""
                health.left = left
                await self._rest(mailbox, thread, stop, _LATER_S if left else _LISTEN_S)
            await thread.do(mailbox.close)
        finally:
            mailbox.abort()
            thread.end(mailbox.hang_up)

    async def _rest(
        self, mailbox: Mailbox, thread: OneThread, stop: asyncio.Event, seconds: float
    ) -> None:
        """Until the server tells something, at most so long."""
        if not mailbox.tells:
            await _within(stop, self._every_s)
            return
        if not await thread.do(mailbox.listen):
            loop, told = asyncio.get_running_loop(), asyncio.Event()
            either = [asyncio.create_task(each.wait()) for each in (told, stop)]
            loop.add_reader(mailbox.socket(), told.set)
            try:
                await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                loop.remove_reader(mailbox.socket())
                for each in either:
                    each.cancel()
        await thread.do(mailbox.listen_no_more)


async def _within(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
