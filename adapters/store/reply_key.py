"""The key that signs the addresses for answers: made once, kept beside the log, the same for every process."""

import secrets
from typing import Final

from adapters.store.engine import PostgresStore

NAME: Final = "(reply addresses)"
"""No helpdesk can have this name."""
MAKE: Final = """
    INSERT INTO access.helpdesk_secret (helpdesk, secret) VALUES (%b, %b)
    ON CONFLICT (helpdesk) DO NOTHING RETURNING helpdesk
"""
GET: Final = "SELECT secret FROM access.helpdesk_secret WHERE helpdesk = %b"


class ReplyKey:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def __call__(self) -> bytes:
        """The key. Raises ``StoreUnavailable``."""
        rows = await self._store.rows(GET, [NAME])
        if not rows:
            await self._store.rows(MAKE, [NAME, secrets.token_hex(32)])
            rows = await self._store.rows(GET, [NAME])
        return bytes.fromhex(str(rows[0][0]))
