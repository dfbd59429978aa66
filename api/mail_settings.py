"""How mail comes in and goes out, as an operator sets it. Encrypted unless it stays on the machine."""

import ssl
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from adapters.kit.mail_out import RelayAccount, RelaySecurity
from adapters.kit.mailbox import MailboxAddress, mailbox_address, on_this_machine

Port = Annotated[int, Field(ge=0, le=65535)]
"""0 lets the system choose a free one."""


class MailboxSettings(BaseModel):
    """A mailbox to be emptied."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """``imaps://user@host/INBOX``; ``imap://`` for STARTTLS. See ``adapters.kit.mailbox``."""
    password: SecretStr | None = None
    password_file: Path | None = None
    """Read at the start, instead of ``password``."""

    @field_validator("url")
    @classmethod
    def _can_be_read(cls, url: str) -> str:
        mailbox_address(url)
        return url

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("a mailbox needs either password or password_file")
        return self

    @property
    def address(self) -> MailboxAddress:
        return mailbox_address(self.url)

    def secret(self) -> str:
        """Raises ``OSError``."""
        return _secret(self.password, self.password_file)


def _secret(given: SecretStr | None, file: Path | None) -> str:
    """Raises ``OSError``."""
    if given is not None:
        return given.get_secret_value()
    assert file is not None
    return file.read_text().rstrip("\r\n")


class MailSettings(BaseSettings):
    mail_host: str = "127.0.0.1"
    mail_port: Port | None = None
    """Where machine mail of partners comes in (SMTP); none is taken without it."""
    mail_certificate: Path | None = None
    """PEM file with our certificate and its key: senders must use STARTTLS then."""
    mail_lmtp_socket: Path | None = None
    """Where a mail server in front hands mail over (LMTP)."""
    mailboxes: tuple[MailboxSettings, ...] = ()
    """Mailboxes on other servers that are emptied (IMAP): a JSON list of objects with ``url`` and a password."""
    mailbox_poll_s: Annotated[float, Field(ge=0.5, le=3600)] = 30.0
    """How often mailboxes are looked at whose servers cannot tell of new mail."""
    mail_bytes_max: Annotated[int, Field(ge=10_000, le=8_000_000)] = 5_000_000
    """Larger mails are refused, or shown among the parked messages where they came by mailbox."""
    mail_relay_host: str = "127.0.0.1"
    mail_relay_port: Port | None = None
    """Where mail goes out; none is sent without it."""
    mail_relay_tls: RelaySecurity = RelaySecurity.STARTTLS
    """``none`` only for a relay on this machine."""
    mail_relay_user: Annotated[str, Field(max_length=256)] = ""
    """For a relay that takes mail only from users it knows."""
    mail_relay_password: SecretStr | None = None
    mail_relay_password_file: Path | None = None
    """Read at the start, instead of ``mail_relay_password``."""
    mail_authorities: Path | None = None
    """PEM file with the authorities that vouch for relay and mailboxes; the system's by default."""
    mail_domain: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,200}$")] = "localhost"
    """Each partner writes to ``<name of its helpdesk>@<this domain>``."""

    @model_validator(mode="after")
    def _in_secret(self) -> Self:
        beyond = not on_this_machine(self.mail_relay_host)
        if beyond and self.mail_relay_tls is RelaySecurity.NONE:
            raise ValueError("mail_relay_tls may be none only for a relay on this machine")
        beyond = self.mail_port is not None and not on_this_machine(self.mail_host)
        if beyond and self.mail_certificate is None:
            raise ValueError("mail_host beyond this machine needs a mail_certificate")
        return self

    @model_validator(mode="after")
    def _has_the_relay_s_password(self) -> Self:
        passwords = (self.mail_relay_password, self.mail_relay_password_file)
        if sum(each is not None for each in passwords) != bool(self.mail_relay_user):
            raise ValueError(
                "mail_relay_user goes with either mail_relay_password or mail_relay_password_file"
            )
        return self

    @property
    def mail_comes_or_goes(self) -> bool:
        return bool(
            self.mail_port is not None
            or self.mail_relay_port is not None
            or self.mail_lmtp_socket is not None
            or self.mailboxes
        )

    def mail_trust(self) -> ssl.SSLContext:
        """Whose certificates are believed. Raises ``OSError``."""
        return ssl.create_default_context(cafile=self.mail_authorities)

    def mail_relay_account(self) -> RelayAccount | None:
        """As whom we write at the relay. Raises ``OSError``."""
        if not self.mail_relay_user:
            return None
        password = _secret(self.mail_relay_password, self.mail_relay_password_file)
        return RelayAccount(self.mail_relay_user, password)

    def mail_identity(self) -> ssl.SSLContext | None:
        """Our own certificate. Raises ``OSError``."""
        if self.mail_certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.mail_certificate)
        return context
