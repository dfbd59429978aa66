"""Addresses of partners with an interface: where it is, our account, and what was agreed on beside that.

https://ACCOUNT@desk.example.org/path?TERM=VALUE&TERM=VALUE
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from adapters.kit.retry import Undelivered

_MAILBOX: Final = re.compile(r"[^\s@<>,;:\"]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")


class Address(Struct, frozen=True, kw_only=True):
    root: str
    """Without a path: ``https://desk.example.org``."""
    url: str
    """With the path, that has no slash at its end."""
    account: str
    """As it stands there, percent signs and all; empty where there is none."""
    terms: Mapping[str, Sequence[str]]
    """What stands behind the question mark: each name with its values, in their order."""

    def term(self, name: str, otherwise: str = "") -> str:
        """The first value; ``otherwise`` where there is none."""
        return next(iter(self.terms.get(name, ())), otherwise)

    def all(self, name: str) -> frozenset[str]:
        """Every value."""
        return frozenset(self.terms.get(name, ()))


def address_of(address: str, like: str) -> Address:
    """The parts of an address. It must have an account if ``like``, the example, has one.

    Raises ``Undelivered``.
    """
    try:
        parts = urlsplit(address)
        host, port, terms = parts.hostname, parts.port, parse_qs(parts.query)
    except ValueError as error:
        raise Undelivered("bad-address", f"{address!r}: {error}", final=True) from error
    known = bool(parts.username) or "@" not in like
    if parts.scheme not in ("http", "https") or not host or not known:
        raise unlike(address, like)
    root = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"
    url = root + parts.path.rstrip("/")
    return Address(root=root, url=url, account=parts.username or "", terms=terms)


def must_be_mailbox(address: str) -> None:
    """Raises ``Undelivered``."""
    if not _MAILBOX.fullmatch(address):
        raise unlike(address, "machine@desk.example.org")


def unlike(address: str, like: str) -> Undelivered:
    """To be raised for an address that is none: it names ``like``, an example of a good one."""
    return Undelivered("bad-address", f"{address!r} is not like {like}", final=True)


def term(address: str, name: str, otherwise: str = "") -> str:
    """What an address says, whatever else stands in it."""
    return parse_qs(urlsplit(address).query).get(name, [otherwise])[0]
