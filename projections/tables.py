"""Tables that are folded from events: made from the class of their rows, written many rows at a time."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, Generic, LiteralString, TypeVar, get_args, get_type_hints

from msgspec import Struct
from msgspec.structs import astuple
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.sql import SQL, Composed, Identifier, Literal

from projections.columns import COPY_HEADER, COPY_TRAILER, KINDS, Kind, copy_rows

RowT = TypeVar("RowT", bound=Struct)
Connection = AsyncConnection[tuple[Any, ...]]

SCHEMA: Final = "view"
LIVE: Final = ""
"""The suffix of the tables that answer questions; a rebuild uses another."""

CREATE: Final = SQL("CREATE TABLE IF NOT EXISTS {table} ({columns}) WITH (fillfactor = {fill})")
COLUMN: Final = SQL("{name} {kind}{absent}")
KEY: Final = SQL("ALTER TABLE {table} ADD PRIMARY KEY ({key})")
INDEX: Final = SQL("CREATE INDEX ON {table} {on}")
REPLACE_VIEW: Final = SQL("CREATE OR REPLACE VIEW {view} AS {query}")
INSERT: Final = SQL("""
    INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})
        ON CONFLICT ({key}) DO UPDATE SET ({others}) = ROW ({new})
""")
PARAMETER: Final = SQL("${number}")
COPY: Final = SQL("COPY {table} FROM STDIN (FORMAT binary)")


class View(Struct, frozen=True):
    """A question with a name, to the tables of one projection."""

    name: str
    query: SQL

    def create(self) -> Composed:
        return REPLACE_VIEW.format(view=Identifier(SCHEMA, self.name), query=self.query)


class Table(Generic[RowT]):
    """One table of a projection.

    ``row`` is a ``Struct`` whose fields are the columns (``int | None`` may be NULL). Rows are found and replaced
    by ``key``; ``indexes`` is what follows ``CREATE INDEX ON table``. ``fill`` is how full (percent) a page is made: rows that are
    replaced often find room beside themselves, and then no index needs to be touched.
    """

    def __init__(
        self,
        name: str,
        row: type[RowT],
        *,
        key: Sequence[str],
        indexes: Sequence[LiteralString] = (),
        fill: int = 100,
    ) -> None:
        self.name = name
        self.fill = fill
        self.row = row
        self.key = tuple(key)
        self.indexes = tuple(indexes)
        self.columns = row.__struct_fields__
        assert set(key) <= set(self.columns)
        self._inserts: dict[str, bytes] = {}

    def identifier(self, suffix: str = LIVE) -> Identifier:
        return Identifier(SCHEMA, self.name + suffix)

    @cached_property
    def kinds(self) -> dict[str, tuple[Kind, bool]]:
        """The kind of each column, and whether it may be NULL."""
        hints = get_type_hints(self.row)
        return {column: _kind(hints[column]) for column in self.columns}

    # -- definition ----------------------------------------------------------------------------------

    def create(self, suffix: str = LIVE) -> Composed:
        """The table without key and indexes."""
        columns = [
            COLUMN.format(
                name=Identifier(column),
                # Bytes are compared, not words of a language: the indexes are built twice as fast.
                kind=SQL('text COLLATE "C"') if kind is KINDS[str] else SQL(kind.sql),
                absent=SQL("") if nullable else SQL(" NOT NULL"),
            )
            for column, (kind, nullable) in self.kinds.items()
        ]
        return CREATE.format(
            table=self.identifier(suffix), columns=SQL(", ").join(columns), fill=self.fill
        )

    def define_indexes(self, suffix: str = LIVE) -> list[Composed]:
        table = self.identifier(suffix)
        return [
            KEY.format(table=table, key=_names(self.key)),
            *(INDEX.format(table=table, on=SQL(on)) for on in self.indexes),
        ]

    # -- rows ----------------------------------------------------------------------------------------

    async def write(
        self, connection: Connection, rows: Iterable[RowT], *, suffix: str = LIVE
    ) -> None:
        """Insert rows in one statement."""
        arrays = self.pack(rows)
        if arrays:
            statement = self._inserts.get(suffix) or self.insert(1, suffix).as_bytes()
            self._inserts[suffix] = statement
            await AsyncRawCursor(connection).execute(statement, arrays)

    async def copy(self, connection: Connection, rows: Iterable[RowT], *, suffix: str) -> None:
        """Copy new rows into a table that has no key yet: half the work of inserting them."""
        columns = zip(*[astuple(row) for row in rows], strict=True)
        packed = [
            kind.pack(values)
            for (kind, _), values in zip(self.kinds.values(), columns, strict=False)
        ]
        if packed:
            statement = COPY.format(table=self.identifier(suffix))
            async with connection.cursor() as cursor, cursor.copy(statement) as copy:
                await copy.write(COPY_HEADER + copy_rows(packed) + COPY_TRAILER)

    def pack(self, rows: Iterable[RowT]) -> list[Any]:
        """The rows as one array per column; an empty list when there are none."""
        columns = zip(*[astuple(row) for row in rows], strict=True)
        return [
            kind.array(values)
            for (kind, _), values in zip(self.kinds.values(), columns, strict=False)
        ]

    def restored(self, values: Iterable[Any]) -> RowT:
        """The row of these columns, in the order of ``columns``."""
        return self.row(**dict(zip(self.columns, values, strict=True)))

    def insert(self, first: int, suffix: str = LIVE) -> Composed:
        """The statement that inserts packed rows; they take the place of those with the same key.

        Its parameters are ``$first`` and the next ones, one for each column: for a raw cursor, as looking for
        placeholders among so many would take longer than all else that the driver does.
        """
        others = [column for column in self.columns if column not in self.key]
        numbers = range(first, first + len(self.columns))
        return INSERT.format(
            table=self.identifier(suffix),
            names=_names(self.columns),
            arrays=SQL(", ").join(PARAMETER.format(number=Literal(each)) for each in numbers),
            key=_names(self.key),
            others=_names(others),
            new=SQL(", ").join(Identifier("excluded", column) for column in others),
        )


def _kind(hint: Any) -> tuple[Kind, bool]:
    parts = get_args(hint)
    if not parts:
        return KINDS[hint], False
    (kind,) = (part for part in parts if part is not type(None))
    return KINDS[kind], True


def _names(columns: Iterable[str]) -> Composed:
    return SQL(", ").join(Identifier(column) for column in columns)
