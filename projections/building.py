"""Fresh tables beside the live ones: folded from the first event on, filled without indexes, indexed at the end."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed

from projections.columns import adapt
from projections.comparison import Difference, difference
from projections.log import SLICE, head, page, rarely_collected, uncollected
from projections.positions import create_tables, places
from projections.projection import Logged, Projection
from projections.tables import Connection, Table

PAGE: Final = 5_000
ROWS: Final = 2_000
"""Rows that are packed without a pause: some milliseconds."""
FRESH: Final = "__fresh"
"""Suffix of the tables under construction."""

DROP: Final = SQL("DROP TABLE IF EXISTS {table}")
ANALYZE: Final = SQL("ANALYZE {table}")
SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
# Whoever asks, the tables belong to the service, which is to keep them.
SESSION: Final = "SET ROLE ticketledger_service; SET synchronous_commit = off; SET maintenance_work_mem = '128MB'"


class Progress(Struct, frozen=True):
    step: str
    """``folding``, ``indexing``, ``comparing`` or ``switching``."""
    done: int
    """Events so far."""
    total: int
    """Events in the log."""


Tell = Callable[[Progress], None]


def quietly(_: Progress) -> None:
    """For those who do not want to know."""


async def connected(conninfo: str) -> Connection:
    """A connection that reads pages and writes rows, as the service. The user may take its role."""
    connection: Connection = await AsyncConnection.connect(
        conninfo, autocommit=True, prepare_threshold=0
    )
    adapt(connection)
    await connection.execute(SESSION, prepare=False)
    return connection


class Building:
    """Several projections, folded together: one reading and decoding of the log for all.

    Needs two connections: one reads the log while the other still writes.
    """

    def __init__(
        self,
        reader: Connection,
        writer: Connection,
        projections: Sequence[Projection],
        tell: Tell = quietly,
    ) -> None:
        self.projections = tuple(projections)
        self.position = 0
        """All fresh tables reflect the log up to here."""
        self._reader = reader
        self._writer = writer
        self._folds = [(each, each.fold()) for each in projections]
        self._tell = tell
        self._indexed = False
        self._writing: asyncio.Task[None] | None = None

    async def build(self) -> None:
        """Fold the whole log, as long as it is now, into fresh tables with all their indexes."""
        await self.drop()
        for projection in self.projections:
            await create_tables(self._writer, projection, FRESH)
        with rarely_collected():
            await self.advance(await head(self._reader))
            await self._write(everything=True)
            await self._written()
        self._tell(Progress("indexing", self.position, self.position))
        tables = [table for projection in self.projections for table in projection.tables]
        await asyncio.gather(
            _define_indexes(self._reader, tables[::2]), _define_indexes(self._writer, tables[1::2])
        )
        self._indexed = True

    async def advance(self, until: int) -> None:
        """Fold on up to a position. Once the tables are indexed, rows are replaced in them."""
        if self.position >= until:
            return
        coming = self._page(self.position, until)
        while self.position < until:
            events = await coming
            assert events, "positions have no holes"
            self.position = events[-1].position
            if self.position < until:
                coming = self._page(self.position, until)  # while these are folded
            try:
                await self._fold(events)
                await self._write(everything=self._indexed)
            except BaseException:
                coming.cancel()
                raise
            self._tell(Progress("folding", self.position, until))
        await self._written()

    def _page(self, after: int, until: int) -> asyncio.Task[list[Logged]]:
        return asyncio.create_task(page(self._reader, after, until, PAGE))

    async def _fold(self, events: Sequence[Logged]) -> None:
        for projection, fold in self._folds:
            topics = projection.topics
            relevant = [each for each in events if type(each.event) in topics]
            await fold.look_back(self._reader, relevant)
            for first in range(0, len(relevant), SLICE):
                with uncollected():
                    fold.apply(relevant[first : first + SLICE])
                await asyncio.sleep(0)

    async def differences(self, name: str) -> list[Difference]:
        """Compare one projection with its live tables, at the live position. Nobody waits for it.

        The live position must not be behind. Reading and catching up happen in one snapshot.
        """
        projection = next(each for each in self.projections if each.name == name)
        self._tell(Progress("comparing", self.position, self.position))
        async with self._writer.transaction():
            await self._writer.execute(SNAPSHOT)
            live = (await places(self._writer))[name].position
            assert live >= self.position
            await self.advance(live)
            found = [
                await difference(self._writer, table, "", FRESH) for table in projection.tables
            ]
        return [each for each in found if each is not None]

    def release(self, projection: Projection) -> None:
        """Its fresh tables are in use now; this building has nothing to do with them any more."""
        self.projections = tuple(each for each in self.projections if each is not projection)
        self._folds = [(each, fold) for each, fold in self._folds if each is not projection]

    async def drop(self) -> None:
        """Remove the fresh tables."""
        for projection in self.projections:
            for table in projection.tables:
                await self._writer.execute(_drop(table))

    async def _write(self, *, everything: bool) -> None:
        """Write what is finished; current rows too, when they will not change for a while."""
        batches = [
            (rows.table, list(rows.take(everything=everything)))
            for _, fold in self._folds
            for rows in fold.rows
        ]
        await self._written()
        self._writing = asyncio.create_task(self._put(batches, replace=self._indexed))

    async def _put(self, batches: Sequence[tuple[Table[Any], list[Any]]], *, replace: bool) -> None:
        for table, rows in batches:
            put = table.write if replace else table.copy
            for first in range(0, len(rows), ROWS):
                await put(self._writer, rows[first : first + ROWS], suffix=FRESH)
                await asyncio.sleep(0)

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing


async def _define_indexes(connection: Connection, tables: Sequence[Table[Any]]) -> None:
    for table in tables:
        for statement in table.define_indexes(FRESH):
            await connection.execute(statement)
        await connection.execute(ANALYZE.format(table=table.identifier(FRESH)))


def _drop(table: Table[Any]) -> Composed:
    return DROP.format(table=table.identifier(FRESH))
