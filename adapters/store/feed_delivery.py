"""What pushing a feed needs beside the log: the keys that sign, and how far the partner has come."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from adapters.store.engine import PostgresStore
from domain import clock

ADD_KEY: Final = """
    WITH old AS (
        UPDATE access.feed_key SET expires_at = %b
         WHERE helpdesk = %b AND (expires_at IS NULL OR expires_at > %b) RETURNING id)
    INSERT INTO access.feed_key (id, helpdesk, secret, created_at) VALUES (%b, %b, %b, %b) RETURNING id
"""
KEYS: Final = """
    SELECT secret FROM access.feed_key WHERE helpdesk = %b AND (expires_at IS NULL OR expires_at > %b)
     ORDER BY created_at DESC LIMIT 2
"""
DROP_KEYS: Final = (
    "DELETE FROM access.feed_key WHERE helpdesk = %b AND expires_at < %b RETURNING id"
)
HELPDESKS: Final = "SELECT helpdesk FROM access.feed_progress ORDER BY helpdesk"
LOAD: Final = """
    SELECT helpdesk, version, acknowledged, attempts, last_error, retry_at, changed_at
      FROM access.feed_progress WHERE helpdesk = %b
"""
SAVE: Final = """
    INSERT INTO access.feed_progress
           (helpdesk, version, acknowledged, attempts, last_error, retry_at, changed_at)
    VALUES (%b, %b, %b, %b, %b, %b, %b)
    ON CONFLICT (helpdesk) DO UPDATE
       SET version = excluded.version, acknowledged = excluded.acknowledged, attempts = excluded.attempts,
           last_error = excluded.last_error, retry_at = excluded.retry_at, changed_at = excluded.changed_at
     WHERE feed_progress.version <= excluded.version
    RETURNING helpdesk
"""
HURRY: Final = """
    UPDATE access.feed_progress SET attempts = 0, retry_at = NULL WHERE helpdesk = %b RETURNING helpdesk
"""
EXPECT: Final = """
    INSERT INTO access.feed_progress (helpdesk, version, acknowledged, changed_at)
    VALUES (%b, 0, 0, %b) ON CONFLICT DO NOTHING RETURNING helpdesk
"""
_ERROR_CHARACTERS_MAX: Final = 500


class Progress(Struct, frozen=True, kw_only=True):
    helpdesk: str
    version: int = 0
    """Of the subscription, when its place was set last: what is older does not count any more."""
    acknowledged: int = 0
    """The last sequence that the partner took."""
    attempts: int = 0
    """Failed ones since then."""
    last_error: str = ""
    retry_at: datetime | None = None
    changed_at: datetime | None = None


class FeedKeys:
    """HMAC keys of partners: the newest, and for a while the one before it."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def add(self, helpdesk: str, key: UUID, secret: bytes, overlap: timedelta) -> datetime:
        """From now on this key signs; the old one does so beside it until the returned instant."""
        now = clock.now()
        until = now + overlap
        await self._store.rows(
            ADD_KEY, [until, helpdesk, until, key, helpdesk, secret, now]
        )  # one that ends earlier keeps its end
        await self._store.rows(DROP_KEYS, [helpdesk, now])
        return until

    async def of(self, helpdesk: str) -> list[bytes]:
        """Those in force, the newest first: two at the most."""
        return [
            bytes(secret) for (secret,) in await self._store.rows(KEYS, [helpdesk, clock.now()])
        ]


class FeedProgress:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def helpdesks(self) -> Sequence[str]:
        """Partners to which something may be pushed."""
        return [name for (name,) in await self._store.rows(HELPDESKS)]

    async def expect(self, helpdesk: str) -> None:
        """Something may be pushed there soon."""
        await self._store.rows(EXPECT, [helpdesk, clock.now()])

    async def hurry(self, helpdesk: str) -> None:
        """Try again at once."""
        await self._store.rows(HURRY, [helpdesk])

    async def load(self, helpdesk: str) -> Progress:
        rows = await self._store.rows(LOAD, [helpdesk])
        names = Progress.__struct_fields__
        return (
            Progress(**dict(zip(names, rows[0], strict=True)))
            if rows
            else Progress(helpdesk=helpdesk)
        )

    async def save(self, progress: Progress) -> None:
        await self._store.rows(
            SAVE,
            [
                progress.helpdesk, progress.version, progress.acknowledged, progress.attempts,
                progress.last_error[:_ERROR_CHARACTERS_MAX], progress.retry_at, clock.now(),
            ],
        )  # fmt: skip
