"""Mail in, by SMTP, inside the service's own loop: 250 is said only after the message is stored.

Each partner has an address of its own with us, ``<helpdesk>@<our domain>``; ``mail_door`` says which mail
to it is believed. Only machines of ours (a mail server in front, partners on the same host) are to reach
the port: it listens on loopback and speaks no TLS.
"""

import asyncio
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.kit.mail_door import MailDoor, NotTaken
from adapters.kit.worker import ExchangeWorker
from domain.errors import StoreUnavailable, TooLarge

log = structlog.get_logger()

_IDLE_S: Final = 60.0
_LATER: Final = "451 4.3.0 cannot store it now, try again later"
_CODES: Final = {"unknown": "550 5.1.1", "too-large": "552 5.3.4"}


class _Session(SMTP):
    # Old scripts write lines far longer than the 1,000 characters of the standard.
    line_length_limit = 100_000


class MailIn:
    """The receiving end. ``worker`` is told at once of what came in."""

    def __init__(self, door: MailDoor, worker: ExchangeWorker | None) -> None:
        self._door, self._worker = door, worker
        self.port = 0
        """Where it listens, once it does."""

    async def serve(self, host: str, port: int, stop: asyncio.Event) -> None:
        """Listen until ``stop`` is set."""
        server = await self.listen(host, port)
        async with server:
            await stop.wait()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Open the port (0: a free one). The server is the caller's to close."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Session(
                self,
                loop=loop,
                data_size_limit=self._door.bytes_max,
                hostname=self._door.domain,
                ident="Ticket Ledger",
                enable_SMTPUTF8=True,
                timeout=_IDLE_S,
            ),
            host,
            port,
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Know the partner by its address with us, and its sender."""
        try:
            await self._door.welcome(envelope.mail_from or "", address)
        except NotTaken as refusal:
            return _answer(refusal)
        except StoreUnavailable:
            return _LATER
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail as it is, byte for byte."""
        raw: Any = envelope.original_content
        assert isinstance(raw, bytes)
        try:
            received = await self._door.take(envelope.mail_from or "", envelope.rcpt_tos[0], raw)
        except NotTaken as refusal:
            return _answer(refusal)
        except TooLarge as error:
            return f"552 5.3.4 {error}"
        except StoreUnavailable:
            return _LATER
        if received is None:
            return "250 2.6.0 had it before"
        if self._worker is not None:
            self._worker.stir(received.exchange, received.position)
        return f"250 2.6.0 kept at position {received.position}"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever went wrong: the sender keeps the mail and tries again."""
        log.error("mail session failed", error=f"{type(error).__name__}: {error}"[:500])
        return _LATER


def _answer(refusal: NotTaken) -> str:
    if refusal.later:
        return f"451 4.7.1 {refusal}"
    return f"{_CODES.get(refusal.code, '550 5.7.1')} {refusal}"
