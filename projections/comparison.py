"""Two tables that should be equal: how many rows differ, and which ones, for people to look at."""

from typing import Any, Final

from msgspec import Struct
from psycopg.sql import SQL, Composable, Identifier

from projections.tables import Connection, Table

# A row of type "record" is compared field by field, NULL equal to NULL.
DIFFERENCES: Final = SQL("""
    SELECT count(*), count(*) FILTER (WHERE fresh.{first} IS NULL), count(*) FILTER (WHERE live.{first} IS NULL)
      FROM {live} AS live FULL JOIN {fresh} AS fresh ON {keys}
     WHERE live.* IS DISTINCT FROM fresh.*
""")
EXAMPLES: Final = SQL("""
    SELECT row_to_json(live)::text, row_to_json(fresh)::text
      FROM {live} AS live FULL JOIN {fresh} AS fresh ON {keys}
     WHERE live.* IS DISTINCT FROM fresh.*
     ORDER BY {order} LIMIT 10
""")
COUNT: Final = SQL("SELECT count(*) FROM {fresh}")


class Difference(Struct, frozen=True):
    """Rows of one table that are not as the log says."""

    table: str
    rows: int
    only_live: int
    only_fresh: int
    """The others are in both, with other values."""
    examples: list[tuple[str | None, str | None]]
    """The live row and the fresh one, as JSON."""


async def difference(
    connection: Connection, table: Table[Any], live: str, fresh: str
) -> Difference | None:
    """Compare the tables with two suffixes; None when they are equal."""
    parts: dict[str, Composable] = {
        "live": table.identifier(live),
        "fresh": table.identifier(fresh),
        "first": Identifier(table.key[0]),
        "keys": SQL(" AND ").join(
            SQL("live.{key} = fresh.{key}").format(key=Identifier(key)) for key in table.key
        ),
        "order": SQL(", ").join(
            SQL("coalesce(live.{key}, fresh.{key})").format(key=Identifier(key))
            for key in table.key
        ),
    }
    row = await (await connection.execute(DIFFERENCES.format(**parts))).fetchone()
    assert row is not None
    different, only_live, only_fresh = row
    if not different:
        return None
    rows = await (await connection.execute(EXAMPLES.format(**parts))).fetchall()
    examples = [(old, new) for old, new in rows]
    return Difference(table.name, different, only_live, only_fresh, examples)


async def row_count(connection: Connection, table: Table[Any], suffix: str) -> int:
    row = await (await connection.execute(COUNT.format(fresh=table.identifier(suffix)))).fetchone()
    assert row is not None
    return int(row[0])
