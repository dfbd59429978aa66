"""The tickets that are exchanged with one helpdesk, as its own lists show them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.lifecycle import FINAL, Status

LIST_MAX: Final = 500

# Texts are looked up for the page alone, after it was cut.
EXCHANGED: Final = SQL("""
    SELECT page.number, page.status, page.unit, page.priority, page.issue_type, page.category, page.type,
           page.vo, page.site, page.opened_at, page.changed_at, page.external_id, page.external_reference,
           convert_from(content.body, 'UTF8')
      FROM (SELECT ticket.*, exchange.external_id, exchange.external_reference
              FROM view.exchange JOIN view.ticket USING (number)
             WHERE exchange.helpdesk = %(helpdesk)s AND exchange.number <> 0
               AND ticket.status = ANY(%(statuses)s) AND ticket.unit = %(unit)s
             ORDER BY ticket.number OFFSET %(first)s LIMIT %(limit)s) AS page
      LEFT JOIN ledger.content ON content.id = page.subject
     ORDER BY page.number
""")

LINKED: Final = SQL("""
    SELECT ticket.number, exchange.external_id
      FROM view.exchange JOIN view.ticket USING (number)
     WHERE exchange.helpdesk = %(helpdesk)s AND exchange.number <> 0 AND ticket.status <> ALL(%(final)s)
     ORDER BY ticket.number
""")

HELPDESKS: Final = "SELECT DISTINCT helpdesk FROM view.exchange ORDER BY helpdesk"


class LinkedTicket(Struct, frozen=True):
    number: int
    external_id: str
    """The partner's ticket; empty where it did not tell."""


class ExchangedTicket(Struct, frozen=True):
    number: int
    status: str
    unit: str
    priority: str
    issue_type: str
    category: str
    type: str
    vo: str
    site: str
    """The notified site, or else the affected one."""
    opened_at: datetime
    changed_at: datetime
    external_id: str
    """The partner's ticket."""
    external_reference: str
    subject: str | None
    """None when it was erased, or never known."""


async def exchanged_tickets(
    connection: AsyncConnection[Any],
    *,
    helpdesk: str,
    unit: str,
    statuses: Collection[Status],
    first: int = 0,
    limit: int = LIST_MAX,
) -> list[ExchangedTicket]:
    """Those of one unit in these statuses by number, from the ``first`` (counted from 0)."""
    assert 0 <= limit <= LIST_MAX
    values = {
        "helpdesk": helpdesk, "unit": unit, "statuses": [each.value for each in statuses],
        "first": first, "limit": limit,
    }  # fmt: skip
    rows = await (await connection.execute(EXCHANGED, values)).fetchall()
    return [ExchangedTicket(*row) for row in rows]


async def linked_tickets(connection: AsyncConnection[Any], helpdesk: str) -> list[LinkedTicket]:
    """All that are exchanged with a partner and not final, by number."""
    values = {"helpdesk": helpdesk, "final": [status.value for status in FINAL]}
    rows = await (await connection.execute(LINKED, values)).fetchall()
    return [LinkedTicket(*row) for row in rows]


async def helpdesks(connection: AsyncConnection[Any]) -> list[str]:
    """The partners with whom tickets are exchanged, or were. This reads all conversations."""
    return [name for (name,) in await (await connection.execute(HELPDESKS)).fetchall()]
