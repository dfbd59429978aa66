"""The ticket page: one row per ticket with its present state, from which lists and current queues are read."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from msgspec import Struct, structs
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.errors import Invalid
from domain.lifecycle import Status
from projections.columns import Instant
from projections.paging import Page, checked_limit, known_statuses, page_of, read_cursor
from projections.tables import Table

COLUMNS: Final = SQL("""
    ticket.number, ticket.version, ticket.position, ticket.status, ticket.open, ticket.ball, ticket.unit,
    ticket.assignee, ticket.submitter, ticket.priority, ticket.original_priority, ticket.type,
    ticket.category, ticket.issue_type, ticket.vo, ticket.affected_site, ticket.notified_site,
    ticket.opened_at, ticket.changed_at, ticket.waiting_since, ticket.solved_at, ticket.closed_at,
    ticket.reopenings, ticket.gaps, convert_from(content.body, 'UTF8')
""")
# Texts are looked up for the page alone, after it was cut.
LIST: Final = SQL("""
    SELECT {columns}
      FROM (SELECT * FROM view.ticket WHERE {conditions} ORDER BY number DESC LIMIT %(limit)s) AS ticket
      LEFT JOIN ledger.content ON content.id = ticket.subject
     ORDER BY ticket.number DESC
""")


class TicketRow(Struct, kw_only=True, gc=False):
    number: int
    stream: UUID
    version: int
    position: int
    """Of the last event."""
    opened_position: int
    status: str
    open: bool
    ball: str
    unit: str
    assignee: UUID | None = None
    submitter: UUID | None
    priority: str
    precedence: int
    original_priority: str
    type: str
    category: str
    issue_type: str
    vo: str
    affected_site: str
    notified_site: str = ""
    site: str
    """The notified site, or else the affected one."""
    subject: UUID | None
    """The content that holds the text."""
    opened_at: Instant
    changed_at: Instant
    """When the last event took effect: never before the one it follows, whatever its source says."""
    waiting_since: Instant
    """Since when the ticket is in this status with this unit."""
    solved_at: Instant | None = None
    """Solved or found unsolvable; empty again after a reopening."""
    closed_at: Instant | None = None
    """Verified or closed."""
    reopenings: int = 0
    gaps: int = 0
    """Versions that the archive does not tell of."""
    spells: int = 1
    """How many there are; the last one lasts:"""
    from_at: Instant
    """when it began,"""
    from_position: int
    """and by which event."""


# Status and times stand in no index: most changes touch none. Few tickets of a long history are open.
TICKET: Final = Table(
    "ticket",
    TicketRow,
    key=("number",),
    indexes=(
        "(unit) WHERE open",
        "(assignee) WHERE open AND assignee IS NOT NULL",
        "(submitter, number) WHERE submitter IS NOT NULL",
        "(site, number) WHERE site <> ''",
        "(vo, number) WHERE vo <> ''",
        "(unit, number)",
    ),
    fill=70,
)


class TicketView(Struct, frozen=True):
    """A ticket as lists and pages show it now."""

    number: int
    version: int
    position: int
    """Of its last event."""
    status: str
    open: bool
    ball: str
    unit: str
    assignee: UUID | None
    submitter: UUID | None
    priority: str
    original_priority: str
    type: str
    category: str
    issue_type: str
    vo: str
    affected_site: str
    notified_site: str
    opened_at: datetime
    changed_at: datetime
    waiting_since: datetime
    solved_at: datetime | None
    closed_at: datetime | None
    reopenings: int
    gaps: int
    subject: str | None
    """None when it was erased, or never known."""


class TicketFilter(Struct, frozen=True, kw_only=True):
    """What a list of tickets is narrowed to; None: by nothing."""

    statuses: Collection[Status | str] | None = None
    unit: str | None = None
    site: str | None = None
    """Notified, or else affected."""
    vo: str | None = None
    priority: str | None = None
    type: str | None = None
    category: str | None = None
    assignee: UUID | None = None
    submitter: UUID | None = None
    external_id: str | None = None
    """An identifier or reference of a partner, present or former."""
    helpdesk: str | None = None
    """Whose ``external_id`` it is; with it only."""
    opened_from: datetime | None = None
    opened_until: datetime | None = None
    """Exclusive."""


CONDITIONS: Final[dict[str, LiteralString]] = {
    "statuses": "status = ANY(%(statuses)s)",
    "unit": "unit = %(unit)s",
    "site": "site = %(site)s",
    "vo": "vo = %(vo)s",
    "priority": "priority = %(priority)s",
    "type": "type = %(type)s",
    "category": "category = %(category)s",
    "assignee": "assignee = %(assignee)s",
    "submitter": "submitter = %(submitter)s",
    # One probe a partner: each of its names for a ticket was claimed once, and is for ever. Columns of views have
    # another collation than the index of the claims.
    "external_id": """number IN (
        SELECT exchange.number FROM view.helpdesk
         CROSS JOIN LATERAL (SELECT originator_id FROM ledger.claim
                WHERE kind = ('link:' || helpdesk.name) COLLATE "default"
                  AND key = %(external_id)s OFFSET 0) AS claim
          JOIN view.exchange ON exchange.stream = claim.originator_id
         WHERE helpdesk.to_position = 9223372036854775807
           AND (%(helpdesk)s::text IS NULL OR helpdesk.name = %(helpdesk)s)
        UNION ALL
        SELECT exchange.number FROM view.exchange
         WHERE exchange.external_reference = %(external_id)s AND exchange.external_reference <> ''
           AND (%(helpdesk)s::text IS NULL OR exchange.helpdesk = %(helpdesk)s))""",
    "opened_from": "opened_at >= %(opened_from)s",
    "opened_until": "opened_at < %(opened_until)s",
}


class _Key(Struct, frozen=True):
    number: int


async def tickets(
    connection: AsyncConnection[Any],
    chosen: TicketFilter | None = None,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[TicketView]:
    """Tickets, newest first. Raises ``Invalid`` for a bad cursor, limit or status, or a helpdesk alone."""
    checked_limit(limit)
    wanted = {
        name: value
        for name, value in structs.asdict(chosen or TicketFilter()).items()
        if value is not None
    }
    helpdesk = wanted.pop("helpdesk", None)
    if helpdesk is not None and "external_id" not in wanted:
        raise Invalid("helpdesk says whose external_id is meant: name that as well")
    conditions = [SQL(CONDITIONS[name]) for name in wanted]
    wanted["helpdesk"] = helpdesk
    if "statuses" in wanted:
        wanted["statuses"] = [status.value for status in known_statuses(wanted["statuses"])]
    if cursor is not None:
        conditions.append(SQL("number < %(before)s"))
        wanted["before"] = read_cursor(cursor, _Key).number
    statement = LIST.format(
        columns=COLUMNS, conditions=SQL(" AND ").join(conditions or [SQL("true")])
    )
    rows = await (await connection.execute(statement, wanted | {"limit": limit + 1})).fetchall()
    return page_of([TicketView(*row) for row in rows], limit, _key)


def _key(row: TicketView) -> _Key:
    return _Key(row.number)
