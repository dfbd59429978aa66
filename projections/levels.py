"""How well tickets were served: statistics and single verdicts, judged from spells as of a moment.

Nothing here is stored. A report is a pure function of the spells up to a position, an instant, a policy and
its calendars; it names all of them, and whoever asks again with these gets the same bytes.

What falls into the time frame, and why:

    submitted   tickets opened in it
    response    stays that *began* in it: an overdue answer counts at once, and cannot hide by staying away
    solution    stays that *ended* in it with the ticket done: only then is there a solution time
    waiting     stays that ended in it and had waited for the submitter
    lifetime    tickets that were done in it and are done still
    open        stays that last at its end (grouped by month: at the end of every month in it)

A ticket counts under the VO, site, type and category that it had last: who corrects one means the whole
ticket. Its priority is the original one, by which responses are judged. A submitted ticket counts for the
first unit that held it, a done one for the last. Months are those of UTC.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection, IsolationLevel
from psycopg.types.numeric import Int8BinaryLoader

from domain.calendars import epoch
from domain.errors import NotNow, TicketNotFound
from domain.publications import InForce, Source
from domain.service_clocks import Colour, Segment, colour, explain
from domain.service_levels import Spell, TicketVerdict
from projections.level_figures import Dimension, Frame, Group, Tally
from projections.level_reading import Filters, epoch_of, instant_of, judge, pages_of, tickets_of

Connection = AsyncConnection[tuple[Any, ...]]

PROJECTION: Final = "tickets"
# Held until the end of the report, as reading the table does anyway, but taken before the snapshot: a rebuild
# that puts a new table in its place in between would leave an empty one to a snapshot from before.
HOLD: Final = "LOCK TABLE view.spell IN ACCESS SHARE MODE"
POSITION: Final = "SELECT position FROM view.projection WHERE name = %b"

SPELLS_OF_TICKET: Final = """
    SELECT status, unit, priority, from_at, original_priority FROM view.spell
     WHERE number = %b AND from_at <= %b AND from_position <= %b
     ORDER BY seq
"""


class Basis(Struct, frozen=True):
    """All that a verdict depends on. The same basis and question give the same answer."""

    policy: Source
    calendars: tuple[Source, ...]
    as_of: datetime
    """Whole seconds. What happened later is unknown, and open clocks are read here."""
    as_of_position: int
    """What was recorded later is unknown."""


class Table(Struct, frozen=True):
    by: tuple[Dimension, ...]
    groups: list[Group]


class Report(Struct, frozen=True):
    basis: Basis
    begin: datetime
    end: datetime
    """Not included."""
    filters: Filters
    tickets: int
    """That had something to do with the time frame."""
    tables: list[Table]
    """The first one has no dimension: the total."""


class TicketLevels(Struct, frozen=True):
    """The verdict on one ticket and how it came about. Instants in seconds since 1970."""

    number: int
    basis: Basis
    priority: str
    """The original one, by which it is judged."""
    verdict: TicketVerdict
    colour: Colour
    segments: list[Segment]


async def statistics(
    connection: Connection,
    in_force: InForce,
    *,
    begin: datetime,
    end: datetime,
    as_of: datetime,
    position: int | None = None,
    by: Sequence[Sequence[Dimension]] = (),
    filters: Filters = Filters(),  # noqa: B008 - frozen
) -> Report:
    """All figures of the time frame, in total and grouped as ``by`` says (several tables cost one reading).

    Instants are aware; parts of a second are cut off. Without a ``position`` as of the one that the
    projection has reached. Raises ``NotNow`` when the projection has not reached it yet,
    ``OutsideCalendar`` when an instant lies outside a calendar.
    """
    frame, now = Frame(epoch(begin), epoch(end)), epoch(as_of)
    tally = Tally(in_force.levels, frame, now, units=frozenset(filters.units))
    connection_was = connection.isolation_level
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        async with connection.transaction():
            await connection.execute(HOLD)
            position = await _reached(connection, position)
            known = {"as_of": instant_of(now), "position": position}
            tickets = await tickets_of(connection, frame, filters, known)
            async with aclosing(pages_of(connection, tickets, known)) as pages:
                async for page, spells in pages:
                    judge(page, spells, in_force.levels, now, tally)
    finally:
        await connection.set_isolation_level(connection_was)
    tables = []
    for dimensions in ((), *by):
        tables.append(Table(tuple(dimensions), tally.groups(dimensions)))
        await asyncio.sleep(0)
    basis = Basis(in_force.policy, in_force.calendars, instant_of(now), position)
    return Report(
        basis, instant_of(frame.begin), instant_of(frame.end), filters, len(tickets), tables
    )


async def ticket_levels(
    connection: Connection,
    in_force: InForce,
    number: int,
    *,
    as_of: datetime,
    position: int | None = None,
) -> TicketLevels:
    """One ticket's clocks, why they stand where they do, and its colour. Raises ``TicketNotFound`` too."""
    now, levels = epoch(as_of), in_force.levels
    position = await _reached(connection, position)
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("timestamptz", Int8BinaryLoader)
    await cursor.execute(SPELLS_OF_TICKET, [number, instant_of(now), position])
    rows = await cursor.fetchall()
    if not rows:
        raise TicketNotFound(number)
    starts = [epoch_of(row[3]) for row in rows]
    spells = [
        Spell(row[0], row[1], row[2], from_at, to_at)
        for row, from_at, to_at in zip(rows, starts, [*starts[1:], None], strict=True)
    ]
    priority = rows[0][4]
    return TicketLevels(
        number,
        Basis(in_force.policy, in_force.calendars, instant_of(now), position),
        priority,
        levels.verdict(spells, priority, now),
        colour(levels, spells, now),
        explain(levels, spells, priority, now),
    )


def as_bytes(answer: Report | TicketLevels) -> bytes:
    """The one way in which an answer is written: equal answers are equal bytes."""
    return _encode(answer)


_encode: Final = msgspec.json.Encoder().encode


async def _reached(connection: Connection, position: int | None) -> int:
    """The position as of which to answer."""
    row = await (await connection.execute(POSITION, [PROJECTION])).fetchone()
    reached = int(row[0]) if row else 0
    if position is not None and position > reached:
        raise NotNow(f"position {position} is not included yet; the projection is at {reached}")
    return reached if position is None else position
