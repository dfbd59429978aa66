"""Addresses that answer for themselves: mail to one is about the ticket it names, whoever sends it.

``<helpdesk>+<number>.<signature>@<our domain>``. The signature is an HMAC over ticket and helpdesk: who
was not told the address cannot make it. The keys stand beside the ledger, never in it. The newest one signs;
what one before it signed is believed for as long as was said when it was replaced.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from domain import clock

_SIGNATURE_BYTES: Final = 10
"""80 bits: each guess is a mail that our own server refuses."""
_DETAIL: Final = re.compile(r"([1-9]\d{0,8})\.([a-z2-7]{16})")
_KNOWN_FOR: Final = timedelta(seconds=30)
"""So long a process may go on signing with a key that was replaced meanwhile."""
_ASKED_EVERY: Final = timedelta(seconds=1)
"""Mail to an address that none of the known keys signed has them looked up anew, not more often than this: it waits."""


class SigningKey(Struct, frozen=True):
    """A key as it is looked up; whoever has it can make addresses."""

    secret: bytes
    until: datetime | None = None
    """From then on what it signed is not believed; None for the one that signs."""


Keys = Callable[[], Awaitable[Sequence[SigningKey]]]
"""The newest first; there is one at least."""


class ReplyAddresses:
    def __init__(self, domain: str, keys: Keys | None = None) -> None:
        """Without keys there are no addresses, and none is believed."""
        self._domain, self._look_up = domain.lower(), keys
        self._keys: Sequence[SigningKey] = ()
        self._known_at: datetime | None = None

    async def address(self, helpdesk: str, number: int) -> str:
        """The address for answers about a ticket; empty without a key. Raises ``StoreUnavailable``."""
        if self._look_up is None:
            return ""
        newest, *_ = await self._known(_KNOWN_FOR)
        return f"{helpdesk}+{number}.{_signature(newest, helpdesk, number)}@{self._domain}"

    async def number(self, helpdesk: str, detail: str) -> int:
        """The ticket that the part after ``+`` names; 0 unless we have signed it. Raises ``StoreUnavailable``."""
        found = _DETAIL.fullmatch(detail.lower())
        if self._look_up is None or not found:
            return 0
        number, signature = int(found[1]), found[2]
        for age in (_KNOWN_FOR, _ASKED_EVERY):
            if age is _ASKED_EVERY:
                await self._may_be_asked()
            now = clock.now()
            for key in await self._known(age):
                good = key.until is None or now < key.until
                if good and hmac.compare_digest(_signature(key, helpdesk, number), signature):
                    return number
        return 0

    async def _may_be_asked(self) -> None:
        """Whoever guesses waits for a moment; so does the first answer to an address of a new key."""
        assert self._known_at is not None
        left = _ASKED_EVERY - (clock.now() - self._known_at)
        if timedelta(0) < left <= _ASKED_EVERY:
            await asyncio.sleep(left.total_seconds())

    async def _known(self, age: timedelta) -> Sequence[SigningKey]:
        """The keys as they were so long ago at most."""
        assert self._look_up is not None
        now = clock.now()
        if self._known_at is None or now - self._known_at >= age:
            self._keys, self._known_at = await self._look_up(), now
        return self._keys


def _signature(key: SigningKey, helpdesk: str, number: int) -> str:
    digest = hmac.digest(key.secret, f"reply|{number}|{helpdesk}".encode(), hashlib.sha256)
    return base64.b32encode(digest[:_SIGNATURE_BYTES]).decode().lower()


def number_of(detail: str) -> int:
    """The ticket that the part after ``+`` names, signed or not; 0 for none."""
    found = _DETAIL.fullmatch(detail.lower())
    return int(found[1]) if found else 0
