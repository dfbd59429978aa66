"""Empties a mailbox that several partners write to: each one's mails in their order, the partners side by side.

The mails of a partner stand in a lane of their own, and each lane has one mail under way. The calls to the server follow
each other in the order in which they are asked for, so between two mails of one partner each other partner has
its turn: nobody waits for more than one mail of each of the others, however many and large they are, or slow to take.
"""

import asyncio
from collections import Counter, defaultdict, deque
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

import structlog
from msgspec import Struct

from adapters.kit import mail
from adapters.kit.mail_door import MailDoor, NotTaken
from adapters.kit.mailbox import ENVELOPE, Mailbox, MailboxTrouble, Waiting
from adapters.kit.one_thread import OneThread
from adapters.kit.worker import ExchangeWorker
from adapters.tasks import end
from domain import clock
from domain.errors import StoreUnavailable, TooLarge

log = structlog.get_logger()

_PAGE: Final = 200
_KNOWN_MAX: Final = 50_000
"""So many mails may wait in lanes; those behind them are looked at when there is room."""
_AT_ONCE: Final = 8
"""Mails in memory."""
_MOVED_AT_ONCE: Final = 50
_LOOK_S: Final = 1.0
_BREAKS_MAX: Final = 3
"""So often the connection may break over a mail before the others are taken without it."""
_HEAD_BYTES_MAX: Final = 64_000
_RECIPIENTS_MAX: Final = 20


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
    """Mails that wait in the mailbox because they may not or cannot be taken yet."""


class Emptying:
    """One look through the folder."""

    def __init__(
        self,
        mailbox: Mailbox,
        thread: OneThread,
        door: MailDoor,
        worker: ExchangeWorker | None,
        health: MailboxHealth,
        broken: Counter[str],
    ) -> None:
        """``broken``: how often a connection, this one or one before it, broke over a mail."""
        self._mailbox, self._thread, self._address = mailbox, thread, mailbox.address
        self._door, self._worker, self._health = door, worker, health
        self._broken = broken
        self._lanes: dict[str, deque[Waiting]] = defaultdict(deque)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._away: dict[str, list[str]] = defaultdict(list)
        self._numbering = asyncio.Lock()
        """Moving mails changes the places of those behind them."""
        self._listed = self._moved = self._last = 0
        self._is_broken = False

    async def run(self, stop: asyncio.Event) -> int:
        """Take all that is there, and what comes meanwhile; how many mails were left for later.

        Raises ``MailboxTrouble``, ``StoreUnavailable``.
        """
        try:
            while not stop.is_set():
                found = await self._look(stop)
                running = [each for each in self._tasks.values() if not each.done()]
                for each in self._tasks.values():
                    if each.done():
                        each.result()
                if found:
                    continue
                if running:
                    await asyncio.wait(
                        running, timeout=_LOOK_S, return_when=asyncio.FIRST_EXCEPTION
                    )
                elif not await self._move():
                    break
            if self._tasks:
                await asyncio.wait(
                    self._tasks.values()
                )  # each ends its mail, and sees that it is to stop
                for each in self._tasks.values():
                    each.result()
        finally:
            await end(*self._tasks.values())
            await self._move()
        self._broken.clear()
        return self._listed - self._moved

    async def _look(self, stop: asyncio.Event) -> bool:
        """Put what is new into the lanes; whether there was something."""
        if sum(map(len, self._lanes.values())) >= _KNOWN_MAX:
            return False
        async with self._numbering:
            place = self._listed - self._moved
            page = await self._thread.do(self._mailbox.page, place, _PAGE)
            news = [each for each in page if int(each.uid) > self._last]
            self._listed += len(news)
        for each in news:
            self._last = int(each.uid)
            name = await self._whose(each)
            self._lanes[name].append(Waiting(each.uid, each.size))
            if name not in self._tasks or self._tasks[name].done():
                serving = self._serve(self._lanes[name], stop)
                self._tasks[name] = asyncio.create_task(serving, name=f"mails of {name}")
        return bool(news)

    async def _whose(self, waiting: Waiting) -> str:
        """The partner that it is for; all mails for nobody share a lane."""
        head = BytesHeaderParser().parsebytes(waiting.head)
        for each in recipients(head, self._door.domain):
            if name := await self._door.addressed(each):
                return name
        return ""

    async def _serve(self, lane: deque[Waiting], stop: asyncio.Event) -> None:
        while lane and not stop.is_set():
            async with self._slots:
                folder = await self._taken(lane.popleft())
            if folder and sum(map(len, self._away.values())) >= _MOVED_AT_ONCE:
                await self._move()

    async def _move(self) -> bool:
        """Move what was seen to out of the way; whether there was something."""
        async with self._numbering:
            away = dict(self._away)
            self._away.clear()
            for folder, uids in away.items():
                await self._thread.do(self._mailbox.move, uids, folder)
                self._moved += len(uids)
        return bool(away)

    async def _taken(self, waiting: Waiting) -> str:
        """Take one mail, or leave it for later; the folder that it belongs into now."""
        if self._broken[waiting.uid] >= _BREAKS_MAX:
            return ""  # it is tried again when the others had their turn
        try:
            folder = await self._take(waiting)
        except MailboxTrouble:
            if not self._is_broken:  # those of the other lanes only stood behind it
                self._broken[waiting.uid] += 1
            self._is_broken = True
            raise
        except StoreUnavailable:
            raise
        except Exception as error:  # the edge: one mail may not keep the others
            log.exception("mail cannot be taken", mailbox=self._health.mailbox, uid=waiting.uid)
            self._tell(f"{type(error).__name__}: {error}"[:500] + "; it stays where it is")
            return ""
        if folder:
            self._away[folder].append(waiting.uid)
        return folder

    async def _take(self, waiting: Waiting) -> str:
        """Give one mail to the door; the folder that it belongs into now, or none where it is to stay."""
        bytes_max, large = self._door.bytes_max, ""
        if waiting.size > bytes_max:
            large = f"{waiting.size} bytes, it lies in the folder {self._address.large}"
            head = await self._thread.do(
                self._mailbox.fetch, waiting.uid, _HEAD_BYTES_MAX, "HEADER"
            )
            raw = None if head is None else mail.stub(head, large)
        else:
            raw = await self._thread.do(self._mailbox.fetch, waiting.uid, bytes_max + 1)
        if raw is None:
            return ""  # somebody else took it away
        try:
            await self._give(raw)
        except (NotTaken, TooLarge) as refusal:
            if isinstance(refusal, NotTaken) and refusal.later:
                return ""
            self._health.refused += 1
            self._tell(str(refusal))
            log.warning("mail was refused", mailbox=self._health.mailbox, why=str(refusal))
            return self._address.large if large else self._address.refused
        if large:
            self._health.large += 1
            return self._address.large
        self._health.taken += 1
        return self._address.done

    def _tell(self, refusal: str) -> None:
        self._health.last_refusal = f"{clock.now():%Y-%m-%d %H:%M} UTC: {refusal}"

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
    for name in ENVELOPE:
        for value in (head.get_all(name) or ())[:_RECIPIENTS_MAX]:
            for each in mail.decoded(str(value)).split(","):
                address = mail.address(each)
                if address.endswith(f"@{domain}"):
                    found[address] = None
    return list(found)[:_RECIPIENTS_MAX]
