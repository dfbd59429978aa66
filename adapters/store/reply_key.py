"""The keys that sign the addresses for answers: kept beside the log, the same for every process.

The first one is made when it is needed. Who replaces it says until when the addresses of those before are good.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from adapters.kit.reply_addresses import SigningKey
from adapters.store.engine import PostgresStore
from domain import clock

NAME: Final = "(reply addresses)"
"""No helpdesk can have this name."""
MAKE: Final = """
    INSERT INTO access.helpdesk_secret (helpdesk, secret) VALUES (%b, %b)
    ON CONFLICT (helpdesk) DO NOTHING RETURNING helpdesk
"""
GET: Final = "SELECT secret FROM access.helpdesk_secret WHERE helpdesk = %b"
REPLACE: Final = """
    UPDATE access.helpdesk_secret SET secret = %b, changed_at = clock_timestamp()
     WHERE helpdesk = %b AND secret = %b RETURNING helpdesk
"""
_BYTES: Final = 32
_KEPT_MAX: Final = 100
"""Who replaces the key more often loses the oldest ones."""


class _Kept(Struct, frozen=True, omit_defaults=True):
    """One of the keys, the newest first."""

    secret: str
    """In hexadecimal digits."""
    key: UUID | None = None
    """Its name in the log; None for the first one."""
    until: datetime | None = None


class ReplyKeyring:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def __call__(self) -> Sequence[SigningKey]:
        """The keys that are good now, the newest first. Raises ``StoreUnavailable``."""
        _, kept = await self._kept()
        return [SigningKey(bytes.fromhex(each.secret), each.until) for each in _good(kept)]

    async def rotate(self, key: UUID, until: datetime) -> None:
        """Sign with a new one from now on; what was signed before is believed until then, or for a shorter time."""
        replaced: list[object] = []
        while not replaced:
            text, kept = await self._kept()
            former = [
                msgspec.structs.replace(each, until=min(until, each.until or until))
                for each in _good(kept)
            ]
            new = [_Kept(secrets.token_hex(_BYTES), key), *former][:_KEPT_MAX]
            told = msgspec.json.encode(new).decode()
            replaced.extend(await self._store.rows(REPLACE, [told, NAME, text]))

    async def _kept(self) -> tuple[str, list[_Kept]]:
        rows = await self._store.rows(GET, [NAME])
        if not rows:
            await self._store.rows(MAKE, [NAME, secrets.token_hex(_BYTES)])
            rows = await self._store.rows(GET, [NAME])
        text = str(rows[0][0])
        if not text.startswith("["):  # the first key stands there by itself
            return text, [_Kept(text)]
        return text, msgspec.json.decode(text, type=list[_Kept])


def _good(kept: list[_Kept]) -> list[_Kept]:
    now = clock.now()
    return [each for each in kept if each.until is None or now < each.until]
