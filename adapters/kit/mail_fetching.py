"""Mail in, from mailboxes: each is emptied by a worker of its own, into the same door as all other mail.

A mail is moved out of the way only after it is stored; a crash between the two brings it again, and the
door knows it. The server tells of new mail (IDLE); whether it does or not, it is asked from time to time.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final, TypeVar, TypeVarTuple

import structlog
from msgspec import Struct

from adapters.kit import mail
from adapters.kit.mail_door import MailDoor, NotTaken
from adapters.kit.mailbox import Mailbox, MailboxAddress, MailboxTrouble, Waiting
from adapters.kit.retry import Patience
from adapters.kit.worker import ExchangeWorker
from domain import clock
from domain.errors import StoreUnavailable, TooLarge

log = structlog.get_logger()

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_PAGE: Final = 50
_LISTEN_S: Final = 240.0
"""Shorter than routers in between forget a silent connection."""
_LATER_S: Final = 60.0
"""For mails that may be brought again."""
_STORE_AWAY_S: Final = 5.0
_REFUSED: Final = Patience(first_s=60, longest_s=3600)
"""Servers lock accounts after a few wrong passwords."""
_HEAD_BYTES_MAX: Final = 64_000
_RECIPIENTS_MAX: Final = 20
_RECIPIENTS: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
"""What says to whom a mail was sent, the most trustworthy first."""


class MailboxHealth(Struct, kw_only=True):
    """How emptying a mailbox goes."""

    mailbox: str
    state: str = "not started"
    """``connecting``, ``open``, ``login-refused``, ``not-reached``, ``store-away`` or ``not started``."""
    asked_at: datetime | None = None
    """When it was last seen empty of all that can be taken."""
    failures: int = 0
    """In a row."""
    last_error: str = ""
    taken: int = 0
    """Since the start, as the other figures."""
    refused: int = 0
    last_refusal: str = ""
    large: int = 0
    """Too large: the header is kept and shown among the parked messages, the mail stays in its folder."""
    left: int = 0
    """Mails that wait in the mailbox because they may not be taken yet."""


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
        mailbox = Mailbox(self._address, self._password, self._trust)
        thread = _Thread()
        try:
            await thread.do(mailbox.open)
            self.health.state = "open"
            while True:
                left = await self._empty(mailbox, thread, stop)
                if stop.is_set():
                    break
                health = self.health
                health.asked_at, health.failures, health.last_error = clock.now(), 0, ""
                health.left = left
                await self._rest(mailbox, thread, stop, _LATER_S if left else _LISTEN_S)
            await thread.do(mailbox.close)
        finally:
            mailbox.abort()
            thread.end(mailbox.hang_up)

    async def _rest(
        self, mailbox: Mailbox, thread: "_Thread", stop: asyncio.Event, seconds: float
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

    async def _empty(self, mailbox: Mailbox, thread: "_Thread", stop: asyncio.Event) -> int:
        """Take all that is there; how many mails were left for later."""
        left = 0
        while page := await thread.do(mailbox.page, left, _PAGE):
            away: dict[str, list[str]] = defaultdict(list)
            try:
                for waiting in page:
                    if stop.is_set():
                        return left
                    if folder := await self._take(mailbox, thread, waiting):
                        away[folder].append(waiting.uid)
                    else:
                        left += 1
            finally:
                for folder, uids in away.items():
                    await thread.do(mailbox.move, uids, folder)
        return left

    async def _take(self, mailbox: Mailbox, thread: "_Thread", waiting: Waiting) -> str:
        """Give one mail to the door; the folder that it belongs into now, or none where it is to stay."""
        bytes_max, large = self._door.bytes_max, ""
        if waiting.size > bytes_max:
            large = f"{waiting.size} bytes, it lies in the folder {self._address.large}"
            head = await thread.do(mailbox.fetch, waiting.uid, _HEAD_BYTES_MAX, "HEADER")
            raw = None if head is None else mail.stub(head, large)
        else:
            raw = await thread.do(mailbox.fetch, waiting.uid, bytes_max + 1)
        if raw is None:
            return ""  # somebody else took it away
        try:
            await self._give(raw)
        except (NotTaken, TooLarge) as refusal:
            if isinstance(refusal, NotTaken) and refusal.later:
                return ""
            self.health.refused += 1
            self.health.last_refusal = f"{clock.now():%Y-%m-%d %H:%M} UTC: {refusal}"
            log.warning("mail was refused", mailbox=self.health.mailbox, why=str(refusal))
            return self._address.large if large else self._address.refused
        if large:
            self.health.large += 1
            return self._address.large
        self.health.taken += 1
        return self._address.done

    async def _give(self, raw: bytes) -> None:
        """Raises ``NotTaken``, ``TooLarge``, ``StoreUnavailable``."""
        head = BytesHeaderParser().parsebytes(raw[:_HEAD_BYTES_MAX])
        refusal = NotTaken("unknown", f"it is to nobody at {self._door.domain}")
        for recipient in recipients(head, self._door.domain):
            try:
                received = await self._door.take(sender(head), recipient, raw)
            except NotTaken as error:
                refusal = error
                if error.code != "unknown":
                    break
                continue
            if received is not None and self._worker is not None:
                self._worker.stir(received)
            return
        raise refusal


def sender(head: Message) -> str:
    """Who sent it, as the last mail server knew; else as the mail says."""
    returns_to = mail.header(head, "Return-Path")
    return returns_to or mail.address(mail.header(head, "From"))


def recipients(head: Message, domain: str) -> list[str]:
    """The addresses with us that it may have been sent to, the likeliest first."""
    found: dict[str, None] = {}
    for name in _RECIPIENTS:
        for value in (head.get_all(name) or ())[:_RECIPIENTS_MAX]:
            for each in mail.decoded(str(value)).split(","):
                address = mail.address(each)
                if address.endswith(f"@{domain}"):
                    found[address] = None
    return list(found)[:_RECIPIENTS_MAX]


class _Thread:
    """One thread, in which blocking calls follow each other."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mailbox")

    async def do(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    def end(self, last: Callable[[], None]) -> None:
        """Let what runs come to its end, do the last, and wait for neither."""
        self._pool.submit(last)
        self._pool.shutdown(wait=False)


async def _within(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
