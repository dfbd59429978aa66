"""Mail out, by SMTP to a relay: encrypted, to a server that proves who it is, unless set otherwise."""

import ssl
from dataclasses import dataclass, field
from enum import Enum

import aiosmtplib
from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)

from adapters.kit.retry import Undelivered

_TIMEOUT_S = 20.0
_NOT_LET_IN = (530, 534, 535, 538)
"""A relay wants to know who writes, or does not believe it, or wants it encrypted: RFC 4954, section 6; RFC 3207."""


class RelaySecurity(Enum):
    STARTTLS = "starttls"
    """A relay that does not offer it gets nothing."""
    TLS = "tls"
    """From the first byte on, usually at port 465."""
    NONE = "none"
    """For a relay on this machine."""


@dataclass(frozen=True)
class RelayAccount:
    """As whom we write at a relay that takes mail only from users it knows."""

    user: str
    password: str = field(repr=False)


class MailOut:
    """One connection a message: simple, and a relay that went away is noticed at once."""

    def __init__(
        self,
        host: str,
        port: int,
        security: RelaySecurity = RelaySecurity.STARTTLS,
        trust: ssl.SSLContext | None = None,
        account: RelayAccount | None = None,
    ) -> None:
        """``trust``: whose certificates are believed; the system's authorities by default."""
        self._host, self._port, self._security = host, port, security
        self._account = account
        self._trust = trust or ssl.create_default_context()

    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:
        """Hand the mail over; what the relay answered. Raises ``Undelivered``."""
        if not recipient:
            raise Undelivered("no-address", "the helpdesk has no address", final=True)
        client = SMTP(
            hostname=self._host,
            port=self._port,
            timeout=_TIMEOUT_S,
            start_tls=self._security is RelaySecurity.STARTTLS,
            use_tls=self._security is RelaySecurity.TLS,
            tls_context=None if self._security is RelaySecurity.NONE else self._trust,
        )
        try:
            async with client:
                if self._account:
                    await client.login(self._account.user, self._account.password)
                _, answer = await client.sendmail(sender, [recipient], raw)
        except SMTPRecipientsRefused as error:
            raise _undelivered(error.recipients[0]) from error
        except SMTPResponseException as error:
            raise _undelivered(error) from error
        except ssl.SSLError as error:
            raise Undelivered(
                "not-trusted", f"{type(error).__name__}: {error}", final=False
            ) from error
        except (SMTPException, OSError, TimeoutError) as error:
            raise Undelivered(
                "not-reached", f"{type(error).__name__}: {error}", final=False
            ) from error
        return answer[:500]


class NoMailOut:
    """In the place of a relay where none is set up: every message waits, and says why."""

    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:  # noqa: ARG002
        raise Undelivered("no-relay", "no mail relay is set (mail_relay_port)", final=False)


def _undelivered(error: aiosmtplib.SMTPResponseException) -> Undelivered:
    if (
        error.code in _NOT_LET_IN
    ):  # ours to put right, for all messages alike: none of them is at fault
        hint = "look at mail_relay_user, its password and mail_relay_tls"
        return Undelivered("relay-refuses-us", f"{error.code} {error.message}: {hint}", final=False)
    final = 500 <= error.code < 600
    return Undelivered(f"smtp-{error.code}", str(error.message)[:1000], final=final)
