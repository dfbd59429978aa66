"""How far each projection has come: one row each, moved by the statement that writes the rows.

``form`` and ``generation`` say which tables the position belongs to: a rebuild puts new tables in place and
counts the generation up. A fold moves a position only from where it took it, so a runner that was paused and
overtaken writes nothing.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import astuple
from psycopg import AsyncRawCursor
from psycopg.errors import DivisionByZero
from psycopg.sql import SQL, Identifier
from psycopg.types.numeric import Int8

from projections.columns import KINDS
from projections.log import pause
from projections.projection import Projection
from projections.tables import Connection, Table

RUNNER_LOCK: Final = 5640100010
"""Advisory lock of the one active runner, for as long as its session lives."""
PREPARE_LOCK: Final = 5640100011
REBUILD_LOCK: Final = 5640100012

CREATE: Final = """
    CREATE TABLE IF NOT EXISTS view.projection (
        name            text              NOT NULL PRIMARY KEY,
        form            bigint            NOT NULL,
        generation      bigint            NOT NULL DEFAULT 1,
        position        bigint            NOT NULL DEFAULT 0,
        moved_at        timestamptz       NOT NULL DEFAULT clock_timestamp(),
        events_per_s    double precision  NOT NULL DEFAULT 0,
        error           text,
        error_position  bigint
    ) WITH (fillfactor = 50)
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(%b)"
EXISTS: Final = "SELECT to_regclass('view.projection') IS NOT NULL"
ALL: Final = "SELECT name, form, generation, position FROM view.projection"
ADD: Final = "INSERT INTO view.projection (name, form) VALUES (%b, %b)"
MOVE: Final = SQL("""
    WITH moved AS (
        UPDATE view.projection
           SET position = $1, moved_at = clock_timestamp(), events_per_s = taken.events_per_s,
               error = NULL, error_position = NULL
          FROM unnest($2, $3, $4::float8[]) AS taken (name, generation, events_per_s)
         WHERE projection.name = taken.name AND projection.generation = taken.generation
           AND projection.position = $5
        RETURNING 1
    ) {beside}
    SELECT 1 / (count(*) = $6)::int FROM moved
""")
"""The division by zero undoes all where one of them is not where it should be."""
BESIDE: Final = SQL(", {name} AS ({insert})")
STALL: Final = """
    UPDATE view.projection SET error = %b, error_position = %b
     WHERE name = %b AND generation = %b AND position = %b
"""
_ERROR_CHARACTERS_MAX: Final = 1_000

Written = tuple[Table[Any], Sequence[Any]]
"""Rows of a table; at least one."""


class Overtaken(Exception):
    """The position is not where this fold left it: another runner moved it, or new tables took the place."""


class Place(Struct, frozen=True):
    """Where a projection is."""

    form: int
    generation: int
    position: int


async def prepare(connection: Connection, projections: Iterable[Projection]) -> list[Projection]:
    """Make what is missing. Returns the projections whose tables have another form and must be rebuilt."""
    known = await places(connection)
    missing = [each for each in projections if each.name not in known]
    if missing:
        async with connection.transaction():
            await connection.execute(LOCK, [PREPARE_LOCK])
            await connection.execute(CREATE)
            known = await places(connection)
            for projection in missing:
                if projection.name not in known:
                    await _create(connection, projection)
        known = await places(connection)
    return [each for each in projections if known[each.name].form != each.form]


async def places(connection: Connection) -> dict[str, Place]:
    """By name; empty in a database that no runner has seen yet."""
    row = await (await connection.execute(EXISTS)).fetchone()
    if row != (True,):
        return {}
    rows = await (await connection.execute(ALL)).fetchall()
    return {name: Place(form, generation, position) for name, form, generation, position in rows}


class Move(Struct, frozen=True):
    """What is written down of one projection when it moves on."""

    name: str
    generation: int
    events_per_s: float


async def move(
    connection: Connection, moves: Sequence[Move], after: int, position: int, written: Sequence[Written] = ()
) -> None:  # fmt: skip
    """Move on all at once and write the rows that led there: one statement, of which all happens or nothing.

    A statement for each, with a transaction around them, would cost as many journeys to the database.
    Raises ``Overtaken``.
    """
    names, generations, speeds = zip(*map(astuple, moves), strict=True)
    packed = KINDS[str].array(names), KINDS[int].array(generations)
    values = [Int8(position), *packed, list(speeds), Int8(after), Int8(len(moves))]
    for table, rows in written:
        values += table.pack(rows)
        await pause(len(rows))
    statement = _moving(tuple(table for table, _ in written))
    try:
        await AsyncRawCursor(connection).execute(statement, values)
    except DivisionByZero as error:
        raise Overtaken(", ".join(names)) from error


@cache
def _moving(tables: tuple[Table[Any], ...]) -> bytes:
    """A few dozen combinations of tables occur."""
    first, beside = 7, []
    for table in tables:
        beside.append(BESIDE.format(name=Identifier(table.name), insert=table.insert(first)))
        first += len(table.columns)
    return MOVE.format(beside=SQL("").join(beside)).as_bytes()


async def stall(
    connection: Connection, name: str, place: Place, error: str, position: int | None
) -> None:
    """Write down why a projection does not go on."""
    await connection.execute(
        STALL, (error[:_ERROR_CHARACTERS_MAX], position, name, place.generation, place.position)
    )


async def _create(connection: Connection, projection: Projection) -> None:
    await create_tables(connection, projection)
    for table in projection.tables:
        for statement in table.define_indexes():
            await connection.execute(statement)
    for view in projection.views:
        await connection.execute(view.create())
    await connection.execute(ADD, (projection.name, projection.form))


async def create_tables(connection: Connection, projection: Projection, suffix: str = "") -> None:
    for table in projection.tables:
        await connection.execute(table.create(suffix))


def named(projections: Sequence[Projection], names: Iterable[str]) -> list[Projection]:
    """Those of ``projections`` that are called so. Raises ``KeyError``."""
    by_name = {each.name: each for each in projections}
    return [by_name[name] for name in names]
