"""Mail in, by SMTP or LMTP, inside the service's own loop: 250 is said only after the message is stored.

Each partner has an address of its own with us, ``<helpdesk>@<our domain>``; ``mail_door`` says which mail
to it is believed. SMTP takes a certificate (then nothing is heard before STARTTLS) or listens where only
this machine reaches it. LMTP is for a mail server in front: it is told of each recipient what became of
the mail, and nobody else is to reach the socket.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from adapters.kit.mail_door import MailDoor, NotTaken
from adapters.kit.worker import ExchangeWorker
from domain.errors import StoreUnavailable, TooLarge

log = structlog.get_logger()

_IDLE_S: Final = 60.0
_RECIPIENTS_MAX: Final = 100
_ADDRESSES_MAX: Final = 1_000
_ADDRESS_CHARACTERS_MAX: Final = 400
"""Those that are longer, with all that stands behind them, are not remembered."""
_LATER: Final = "451 4.3.0 cannot store it now, try again later"
_CODES: Final = {"unknown": "550 5.1.1", "too-large": "552 5.3.4"}


class _Session(SMTP):
    """Takes each address apart once: partners write from and to the same ones, and that is a fifth of a session."""

    # Old scripts write lines far longer than the 1,000 characters of the standard.
    line_length_limit = 100_000
    _taken_apart: ClassVar[dict[str, tuple[str | None, str | None]]] = {}

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        known = self._taken_apart.get(arg)
        if known is None:
            known = super()._getaddr(arg)
            if len(arg) <= _ADDRESS_CHARACTERS_MAX:
                if len(self._taken_apart) >= _ADDRESSES_MAX:
                    self._taken_apart.clear()
                self._taken_apart[arg] = known
        return known


class _LocalSession(_Session, LMTP):
    """Answers once for each recipient, also where the mail was not even looked at."""

    _answers = 0

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        self._answers = 0 if arg or self.envelope is None else len(self.envelope.rcpt_tos)
        try:
            await super().smtp_DATA(arg)
        finally:
            self._answers = 0

    async def push(self, status: str | bytes) -> None:
        text = status.decode() if isinstance(status, bytes) else status
        if self._answers > 1 and not text.startswith("354") and "\r\n" not in text:
            text = "\r\n".join([text] * self._answers)
        await super().push(text)


class MailIn:
    """The receiving end. ``worker`` is told at once of what came in."""

    def __init__(self, door: MailDoor, worker: ExchangeWorker | None) -> None:
        self._door, self._worker = door, worker
        self.port = 0
        """Where it listens for SMTP, once it does."""

    async def serve(
        self, host: str, port: int, stop: asyncio.Event, *, trust: ssl.SSLContext | None = None
    ) -> None:
        """Listen for SMTP until ``stop`` is set. ``trust``: our certificate."""
        server = await self.listen(host, port, trust=trust)
        async with server:
            await stop.wait()

    async def listen(
        self, host: str, port: int, *, trust: ssl.SSLContext | None = None
    ) -> asyncio.Server:
        """Open the port (0: a free one) for SMTP. The server is the caller's to close."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: self._session(_Session, tls_context=trust, require_starttls=trust is not None),
            host,
            port,
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def serve_locally(self, socket: Path, stop: asyncio.Event) -> None:
        """Listen for LMTP on a socket of the file system until ``stop`` is set."""
        async with self.listening_locally(socket):
            await stop.wait()

    @asynccontextmanager
    async def listening_locally(self, socket: Path) -> AsyncIterator[None]:
        """LMTP for the length of the block. Who may connect is decided by the rights of its folder."""
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(lambda: self._session(_LocalSession), socket)
        _open_to_all(socket)
        try:
            async with server:
                yield
        finally:
            _forget(socket)

    def _session(self, kind: type[SMTP], **more: Any) -> SMTP:
        return kind(
            self,
            loop=asyncio.get_running_loop(),
            data_size_limit=self._door.bytes_max,
            hostname=self._door.domain,
            ident="Ticket Ledger",
            enable_SMTPUTF8=True,
            timeout=_IDLE_S,
            **more,
        )

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Know the partner by its address with us, and its sender."""
        try:
            await self._door.welcome(envelope.mail_from or "", address)
        except NotTaken as refusal:
            return _answer(refusal)
        except StoreUnavailable:
            return _LATER
        if len(envelope.rcpt_tos) >= (_RECIPIENTS_MAX if isinstance(server, LMTP) else 1):
            return "452 4.5.3 not so many recipients at a time"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail as it is, byte for byte; one line for each recipient."""
        raw: Any = envelope.original_content
        assert isinstance(raw, bytes)
        sender = envelope.mail_from or ""
        return "\r\n".join([await self._take(sender, each, raw) for each in envelope.rcpt_tos])

    async def _take(self, sender: str, recipient: str, raw: bytes) -> str:
        try:
            received = await self._door.take(sender, recipient, raw)
        except NotTaken as refusal:
            return _answer(refusal)
        except TooLarge as error:
            return f"552 5.3.4 {error}"
        except StoreUnavailable:
            return _LATER
        if received is None:
            return "250 2.6.0 had it before"
        if self._worker is not None:
            self._worker.stir(received)
        return f"250 2.6.0 kept at position {received.position}"

    async def handle_exception(self, error: Exception) -> str:
        """Whatever went wrong: the sender keeps the mail and tries again."""
        log.error("mail session failed", error=f"{type(error).__name__}: {error}"[:500])
        return _LATER


def _open_to_all(socket: Path) -> None:
    socket.chmod(0o666)


def _forget(socket: Path) -> None:
    socket.unlink(missing_ok=True)


def _answer(refusal: NotTaken) -> str:
    if refusal.later:
        return f"451 4.7.1 {refusal}"
    return f"{_CODES.get(refusal.code, '550 5.7.1')} {refusal}"
