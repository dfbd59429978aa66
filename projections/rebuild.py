"""Rebuild: the tables of a projection, folded again from the first event, compared, put in place of the old ones.

The service goes on meanwhile: readers use the old tables until the moment of the switch, and never find none.
The fresh tables are right by definition; if the old ones differ, that is said and never hidden.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

import psycopg
from msgspec import Struct
from psycopg.sql import SQL, Composed, Identifier

from projections import positions
from projections.building import FRESH, PAGE, Building, Progress, Tell, connected, quietly
from projections.comparison import Difference, row_count
from projections.health import Health, status
from projections.log import head, page
from projections.positions import REBUILD_LOCK, RUNNER_LOCK
from projections.projection import Projection
from projections.registry import ALL
from projections.tables import SCHEMA, Connection
from projections.track import Track

_NEAR: Final = 200
"""So many events may be left for the moment in which the live tables stand still."""
_PATIENCE_S: Final = 30.0
_PAUSE_S: Final = 0.05
_ATTEMPTS: Final = 40

TRY_LOCK: Final = "SELECT pg_try_advisory_lock(%b)"
UNLOCK: Final = "SELECT pg_advisory_unlock(%b)"
# Shorter than the server takes to look for a deadlock: we give way to readers, and try again.
PATIENCE: Final = "SET LOCAL lock_timeout = '300ms'"
HOLD_POSITIONS: Final = "LOCK TABLE view.projection IN SHARE ROW EXCLUSIVE MODE"
POSITION: Final = "SELECT position FROM view.projection WHERE name = %b"
HOLD: Final = SQL("LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
DROP_VIEW: Final = SQL("DROP VIEW {view}")
DROP_TABLE: Final = SQL("DROP TABLE {table}")
RENAME: Final = SQL("ALTER TABLE {table} RENAME TO {name}")
SWITCHED: Final = """
    UPDATE view.projection
       SET form = %b, generation = generation + 1, position = %b, moved_at = clock_timestamp(),
           error = NULL, error_position = NULL
     WHERE name = %b
"""


class RebuildRunning(Exception):
    """Another rebuild is under way in this database."""


class Rebuilt(Struct, frozen=True):
    """What became of one projection."""

    name: str
    position: int
    rows: int
    differences: list[Difference]
    """Between the live tables and fresh ones at the same position."""
    not_compared: str = ""
    """Why the live tables could not be compared, if so."""
    switched: bool = True

    @property
    def ok(self) -> bool:
        """Whether the live tables were as the log says."""
        return not self.differences and not self.not_compared


async def rebuild(
    conninfo: str,
    names: Iterable[str] | None = None,
    *,
    projections: Sequence[Projection] = ALL,
    progress: Tell = quietly,
    switch: bool = True,
) -> list[Rebuilt]:
    """Build the named projections (or all) afresh, compare, and put the fresh tables in place.

    Without ``switch`` it only compares, and leaves nothing behind. ``conninfo`` is that of the service's role.
    Raises ``RebuildRunning``, ``KeyError`` for an unknown name, ``psycopg.Error``; then nothing has changed.
    """
    chosen = list(projections if names is None else positions.named(projections, names))
    async with await connected(conninfo) as reader, await connected(conninfo) as writer:
        if not await _locked(writer, REBUILD_LOCK):
            raise RebuildRunning("another rebuild is under way")
        await positions.prepare(writer, chosen)
        building = Building(reader, writer, chosen, progress)
        try:
            await building.build()
            return [
                await _finish(reader, writer, building, each, progress, switch=switch)
                for each in chosen
            ]
        finally:
            if not writer.closed:
                await building.drop()


async def _finish(
    reader: Connection,
    writer: Connection,
    building: Building,
    projection: Projection,
    tell: Tell,
    *,
    switch: bool,
) -> Rebuilt:
    why_not = await _comparable(reader, building, projection)
    differences = [] if why_not else await building.differences(projection.name)
    rows = sum([await row_count(writer, table, FRESH) for table in projection.tables])
    if switch:
        tell(Progress("switching", building.position, building.position))
        await _switch(reader, writer, building, projection)
    return Rebuilt(projection.name, building.position, rows, differences, why_not, switched=switch)


async def _comparable(reader: Connection, building: Building, projection: Projection) -> str:
    """Wait until the live tables are as far as the fresh ones; why that will not be, otherwise."""
    place = (await positions.places(reader))[projection.name]
    if place.form != projection.form:
        return f"the live tables have form {place.form}, these have form {projection.form}"
    if place.position >= building.position:
        return ""
    if await _locked(reader, RUNNER_LOCK):  # nobody else keeps the live tables: do it here
        try:
            await _catch_up(reader, Track(projection, place), building.position)
        except Exception as error:  # noqa: BLE001 - reported: the live tables are to be replaced anyway
            return f"the live tables cannot go on: {error}"
        finally:
            await reader.execute(UNLOCK, [RUNNER_LOCK])
        return ""
    return await _awaited(reader, projection.name, building.position)


async def _catch_up(connection: Connection, track: Track, until: int) -> None:
    while track.position < until:
        await track.take(connection, await page(connection, track.position, until, PAGE))


async def _awaited(connection: Connection, name: str, position: int) -> str:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_S
    while True:
        health: Health = next(each for each in await status(connection) if each.name == name)
        if health.position >= position:
            return ""
        if health.state == "stalled" or loop.time() > deadline:
            return f"the live tables stand still at {health.position}: {health.error}"
        await asyncio.sleep(_PAUSE_S)


async def _switch(
    reader: Connection, writer: Connection, building: Building, projection: Projection
) -> None:
    """Put the fresh tables in place, in one transaction with the position that they reflect."""
    while (end := await head(reader)) - building.position > _NEAR:
        await building.advance(end)
    for attempt in range(_ATTEMPTS):
        try:
            async with writer.transaction():
                await writer.execute(PATIENCE)
                await _exchange(writer, building, projection)
        except psycopg.errors.LockNotAvailable:
            if attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            return


async def _exchange(writer: Connection, building: Building, projection: Projection) -> None:
    # The positions first, as the runner's statement does: from here on the live tables stand still. Then views before
    # tables, in the order in which readers take them. Only what cannot be refused any more comes after.
    await writer.execute(HOLD_POSITIONS)
    row = await (await writer.execute(POSITION, [projection.name])).fetchone()
    assert row is not None
    await writer.execute(_hold(projection))
    await building.advance(max(row[0], building.position))
    building.release(projection)
    for view in projection.views:
        await writer.execute(DROP_VIEW.format(view=Identifier(SCHEMA, view.name)))
    for table in projection.tables:
        await writer.execute(DROP_TABLE.format(table=table.identifier()))
        await writer.execute(
            RENAME.format(table=table.identifier(FRESH), name=Identifier(table.name))
        )
    for view in projection.views:
        await writer.execute(view.create())
    await writer.execute(SWITCHED, (projection.form, building.position, projection.name))


def _hold(projection: Projection) -> Composed:
    views = [Identifier(SCHEMA, view.name) for view in projection.views]
    tables = [table.identifier() for table in projection.tables]
    return HOLD.format(names=SQL(", ").join([*views, *tables]))


async def _locked(connection: Connection, lock: int) -> bool:
    row = await (await connection.execute(TRY_LOCK, [lock])).fetchone()
    return row is not None and row[0] is True
