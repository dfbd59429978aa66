"""Where the followers of the log that are no projections have got to.

A checkpoint of the log only saves reading it again: whoever follows it must bear to see events twice. So the table is
made where the service may make tables. Who asks partners keeps its place here, too: with the table that is lost, and
asking begins anew with what comes from then on.
"""

from typing import Final

from adapters.store.engine import PostgresStore
from adapters.store.on_demand import OnDemand

MAKE: Final = """
    CREATE TABLE IF NOT EXISTS view.checkpoint (
        name text PRIMARY KEY, position bigint NOT NULL, memory bytea NOT NULL)
"""
LOAD: Final = "SELECT position, memory FROM view.checkpoint WHERE name = %b"
BEGINNING_WITH: Final = "SELECT name, memory FROM view.checkpoint WHERE starts_with(name, %b)"
SAVE: Final = """
    INSERT INTO view.checkpoint (name, position, memory) VALUES (%b, %b, %b)
    ON CONFLICT (name) DO UPDATE SET position = excluded.position, memory = excluded.memory
    RETURNING position
"""
_MAKE_LOCK: Final = 5640100013


class Checkpoints:
    def __init__(self, store: PostgresStore) -> None:
        self._tables = OnDemand(store, _MAKE_LOCK, [MAKE])

    async def load(self, name: str) -> tuple[int, bytes]:
        """The saved position and memory; 0 and nothing at the beginning."""
        rows = await self._tables.rows(LOAD, [name])
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, b"")

    async def memories(self, beginning: str) -> dict[str, bytes]:
        """What is kept under names that begin so, by the rest of the name."""
        rows = await self._tables.rows(BEGINNING_WITH, [beginning])
        return {str(name).removeprefix(beginning): bytes(memory) for name, memory in rows}

    async def save(self, name: str, position: int, memory: bytes) -> None:
        await self._tables.rows(SAVE, [name, position, memory])
