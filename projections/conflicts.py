"""Conflicts that no operator has looked at: both sides changed a field, and a rule decided."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from projections.paging import Page, checked_limit, page_of, read_cursor

CONFLICTING: Final = SQL("""
    SELECT stream, helpdesk, number, external_id, conflicts, position FROM view.exchange
     WHERE conflicting > 0 AND (%(helpdesk)s::text IS NULL OR helpdesk = %(helpdesk)s)
       AND (%(place)s::bigint IS NULL OR position < %(place)s)
     ORDER BY position DESC LIMIT %(limit)s
""")


class ConflictView(Struct, frozen=True):
    field: str
    ours: str
    theirs: str
    rule: str
    """Name and version of the rule that decided."""
    wins: str
    """``ours`` or ``theirs``."""
    reference: int
    """Of the message that brought theirs."""
    since: datetime


class ConflictingView(Struct, frozen=True):
    exchange: UUID
    helpdesk: str
    number: int
    external_id: str
    conflicts: list[ConflictView]
    position: int


class _Kept(Struct, frozen=True):
    field: str
    ours: str
    theirs: str
    rule: str
    wins: str
    reference: int
    since: int


class _Key(Struct, frozen=True):
    position: int


async def conflicting(
    connection: AsyncConnection[Any],
    *,
    helpdesk: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ConflictingView]:
    """The conversations with conflicts that nobody has looked at, the one that changed last first."""
    place = read_cursor(cursor, _Key).position if cursor is not None else None
    values = {"helpdesk": helpdesk, "place": place, "limit": checked_limit(limit) + 1}
    rows = await (await connection.execute(CONFLICTING, values)).fetchall()
    found = [
        ConflictingView(stream, name, number, external_id, _conflicts(kept), position)
        for stream, name, number, external_id, kept, position in rows
    ]
    return page_of(found, limit, lambda each: _Key(each.position))


def _conflicts(kept: str) -> list[ConflictView]:
    return [
        ConflictView(
            each.field,
            each.ours,
            each.theirs,
            each.rule,
            each.wins,
            each.reference,
            datetime.fromtimestamp(each.since, UTC),
        )
        for each in msgspec.json.decode(kept, type=list[_Kept])
    ]
