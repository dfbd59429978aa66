"""Columns of values as PostgreSQL arrays in binary form, packed whole.

A projection writes many rows with one ``INSERT .. SELECT FROM unnest(..)``. Packing a column in one go costs
about 0.1 us a value; letting the driver adapt each value costs four times as much.

Instants are integers here: microseconds since 2000-01-01 UTC, as PostgreSQL keeps them.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from struct import Struct as Packer
from types import MappingProxyType
from typing import Any, Final, LiteralString, NewType
from uuid import UUID

from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryLoader

Instant = NewType("Instant", int)
"""Microseconds since 2000-01-01 UTC."""

FOREVER: Final = Instant(2**63 - 1)
"""``infinity`` in a column of instants."""
ALWAYS: Final = 2**63 - 1
"""A position that no log reaches: the end of what still lasts."""

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NULL: Final = b"\xff\xff\xff\xff"
_TRUE: Final = b"\0\0\0\x01\x01"
_FALSE: Final = b"\0\0\0\x01\0"
_UUID: Final = b"\0\0\0\x10"
_TEXTS_MAX: Final = 50_000
_number: Final = Packer(">iq").pack
_header: Final = Packer(">iiIii").pack


def instant(at: datetime) -> Instant:
    """An aware time as PostgreSQL counts it."""
    since = at - _EPOCH
    return Instant((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


class _Texts(dict[str | None, bytes]):
    """Texts in packed form. The same few names and states come again and again."""

    def __missing__(self, text: str | None) -> bytes:
        if text is None:
            packed = _NULL
        else:
            encoded = text.encode()
            packed = len(encoded).to_bytes(4, "big") + encoded
        if len(self) >= _TEXTS_MAX:
            self.clear()
        self[text] = packed
        return packed


_texts: Final = _Texts()


def _pack_texts(values: Sequence[str | None]) -> list[bytes]:
    return [_texts[value] for value in values]


def _pack_numbers(values: Sequence[int | None]) -> list[bytes]:
    return [_NULL if value is None else _number(8, value) for value in values]


def _pack_uuids(values: Sequence[UUID | None]) -> list[bytes]:
    return [_NULL if value is None else _UUID + value.int.to_bytes(16, "big") for value in values]


def _pack_flags(values: Sequence[bool | None]) -> list[bytes]:
    return [_NULL if value is None else _TRUE if value else _FALSE for value in values]


class Array(bytes):
    """An array in binary form; its subclasses say of what."""

    __slots__ = ()


class Kind:
    """A type of column: its name in SQL, and how its values are packed."""

    def __init__(
        self,
        sql: LiteralString,
        oid: int,
        array_oid: int,
        pack: Callable[[Sequence[Any]], list[bytes]],
    ) -> None:
        self.sql: LiteralString = sql
        self._oid = oid
        self.pack = pack
        """Each value with its length before it, as arrays and ``COPY`` have it."""
        self._array = type(f"{sql}_array", (Array,), {"__slots__": ()})
        self.dumper = type(f"{sql}_array_dumper", (_ArrayDumper,), {"oid": array_oid})

    def array(self, values: Sequence[Any]) -> Array:
        """The values as one parameter of a query."""
        header = _header(1, 1, self._oid, len(values), 1)
        packed: Array = self._array(header + b"".join(self.pack(values)))
        return packed

    def register(self, context: AdaptContext) -> None:
        assert context.adapters is not None
        context.adapters.register_dumper(self._array, self.dumper)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer:
        return bytes(obj)


KINDS: Final = MappingProxyType({
    str:     Kind("text", 25, 1009, _pack_texts),
    int:     Kind("bigint", 20, 1016, _pack_numbers),
    Instant: Kind("timestamptz", 1184, 1185, _pack_numbers),
    UUID:    Kind("uuid", 2950, 2951, _pack_uuids),
    bool:    Kind("boolean", 16, 1000, _pack_flags),
})  # fmt: skip
"""By the annotation of the field that a row has for the column."""


COPY_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER: Final = b"\xff\xff"


def copy_rows(columns: Sequence[list[bytes]]) -> bytes:
    """Packed columns as rows in the binary form of ``COPY``, without header and trailer."""
    width = len(columns).to_bytes(2, "big")
    return b"".join([width + b"".join(row) for row in zip(*columns, strict=True)])


def adapt(context: AdaptContext) -> None:
    """Let a connection take arrays of this file, and give instants as integers (binary results only)."""
    for kind in KINDS.values():
        kind.register(context)
    assert context.adapters is not None
    context.adapters.register_loader("timestamptz", Int8BinaryLoader)
