"""What running a partner's past through a mapping has found so far: the last run of each partner, and its tickets.

It is made from the log and can be made again, so it stands beside the projections: losing it loses nothing.
"""

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from msgspec import Struct

from adapters.store.engine import PostgresStore
from adapters.store.on_demand import OnDemand

MAKE: Final[tuple[LiteralString, ...]] = (
    """
    CREATE TABLE IF NOT EXISTS view.retranslation (
        helpdesk text PRIMARY KEY, number bigint NOT NULL, running boolean NOT NULL, run bytea NOT NULL)
    """,
    """
    CREATE TABLE IF NOT EXISTS view.retranslated (
        helpdesk text, number bigint, exchange uuid, found bytea NOT NULL,
        PRIMARY KEY (helpdesk, number, exchange))
    """,
)
RECEIVED: Final = "SELECT count(*) FROM ledger.claim WHERE kind = %b"
BEGIN: Final = """
    INSERT INTO view.retranslation AS last (helpdesk, number, running, run) VALUES (%b, 1, true, %b)
    ON CONFLICT (helpdesk) DO UPDATE SET number = last.number + 1, running = true, run = excluded.run
     WHERE NOT last.running RETURNING number
"""
FORGET: Final = "DELETE FROM view.retranslated WHERE helpdesk = %b AND number < %b RETURNING number"
LAST: Final = "SELECT helpdesk, number, running, run FROM view.retranslation WHERE helpdesk = %b"
RUNNING: Final = (
    "SELECT helpdesk, number, running, run FROM view.retranslation WHERE running ORDER BY helpdesk"
)
SAVE: Final = """
    UPDATE view.retranslation SET run = %b, running = %b
     WHERE helpdesk = %b AND number = %b AND running RETURNING number
"""
STOP: Final = """
    UPDATE view.retranslation SET running = false
     WHERE helpdesk = %b AND number = %b AND running RETURNING number
"""
ADD: Final = """
    INSERT INTO view.retranslated (helpdesk, number, exchange, found)
    SELECT %b, %b, * FROM unnest(%b::uuid[], %b::bytea[])
    ON CONFLICT (helpdesk, number, exchange) DO UPDATE SET found = excluded.found RETURNING number
"""
PAGE: Final = """
    SELECT exchange, found FROM view.retranslated
     WHERE helpdesk = %b AND number = %b AND exchange > %b ORDER BY exchange LIMIT %b::bigint
"""
_MAKE_LOCK: Final = 5640100014


class Kept(Struct, frozen=True):
    """A run as it is kept; what stands in it is the business of whoever runs it."""

    helpdesk: str
    number: int
    """Counts the runs of this helpdesk."""
    running: bool
    run: bytes


class Retranslations:
    """Raises ``StoreUnavailable``."""

    def __init__(self, store: PostgresStore) -> None:
        self._store, self._tables = store, OnDemand(store, _MAKE_LOCK, MAKE)

    async def received(self, helpdesk: str) -> int:
        """How many messages a partner ever sent."""
        ((count,),) = await self._store.rows(RECEIVED, [f"message:{helpdesk}"])
        return int(count)

    async def begin(self, helpdesk: str, run: bytes) -> int | None:
        """The number of the new run, which takes the place of the last one; None while that one is running."""
        rows = await self._tables.rows(BEGIN, [helpdesk, run])
        if not rows:
            return None
        await self._tables.rows(FORGET, [helpdesk, rows[0][0]])
        return int(rows[0][0])

    async def last(self, helpdesk: str) -> Kept | None:
        rows = await self._tables.rows(LAST, [helpdesk])
        return Kept(*rows[0]) if rows else None

    async def running(self) -> list[Kept]:
        return [Kept(*row) for row in await self._tables.rows(RUNNING, [])]

    async def save(self, kept: Kept) -> bool:
        """Keep how far it got; False where it was stopped meanwhile."""
        given = [kept.run, kept.running, kept.helpdesk, kept.number]
        return bool(await self._tables.rows(SAVE, given))

    async def stop(self, helpdesk: str, number: int) -> bool:
        """False where it was over already."""
        return bool(await self._tables.rows(STOP, [helpdesk, number]))

    async def add(self, helpdesk: str, number: int, found: Sequence[tuple[UUID, bytes]]) -> None:
        """Tickets that it found; one that is there already is replaced."""
        streams, rows = [each for each, _ in found], [row for _, row in found]
        if found:
            await self._tables.rows(ADD, [helpdesk, number, streams, rows])

    async def page(
        self, helpdesk: str, number: int, after: UUID, limit: int
    ) -> list[tuple[UUID, bytes]]:
        """In order of the conversations."""
        return [
            (stream, bytes(row))
            for stream, row in await self._tables.rows(PAGE, [helpdesk, number, after, limit])
        ]
