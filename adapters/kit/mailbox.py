"""One mailbox on an IMAP server, as far as fetching needs it. It blocks: a thread of its own uses it.

Nothing is remembered from one look to the next, so a server may renumber its mails (UIDVALIDITY) as it
likes. What was seen to is moved to other folders; the folder that is looked at holds only what waits.
"""

import ipaddress
import re
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from imaplib import IMAP4
from io import BufferedReader
from socket import SHUT_RDWR
from typing import Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from imap_tools.errors import ImapToolsError, MailboxLoginError
from imap_tools.mailbox import BaseMailBox, MailBox, MailBoxUnencrypted
from msgspec import Struct

TIMEOUT_S: Final = 20.0
_UID: Final = re.compile(rb"\bUID (\d+)")
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d+)")
ENVELOPE: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
"""What says to whom a mail was sent, the most trustworthy first."""
_ENVELOPE_BYTES_MAX: Final = 8_000
_ASKED: Final = f"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({' '.join(ENVELOPE).upper()})]<0.{_ENVELOPE_BYTES_MAX}>)"


class Security(Enum):
    """How the connection is kept secret, by the scheme of the address."""

    TLS = "imaps"
    STARTTLS = "imap"
    """Without it nothing is said at all."""
    NONE = "imap+plaintext"
    """Within this machine only."""


_PORTS: Final = {Security.TLS: 993, Security.STARTTLS: 143, Security.NONE: 143}


class MailboxAddress(Struct, frozen=True, kw_only=True):
    host: str
    port: int
    security: Security
    user: str
    folder: str = "INBOX"
    done: str = "Done"
    """Where mails go that were taken."""
    refused: str = "Refused"
    """Mails that no partner may send."""
    large: str = "Too-Large"

    def __str__(self) -> str:
        return f"{self.user} at {self.host}:{self.port}, folder {self.folder}"


def mailbox_address(url: str) -> MailboxAddress:
    """Read ``imaps://user@host:993/INBOX?done=Done&refused=Refused&large=Too-Large``.

    A user with ``@`` in it is written with ``%40``. Raises ``ValueError``.
    """
    parts = urlsplit(url)
    try:
        security = Security(parts.scheme)
    except ValueError:
        known = ", ".join(each.value for each in Security)
        raise ValueError(f"a mailbox's address begins with one of {known}") from None
    if not parts.hostname or not parts.username or parts.password:
        raise ValueError("a mailbox's address names a user and a host, and no password")
    if security is Security.NONE and not on_this_machine(parts.hostname):
        raise ValueError("without TLS only a server on this machine can be used")
    folders = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    if unknown := set(folders) - {"done", "refused", "large"}:
        raise ValueError(f"a mailbox's address has no {', '.join(sorted(unknown))}")
    return MailboxAddress(
        host=parts.hostname,
        port=parts.port or _PORTS[security],
        security=security,
        user=unquote(parts.username),
        folder=unquote(parts.path.strip("/")) or "INBOX",
        **folders,
    )


