"""Queues: what waits for whom, now or as of any moment, most urgent first, then waiting longest.

The present is read from the ticket rows, any other moment from the spells that contain it: a time means "as
things happened", a position "as they were recorded".
"""

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.ledger import AsOf
from domain.lifecycle import OPEN, Status
from projections.paging import Page, checked_limit, known_statuses, page_of, read_cursor

COLUMNS: Final = SQL("""
    held.number, held.status, held.ball, held.priority, held.unit, held.assignee, held.site, held.vo,
    held.type, held.category, held.waiting_since, held.opened_at, held.precedence
""")
NOW: Final = "view.ticket AS held"
THEN: Final = "view.spell AS held"
AT_TIME: Final = "held.from_at <= %(at)s AND held.to_at > %(at)s"
AT_POSITION: Final = "held.from_position <= %(at)s AND held.to_position > %(at)s"

# Texts are looked up for the page alone, after it was cut.
QUEUE: Final = """
    SELECT page.*, convert_from(content.body, 'UTF8')
      FROM (SELECT {columns} FROM {held} WHERE {conditions}
             ORDER BY held.precedence, held.waiting_since, held.number LIMIT %(limit)s) AS page
      LEFT JOIN view.ticket ON ticket.number = page.number
      LEFT JOIN ledger.content ON content.id = ticket.subject
     ORDER BY page.precedence, page.waiting_since, page.number
"""
COUNTS: Final = """
    SELECT held.unit, held.status, count(*), min(held.waiting_since)
      FROM {held} WHERE {conditions}
     GROUP BY held.unit, held.status ORDER BY held.unit, held.status
"""
_EQUALS: Final[dict[str, LiteralString]] = {
    "unit": "held.unit = %(unit)s",
    "person": "held.assignee = %(person)s",
    "priority": "held.priority = %(priority)s",
    "vo": "held.vo = %(vo)s",
    "site": "held.site = %(site)s",
}


class QueueRow(Struct, frozen=True):
    number: int
    status: str
    ball: str
    """Who has to act next (``domain.lifecycle.Ball``)."""
    priority: str
    unit: str
    assignee: UUID | None
    site: str
    """The notified site, or else the affected one."""
    vo: str
    type: str
    category: str
    waiting_since: datetime
    """Since when the ticket is in this status with this unit."""
    opened_at: datetime
    precedence: int
    """0 for the highest priority."""
    subject: str | None
    """None when it was erased, or never known."""


class QueueCount(Struct, frozen=True):
    unit: str
    status: str
    tickets: int
    waiting_since: datetime
    """Of the one that waits longest."""


class _Key(Struct, frozen=True):
    precedence: int
    waiting_since: datetime
    number: int


async def queue(
    connection: AsyncConnection[Any],
    *,
    unit: str | None = None,
    person: UUID | None = None,
    statuses: Collection[Status | str] = OPEN,
    priority: str | None = None,
    vo: str | None = None,
    site: str | None = None,
    as_of: AsOf | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[QueueRow]:
    """A page of tickets in ``statuses``, narrowed to a unit, a person, a priority, a VO, a site.

    Raises ``Invalid`` for a bad cursor, limit or status.
    """
    checked_limit(limit)
    chosen = OPEN if statuses is OPEN else known_statuses(statuses)
    values: dict[str, Any] = {
        "unit": unit, "person": person, "priority": priority, "vo": vo, "site": site,
    }  # fmt: skip
    held, conditions = _moment(as_of)
    conditions += _in(chosen)
    conditions += [_EQUALS[name] for name, value in values.items() if value is not None]
    values |= {"at": as_of, "statuses": [status.value for status in chosen], "limit": limit + 1}
    if cursor is not None:
        key = read_cursor(cursor, _Key)
        conditions.append(
            "(held.precedence, held.waiting_since, held.number)"
            " > (%(precedence)s, %(since)s, %(number)s)"
        )
        values |= {
            "precedence": key.precedence, "since": key.waiting_since, "number": key.number,
        }  # fmt: skip
    statement = _composed(QUEUE, held, tuple(conditions))
    rows = await (await connection.execute(statement, values)).fetchall()
    return page_of([QueueRow(*row) for row in rows], limit, _key)


async def queue_counts(
    connection: AsyncConnection[Any], *, as_of: AsOf | None = None
) -> list[QueueCount]:
    """How many open tickets each unit has in each status, by unit and status."""
    held, conditions = _moment(as_of)
    conditions += _in(OPEN)
    statement = _composed(COUNTS, held, tuple(conditions))
    values = {"at": as_of, "statuses": [status.value for status in OPEN]}
    rows = await (await connection.execute(statement, values)).fetchall()
    return [QueueCount(*row) for row in rows]


def _moment(as_of: AsOf | None) -> tuple[LiteralString, list[LiteralString]]:
    match as_of:
        case None:
            return NOW, []
        case int():
            return THEN, [AT_POSITION]
        case _:
            return THEN, [AT_TIME]


def _in(statuses: frozenset[Status]) -> list[LiteralString]:
    """The shortest condition: "open" alone is what the indexes know."""
    if statuses == OPEN:
        return ["held.open"]
    chosen: LiteralString = "held.status = ANY(%(statuses)s)"
    return ["held.open", chosen] if statuses <= OPEN else [chosen]


@lru_cache(maxsize=1_000)
def _composed(
    question: LiteralString, held: LiteralString, conditions: tuple[LiteralString, ...]
) -> bytes:
    """Kept: to compose a question takes as long as to answer it."""
    composed = SQL(question).format(
        columns=COLUMNS, held=SQL(held), conditions=SQL(" AND ".join(conditions))
    )
    return composed.as_bytes()


def _key(row: QueueRow) -> _Key:
    return _Key(row.precedence, row.waiting_since, row.number)
