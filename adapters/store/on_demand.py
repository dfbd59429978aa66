"""Tables that the service makes when it first needs them: losing one loses nothing."""

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg.errors import UndefinedTable

from adapters.store.engine import PostgresStore
from adapters.store.statements import LOCK


class OnDemand:
    """Raises ``StoreUnavailable``."""

    def __init__(self, store: PostgresStore, lock: int, make: Sequence[LiteralString]) -> None:
        """``make``: statements that do nothing where their table is there; ``lock``: no other's advisory lock."""
        self._store, self._lock, self._make = store, lock, make

    async def rows(self, query: LiteralString, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return await self._store.rows(query, values)
        except UndefinedTable:
            await self._made()
            return await self._store.rows(query, values)

    async def _made(self) -> None:
        """One at a time: of two that make a table at the same moment PostgreSQL lets one fail."""
        async with self._store.pool.connection() as connection, connection.transaction():
            await connection.execute(LOCK, [self._lock])
            for statement in self._make:
                await connection.execute(statement)
