"""What became different between two moments: of a ticket field by field, of a queue ticket by ticket.

A moment is a time ("as things happened") or a position ("as they were recorded"), as everywhere.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from api.views import TicketInFull
from domain.errors import Invalid, TicketNotFound
from domain.ledger import AsOf
from domain.rights import Actor
from projections.queues import QueueRow, queue

if TYPE_CHECKING:
    from api.bootstrap import Services

ROWS_MAX: Final = 2_000
"""Of a queue at one moment."""
_PAGE: Final = 200
_APART: Final = frozenset({"number", "version", "position", "recorded_at", "elsewhere", "possible"})
"""Said of the moment itself, or only ever known as of now."""


class Moment(Struct, frozen=True):
    version: int
    position: int
    """Of the last event that counts."""
    recorded_at: datetime


class FieldChange(Struct, frozen=True):
    field: str
    before: Any
    after: Any


class TicketChanges(Struct, frozen=True):
    number: int
    since: Moment | None
    """None where the ticket did not exist yet."""
    until: Moment
    changes: list[FieldChange]
    """In the order of the ticket's fields; empty where nothing is different."""


class RowChange(Struct, frozen=True):
    before: QueueRow
    after: QueueRow


class QueueChanges(Struct, frozen=True):
    came: list[QueueRow]
    went: list[QueueRow]
    """As they were before."""
    changed: list[RowChange]
    """In the queue at both moments, but not the same."""


async def ticket_changes(
    services: "Services", actor: Actor, number: int, since: AsOf, until: AsOf | None = None
) -> TicketChanges:
    """From ``since`` to ``until``, or now. Raises ``TicketNotFound`` where there was none even then, ``Invalid``."""
    _must_follow(since, until)
    after = await services.tickets.read(actor, number, as_of=until)
    try:
        before = await services.tickets.read(actor, number, as_of=since)
    except TicketNotFound:
        before = None
    old = asdict(before) if before is not None else {}
    changes = [
        FieldChange(field, old.get(field), value)
        for field, value in asdict(after).items()
        if field not in _APART and value != old.get(field)
    ]
    return TicketChanges(number, _moment(before) if before else None, _moment(after), changes)


async def queue_changes(
    services: "Services", unit: str, since: AsOf, until: AsOf | None = None
) -> QueueChanges:
    """Of a unit's queue, from ``since`` to ``until`` or now. Raises ``Invalid``, also for one that is too long."""
    _must_follow(since, until)
    old = {row.number: row for row in await _whole(services, unit, since)}
    new = {row.number: row for row in await _whole(services, unit, until)}
    return QueueChanges(
        came=[row for number, row in new.items() if number not in old],
        went=[row for number, row in old.items() if number not in new],
        changed=[
            RowChange(old[number], row)
            for number, row in new.items()
            if number in old and row != old[number]
        ],
    )


async def _whole(services: "Services", unit: str, as_of: AsOf | None) -> list[QueueRow]:
    """Most urgent first."""
    rows: list[QueueRow] = []
    cursor: str | None = None
    while len(rows) <= ROWS_MAX:
        page = await services.ask(
            lambda connection, at=cursor: queue(  # type: ignore[misc]
                connection, unit=unit, as_of=as_of, cursor=at, limit=_PAGE
            )
        )
        rows += page.items
        cursor = page.next
        if cursor is None:
            return rows
    raise Invalid(f"the queue of {unit} holds more than {ROWS_MAX} tickets: read it page by page")


def _must_follow(since: AsOf, until: AsOf | None) -> None:
    """Of a time and a position nobody knows which is the earlier one."""
    times = isinstance(since, datetime) and isinstance(until, datetime) and since > until
    positions = isinstance(since, int) and isinstance(until, int) and since > until
    if times or positions:
        raise Invalid("until: it is before since")


def _moment(ticket: TicketInFull) -> Moment:
    return Moment(ticket.version, ticket.position, ticket.recorded_at)
