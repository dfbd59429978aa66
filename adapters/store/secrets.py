"""What opens partners' interfaces to us. Kept beside the log, because events are read by many and for ever."""

from typing import Final

from adapters.store.engine import PostgresStore

GET: Final = "SELECT secret FROM access.helpdesk_secret WHERE helpdesk = %b"
PUT: Final = """
    INSERT INTO access.helpdesk_secret (helpdesk, secret) VALUES (%b, %b)
    ON CONFLICT (helpdesk) DO UPDATE SET secret = excluded.secret, changed_at = clock_timestamp()
    RETURNING changed_at
"""
DELETE: Final = "DELETE FROM access.helpdesk_secret WHERE helpdesk = %b RETURNING helpdesk"


class HelpdeskSecrets:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def secret(self, helpdesk: str) -> str:
        """The secret, empty where there is none. Raises ``StoreUnavailable``."""
        rows = await self._store.rows(GET, [helpdesk])
        return str(rows[0][0]) if rows else ""

    async def keep(self, helpdesk: str, secret: str) -> None:
        """Replace it; an empty one is forgotten. Calls to the partner use the new one within a second."""
        if secret:
            await self._store.rows(PUT, [helpdesk, secret])
        else:
            await self._store.rows(DELETE, [helpdesk])
