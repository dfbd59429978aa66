"""Addresses that answer for themselves: mail to one is about the ticket it names, whoever sends it.

``<helpdesk>+<number>.<signature>@<our domain>``. The signature is an HMAC over ticket and helpdesk: who
was not told the address cannot make it. The key stands beside the ledger, never in it.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from typing import Final

_SIGNATURE_BYTES: Final = 10
"""80 bits: each guess is a mail that our own server refuses."""
_DETAIL: Final = re.compile(r"([1-9]\d{0,8})\.([a-z2-7]{16})")

Key = Callable[[], Awaitable[bytes]]


class ReplyAddresses:
    def __init__(self, domain: str, key: Key | None = None) -> None:
        """Without a key there are none, and no address is believed."""
        self._domain, self._make = domain.lower(), key
        self._key = b""

    async def address(self, helpdesk: str, number: int) -> str:
        """The address for answers about a ticket; empty without a key. Raises ``StoreUnavailable``."""
        if self._make is None:
            return ""
        return f"{helpdesk}+{number}.{await self._signature(helpdesk, number)}@{self._domain}"

    async def number(self, helpdesk: str, detail: str) -> int:
        """The ticket that the part after ``+`` names; 0 unless we have signed it. Raises ``StoreUnavailable``."""
        found = _DETAIL.fullmatch(detail.lower())
        if self._make is None or not found:
            return 0
        number = int(found[1])
        signature = await self._signature(helpdesk, number)
        return number if hmac.compare_digest(signature, found[2]) else 0

    async def _signature(self, helpdesk: str, number: int) -> str:
        if not self._key and self._make is not None:
            self._key = await self._make()
        digest = hmac.digest(self._key, f"reply|{number}|{helpdesk}".encode(), hashlib.sha256)
        return base64.b32encode(digest[:_SIGNATURE_BYTES]).decode().lower()


def number_of(detail: str) -> int:
    """The ticket that the part after ``+`` names, signed or not; 0 for none."""
    found = _DETAIL.fullmatch(detail.lower())
    return int(found[1]) if found else 0
