"""The exchange board: every conversation with a partner helpdesk, and what waits for an operator."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Identifier, Placeholder

from projections.paging import Page, checked_limit, page_of, read_cursor

# Newest change first; positions are unique, so they are the key of the page.
BOARD: Final = SQL("""
    SELECT stream, helpdesk, number, external_id, external_reference, remote_state, version, position,
           opened_at, changed_at, received, dispatched, undisclosed, pending, parked, diverged
      FROM view.exchange WHERE {conditions} ORDER BY position DESC LIMIT %(limit)s
""")
MESSAGES: Final = SQL("""
    SELECT message.stream, message.reference, message.helpdesk, exchange.number, exchange.external_id,
           message.direction, message.outcome, message.message_id, message.rule, message.raw,
           message.attempts, message.code, message.event_position, message.ticket_version,
           message.withheld, message.begun_at, message.changed_at, message.begun_position,
           message.position, convert_from(content.body, 'UTF8')
      FROM view.message JOIN view.exchange USING (stream)
      LEFT JOIN ledger.content ON content.id = message.detail
     WHERE {conditions} ORDER BY {order} LIMIT %(limit)s
""")
OLDEST_CHANGE: Final = SQL("message.position")
OLDEST: Final = SQL("message.begun_position")
NEWEST_CHANGE: Final = SQL("message.position DESC")
OF_TICKET: Final = SQL("""
    SELECT stream FROM view.exchange WHERE number = %(number)s AND number <> 0 ORDER BY stream
""")


class ExchangeView(Struct, frozen=True):
    id: UUID
    helpdesk: str
    number: int
    """Our ticket; 0 as long as there is none."""
    external_id: str
    external_reference: str
    remote_state: str
    """The partner's own word for the state of its ticket."""
    version: int
    position: int
    """Of the last event."""
    opened_at: datetime
    changed_at: datetime
    received: int
    dispatched: int
    undisclosed: int
    """Events that the partner was, by a rule, not told of."""
    pending: int
    parked: int
    """Messages that wait for an operator."""
    diverged: int
    """Fields that their ticket and ours should have alike and have not."""


class MessageView(Struct, frozen=True):
    exchange: UUID
    reference: int
    """Names the message within its exchange."""
    helpdesk: str
    number: int
    external_id: str
    direction: str
    outcome: str
    """See ``domain.exchange.Outcome``."""
    message_id: str
    rule: str
    """The mapping that read it, or the rule that disclosed it."""
    raw: UUID | None
    """The content that holds its bytes."""
    attempts: int
    code: str
    event_position: int
    ticket_version: int
    withheld: list[str]
    """What it asked for in vain."""
    begun_at: datetime
    changed_at: datetime
    begun_position: int
    position: int
    detail: str | None
    """What explains the code; None when there is nothing, or it was erased."""


class _Key(Struct, frozen=True):
    position: int


async def board(
    connection: AsyncConnection[Any],
    *,
    helpdesk: str | None = None,
    number: int | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[ExchangeView]:
    """Conversations, the one that changed last first; of one helpdesk or one ticket if named."""
    conditions = [SQL("true")]
    if helpdesk is not None:
        conditions.append(SQL("helpdesk = %(helpdesk)s"))
    if number is not None:
        conditions.append(SQL("number = %(number)s AND number <> 0"))
    values: dict[str, Any] = {
        "helpdesk": helpdesk, "number": number, "limit": checked_limit(limit) + 1,
    }  # fmt: skip
    if cursor is not None:
        conditions.append(SQL("position < %(place)s"))
        values["place"] = read_cursor(cursor, _Key).position
    statement = BOARD.format(conditions=SQL(" AND ").join(conditions))
    rows = await (await connection.execute(statement, values)).fetchall()
    return page_of([ExchangeView(*row) for row in rows], limit, _changed)


async def parked(
    connection: AsyncConnection[Any],
    *,
    helpdesk: str | None = None,
    direction: str | None = None,
    code: str | None = None,
    until: int | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[MessageView]:
    """Messages that wait for an operator, the one that waits longest first.

    ``until``: those that were parked up to this position.
    """
    conditions: list[Composable] = [SQL("message.outcome = 'parked'")]
    values: dict[str, Any] = {"limit": checked_limit(limit) + 1}
    for name, value in (("helpdesk", helpdesk), ("direction", direction), ("code", code)):
        if value is not None:
            conditions.append(
                SQL("{column} = {value}").format(
                    column=Identifier("message", name), value=Placeholder(name)
                )
            )
            values[name] = value
    if until is not None:
        conditions.append(SQL("message.position <= %(until)s"))
        values["until"] = until
    if cursor is not None:
        conditions.append(SQL("message.position > %(place)s"))
        values["place"] = read_cursor(cursor, _Key).position
    found = await _messages(connection, conditions, OLDEST_CHANGE, values)
    return page_of(found, limit, _changed)


async def refused(
    connection: AsyncConnection[Any],
    *,
    helpdesk: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[MessageView]:
    """Messages that asked for what is not permitted and had no effect, the latest first. Nobody waits for them."""
    conditions: list[Composable] = [SQL("message.outcome = 'refused'")]
    values: dict[str, Any] = {"helpdesk": helpdesk, "limit": checked_limit(limit) + 1}
    if helpdesk is not None:
        conditions.append(SQL("message.helpdesk = %(helpdesk)s"))
    if cursor is not None:
        conditions.append(SQL("message.position < %(place)s"))
        values["place"] = read_cursor(cursor, _Key).position
    found = await _messages(connection, conditions, NEWEST_CHANGE, values)
    return page_of(found, limit, _changed)


async def messages(
    connection: AsyncConnection[Any],
    number: int,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[MessageView]:
    """All messages about a ticket, with whatever helpdesk, in the order in which they began."""
    conditions: list[Composable] = [SQL("exchange.number = %(number)s AND exchange.number <> 0")]
    values = {"number": number, "limit": checked_limit(limit) + 1}
    if cursor is not None:
        conditions.append(SQL("message.begun_position > %(place)s"))
        values["place"] = read_cursor(cursor, _Key).position
    return page_of(await _messages(connection, conditions, OLDEST, values), limit, _begun)


async def exchanges_of(connection: AsyncConnection[Any], number: int) -> list[UUID]:
    """The streams of a ticket's conversations."""
    rows = await (await connection.execute(OF_TICKET, {"number": number})).fetchall()
    return [stream for (stream,) in rows]


async def _messages(
    connection: AsyncConnection[Any],
    conditions: list[Composable],
    order: SQL,
    values: dict[str, Any],
) -> list[MessageView]:
    statement = MESSAGES.format(conditions=SQL(" AND ").join(conditions), order=order)
    rows = await (await connection.execute(statement, values)).fetchall()
    return [_message(*row) for row in rows]


def _message(*columns: Any) -> MessageView:
    values = dict(zip(MessageView.__struct_fields__, columns, strict=True))
    values["withheld"] = msgspec.json.decode(values["withheld"], type=list[str])
    return MessageView(**values)


def _changed(row: ExchangeView | MessageView) -> _Key:
    return _Key(row.position)


def _begun(row: MessageView) -> _Key:
    return _Key(row.begun_position)
