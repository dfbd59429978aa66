"""The past of a ticket or a queue: what it was at a moment, and what became different between two.

A moment is a time ("as things happened") or a position ("as they were recorded"). A ticket is told from its events
alone; queues are asked from the spells that contain the moment.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.content import Content, Sealed
from domain.ledger import AsOf, Ledger, until
from domain.store import EventStore, Recorded
from domain.ticket import Ticket
from projections.queues import QueueRow, queue

_PAGE = 200


class Moment(Struct, frozen=True):
    """A ticket as it was."""

    number: int
    version: int
    position: int
    """Of the last event that counts."""
    at: datetime
    """When that event took effect."""
    state: dict[str, Any]
    """Every field in plain values: texts as they are (None: erased, or never there), names, instants, numbers."""


class FieldChange(Struct, frozen=True):
    field: str
    before: Any
    after: Any


class TicketDifference(Struct, frozen=True):
    number: int
    before: Moment | None
    """None where the ticket did not exist yet."""
    after: Moment
    changes: list[FieldChange]
    """By name of the field; empty when nothing is different."""
    events: list[Recorded]
    """What happened in between, if ``before`` is the earlier one."""


class QueueDifference(Struct, frozen=True):
    came: list[QueueRow]
    went: list[QueueRow]
    changed: list[tuple[QueueRow, QueueRow]]
    """In the queue at both moments, but not the same."""


async def ticket_at(
    store: EventStore, number: int, as_of: AsOf | None = None, *, version: int | None = None
) -> Moment:
    """The ticket at a moment, or now. Raises ``TicketNotFound`` when it did not exist then."""
    return await _moment(store, await Ledger(store).history(number, as_of=as_of, version=version))


async def ticket_difference(
    store: EventStore, number: int, before: AsOf, after: AsOf | None = None
) -> TicketDifference:
    """Field by field, from ``before`` to ``after`` (or now).

    Raises ``TicketNotFound`` when the ticket did not exist at ``after``.
    """
    ledger = Ledger(store)
    known = await ledger.history(number, as_of=after)
    earlier = _until(known, before)
    now = await _moment(store, known)
    then = await _moment(store, earlier) if earlier else None
    old: Mapping[str, Any] = then.state if then else {}
    changes = [
        FieldChange(field, old.get(field), now.state[field])
        for field in sorted(now.state)
        if old.get(field) != now.state[field]
    ]
    return TicketDifference(number, then, now, changes, known[len(earlier) :])


async def queue_at(
    connection: AsyncConnection[Any], unit: str, as_of: AsOf | None = None
) -> list[QueueRow]:
    """The whole queue of a unit at a moment, or now: its open tickets, most urgent first."""
    rows: list[QueueRow] = []
    cursor = None
    while True:
        page = await queue(connection, unit=unit, as_of=as_of, cursor=cursor, limit=_PAGE)
        rows += page.items
        cursor = page.next
        if cursor is None:
            return rows


async def queue_difference(
    connection: AsyncConnection[Any], unit: str, before: AsOf, after: AsOf | None = None
) -> QueueDifference:
    """What came to the queue of a unit, what went, and what changed in it, from ``before`` to ``after``."""
    old = {row.number: row for row in await queue_at(connection, unit, before)}
    new = {row.number: row for row in await queue_at(connection, unit, after)}
    return QueueDifference(
        came=[row for number, row in new.items() if number not in old],
        went=[row for number, row in old.items() if number not in new],
        changed=[
            (old[number], row)
            for number, row in new.items()
            if number in old and row != old[number]
        ],
    )


def _until(history: list[Recorded], as_of: AsOf) -> list[Recorded]:
    if isinstance(as_of, int):
        return [recorded for recorded in history if recorded.position <= as_of]
    return until(history, as_of)


async def _moment(store: EventStore, history: list[Recorded]) -> Moment:
    last = history[-1]
    stream = last.event.originator_id
    ticket = Ticket.replay(stream, [recorded.event for recorded in history])
    values = {name: value for name, value in ticket.state().items() if name not in _APART}
    sealed = [value.id for value in values.values() if isinstance(value, Sealed)]
    texts = await store.contents(sealed)
    state = {name: _plain(value, texts) for name, value in values.items()}
    return Moment(ticket.number, ticket.version, last.position, ticket.at, state)


_APART = frozenset({"id", "number", "version", "at"})
"""They stand in the moment itself."""


def _plain(value: Any, texts: Mapping[UUID, Content]) -> Any:
    if isinstance(value, Sealed):
        content = texts.get(value.id)
        return content.text() if content else None
    return value.value if isinstance(value, Enum) else value
