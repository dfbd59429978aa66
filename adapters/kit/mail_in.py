"""Mail in, by SMTP, inside the service's own loop: 250 is said only after the message is stored.

Each partner has an address of its own with us, ``<helpdesk>@<our domain>``; mail to it is believed from
the partner's registered sender alone. Only machines of ours (a mail server in front, partners on the
same host) are to reach the port: it listens on loopback and speaks no TLS.
"""

import asyncio
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.kit import mail
from adapters.kit.contract import Unreadable
from adapters.kit.conversations import Conversations
from adapters.kit.inbox import Inbox
from adapters.kit.worker import ExchangeWorker
from domain.errors import StoreUnavailable, TooLarge
from domain.helpdesk import Helpdesk, InterfaceState

log = structlog.get_logger()

BYTES_MAX: Final = 1_000_000
_IDLE_S: Final = 60.0
_LATER: Final = "451 4.3.0 cannot store it now, try again later"


class _Session(SMTP):
    # Old scripts write lines far longer than the 1,000 characters of the standard.
    line_length_limit = 100_000


class MailIn:
    """The receiving end. ``worker`` is told at once of what came in."""

    def __init__(
        self,
        conversations: Conversations,
        inbox: Inbox,
        worker: ExchangeWorker | None,
        domain: str,
        *,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._conversations, self._inbox, self._worker = conversations, inbox, worker
        self._domain, self._bytes_max = domain.lower(), bytes_max
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
                data_size_limit=self._bytes_max,
                hostname=self._domain,
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
        self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Know the partner by its address with us, and its sender."""
        try:
            partner = await self._partner(address)
        except StoreUnavailable:
            return _LATER
        if partner is None:
            return "550 5.1.1 no helpdesk of that name is connected here"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        sender = mail.address(envelope.mail_from or "")
        if not partner.sender or sender != partner.sender.strip().lower():
            log.warning("mail from a stranger", helpdesk=partner.name, peer=str(session.peer))
            return "550 5.7.1 this sender does not speak for the helpdesk"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail as it is, byte for byte."""
        raw: Any = envelope.original_content
        assert isinstance(raw, bytes)
        try:
            partner = await self._partner(envelope.rcpt_tos[0])
            if partner is None:
                return "550 5.1.1 no helpdesk of that name is connected here"
            sent_at = None
            try:
                sent_at = mail.sent_at(mail.parse(raw))
            except Unreadable:
                log.info("mail cannot be taken apart", helpdesk=partner.name)
            received = await self._inbox.receive(partner, raw, mail.identity(raw), sent_at)
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

    async def _partner(self, address: str) -> Helpdesk | None:
        name, _, domain = mail.address(address).partition("@")
        if domain != self._domain or not name.isidentifier():
            return None
        partner = await self._conversations.partner(name)
        if partner is None or partner.interface is InterfaceState.NOT_INTERFACED:
            return None
        return partner