def on_this_machine(host: str) -> bool:
    """Whether a host is surely this machine."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


class MailboxTrouble(Exception):
    """The mailbox cannot be used now."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        """``login-refused``, ``not-reached`` or ``no-folder``."""


class Waiting(Struct, frozen=True):
    """A mail in the folder."""

    uid: str
    size: int
    """In bytes, as the server says."""
    head: bytes = b""
    """The lines that say to whom it was sent, or their beginning."""


class Mailbox:
    """One connection. Every method may raise ``MailboxTrouble``; after that it is of no use any more."""

    def __init__(self, address: MailboxAddress, password: str, trust: ssl.SSLContext) -> None:
        self.address = address
        self._password, self._trust = password, trust
        self._box: BaseMailBox | None = None

    def open(self) -> None:
        """Connect, sign in, and make the folders that are missing."""
        address = self.address
        with _troubles():
            self._box = box = self._connected()
            try:
                sign_in = (
                    box.login if f"{address.user}{self._password}".isascii() else box.login_utf8
                )
                sign_in(address.user, self._password, initial_folder=None)
            except MailboxLoginError as error:
                raise MailboxTrouble("login-refused", _words(error)) from error
            for folder in (address.done, address.refused, address.large):
                if not box.folder.exists(folder):
                    box.folder.create(folder)

    def _connected(self) -> BaseMailBox:
        host, port = self.address.host, self.address.port
        match self.address.security:
            case Security.TLS:
                return MailBox(host, port, timeout=TIMEOUT_S, ssl_context=self._trust)
            case Security.STARTTLS:
                return _StartTls(host, port, self._trust)
            case Security.NONE:
                return MailBoxUnencrypted(host, port, timeout=TIMEOUT_S)

    def page(self, after: int, count: int) -> list[Waiting]:
        """Up to so many mails of those that are there now, oldest first, without the first ``after``."""
        with _troubles():
            _, (there, *_) = self._opened.folder.set(self.address.folder)
            last = min(int(there), after + count)
            if last <= after:
                return []
            _, parts = self._opened.client.fetch(f"{after + 1}:{last}", _ASKED)
        return [
            found
            for part, rest in zip(parts, [*parts[1:], b""], strict=True)
            if isinstance(part, tuple) and (found := _waiting(part, rest)) is not None
        ]

    def fetch(self, uid: str, bytes_max: int, part: str = "") -> bytes | None:
        """The first bytes of a mail, or of its ``HEADER``; None when it has gone. It stays unseen."""
        with _troubles():
            _, data = self._opened.client.uid("FETCH", uid, f"(BODY.PEEK[{part}]<0.{bytes_max}>)")
        return next((each[1] for each in data if isinstance(each, tuple)), None)

    def move(self, uids: Sequence[str], folder: str) -> None:
        with _troubles():
            self._opened.move(uids, folder)

    @property
    def tells(self) -> bool:
        """Whether the server can tell of new mail by itself (IDLE)."""
        return "IDLE" in self._opened.client.capabilities

    def listen(self) -> bool:
        """Ask the server to tell; whether it has told something already."""
        with _troubles():
            self._opened.idle.start()  # type: ignore[no-untyped-call]
            client = self._opened.client
            client.sock.settimeout(0)
            try:
                return bool(cast(BufferedReader, client.file).peek(1))
            except OSError:  # nothing has come
                return False
            finally:
                client.sock.settimeout(TIMEOUT_S)

    def listen_no_more(self) -> None:
        with _troubles():
            self._opened.idle.stop()  # type: ignore[no-untyped-call]

    def socket(self) -> int:
        """What becomes readable when the server tells."""
        return self._opened.client.sock.fileno()

    def close(self) -> None:
        if self._box is not None:
            with suppress(ImapToolsError, IMAP4.error, OSError):
                self._box.logout()

    def hang_up(self) -> None:
        """Free what the connection holds, whatever state it is in."""
        if self._box is not None:
            with suppress(OSError):
                self._box.client.shutdown()

    def abort(self) -> None:
        """Break the connection, from any thread: whoever waits for it fails at once."""
        if self._box is not None:
            with suppress(OSError):
                self._box.client.sock.shutdown(SHUT_RDWR)

    @property
    def _opened(self) -> BaseMailBox:
        assert self._box is not None, "it was opened"
        return self._box


class _StartTls(BaseMailBox):
    """The library's own leaves the connection open where the server does not encrypt."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext) -> None:
        self._where, self._trust = (host, port, TIMEOUT_S), trust
        super().__init__()

    def _get_mailbox_client(self) -> IMAP4:
        client = IMAP4(*self._where)
        try:
            client.starttls(self._trust)
        except (IMAP4.error, OSError):
            client.shutdown()
            raise
        return client


def _waiting(part: tuple[bytes, bytes], rest: object) -> Waiting | None:
    """Of an answer, in which the server may put number and size before or after the lines."""
    said = part[0] + (rest if isinstance(rest, bytes) else b"")
    uid, size = _UID.search(said), _SIZE.search(said)
    return Waiting(uid[1].decode(), int(size[1]), part[1]) if uid and size else None


@contextmanager
def _troubles() -> Generator[None]:
    try:
        yield
    except (ImapToolsError, IMAP4.error, OSError) as error:
        raise MailboxTrouble("not-reached", _words(error)) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]
