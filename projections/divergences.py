"""The tickets that a partner and we hold in common: which can be compared, and which diverge."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.lifecycle import FINAL
from projections.paging import Page, checked_limit, page_of, read_cursor

LINKED: Final = SQL("""
    SELECT exchange.stream FROM view.exchange JOIN view.ticket USING (number)
     WHERE exchange.helpdesk = %(helpdesk)s AND exchange.external_id <> '' AND exchange.number <> 0
       AND exchange.stream > %(after)s
       AND (ticket.status <> ALL(%(final)s) OR ticket.changed_at >= %(since)s)
     ORDER BY exchange.stream LIMIT %(limit)s
""")
ALL_LINKED: Final = SQL("""
    SELECT stream FROM view.exchange
     WHERE helpdesk = %(helpdesk)s AND external_id <> '' AND number <> 0 AND stream > %(after)s
     ORDER BY stream LIMIT %(limit)s
""")
DIVERGING: Final = SQL("""
    SELECT stream, helpdesk, number, external_id, divergences FROM view.exchange
     WHERE diverged > 0 AND helpdesk = %(helpdesk)s AND stream > %(after)s
       AND (%(field)s::text IS NULL
            OR divergences::jsonb @> jsonb_build_array(jsonb_build_object('field', %(field)s::text)))
     ORDER BY stream LIMIT %(limit)s
""")
HELPDESKS: Final = SQL("SELECT helpdesk FROM view.partner ORDER BY helpdesk")
_BEGINNING: Final = UUID(int=0)


class DivergenceView(Struct, frozen=True):
    field: str
    """``ticket``, ``number``, ``state``, ``priority``, ``unit``, ``messages``, ``forgotten`` or ``doubled``."""
    ours: str
    """With ``messages``, the positions of the events that the partner was told of."""
    theirs: str
    repair: str
    """What was done about it by a rule; empty: an operator decides."""
    since: datetime


class DivergingView(Struct, frozen=True):
    exchange: UUID
    helpdesk: str
    number: int
    external_id: str
    """The partner's ticket; empty while ours is told anew."""
    divergences: list[DivergenceView]


class _Kept(Struct, frozen=True):
    field: str
    ours: str
    theirs: str
    repair: str
    since: int


class _Key(Struct, frozen=True):
    stream: UUID


async def linked(
    connection: AsyncConnection[Any], helpdesk: str, after: UUID, since: datetime, limit: int
) -> list[UUID]:
    """Conversations in order of their identifiers; without tickets that are final since before ``since``."""
    values = {
        "helpdesk": helpdesk, "after": after, "since": since, "limit": limit,
        "final": [status.value for status in FINAL],
    }  # fmt: skip
    rows = await (await connection.execute(LINKED, values)).fetchall()
    return [stream for (stream,) in rows]


async def linked_page(
    connection: AsyncConnection[Any], helpdesk: str, *, cursor: str | None, limit: int
) -> Page[UUID]:
    """All conversations with a partner of which each side knows the other's ticket."""
    after = read_cursor(cursor, _Key).stream if cursor is not None else _BEGINNING
    values = {"helpdesk": helpdesk, "after": after, "limit": checked_limit(limit) + 1}
    rows = await (await connection.execute(ALL_LINKED, values)).fetchall()
    return page_of([stream for (stream,) in rows], limit, _Key)


async def helpdesks(connection: AsyncConnection[Any]) -> Sequence[str]:
    """The partners with whom anything was ever exchanged."""
    rows = await (await connection.execute(HELPDESKS)).fetchall()
    return [name for (name,) in rows]


async def diverging(
    connection: AsyncConnection[Any],
    helpdesk: str,
    *,
    field: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[DivergingView]:
    """The conversations with a partner in which something diverges; with ``field``, where that does."""
    after = read_cursor(cursor, _Key).stream if cursor is not None else _BEGINNING
    values = {
        "helpdesk": helpdesk, "after": after, "field": field, "limit": checked_limit(limit) + 1,
    }  # fmt: skip
    rows = await (await connection.execute(DIVERGING, values)).fetchall()
    found = [
        DivergingView(stream, name, number, external_id, _divergences(kept, field))
        for stream, name, number, external_id, kept in rows
    ]
    return page_of(found, limit, lambda each: _Key(each.exchange))


def _divergences(kept: str, field: str | None) -> list[DivergenceView]:
    return [
        DivergenceView(
            each.field, each.ours, each.theirs, each.repair, datetime.fromtimestamp(each.since, UTC)
        )
        for each in msgspec.json.decode(kept, type=list[_Kept])
        if field in (None, each.field)
    ]
