"""Which tickets can be compared with a partner, as the projections know them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from psycopg.errors import UndefinedTable

from adapters.store.engine import PostgresStore
from domain import clock
from projections import divergences

_FINAL_SINCE: Final = timedelta(days=30)
"""Tickets that are final for longer are over for the partner, too."""


class LinkedTickets:
    """Raises ``psycopg.OperationalError`` and ``PoolTimeout`` when the database is away."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def page(self, helpdesk: str, after: UUID, limit: int) -> Sequence[UUID]:
        """Conversations in order of their identifiers whose ticket is not long final."""
        since = clock.now() - _FINAL_SINCE
        async with self._store.pool.connection() as connection:
            return await divergences.linked(connection, helpdesk, after, since, limit)

    async def helpdesks(self) -> Sequence[str]:
        """The partners with whom anything was ever exchanged; none as long as there are no projections."""
        async with self._store.pool.connection() as connection:
            try:
                return await divergences.helpdesks(connection)
            except UndefinedTable:
                return []
