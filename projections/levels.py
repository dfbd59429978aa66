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
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice, repeat
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection, IsolationLevel
from psycopg.sql import SQL, Composed
from psycopg.types.numeric import Int8BinaryLoader

from domain.calendars import EPOCH, SECOND, epoch
from domain.errors import NotNow, TicketNotFound
from domain.publications import InForce, Source
from domain.service_clocks import Colour, Segment, colour, explain
from domain.service_levels import Spell, TicketVerdict
from projections.level_figures import About, Dimension, Frame, Group, Tally

Connection = AsyncConnection[tuple[Any, ...]]

PROJECTION: Final = "tickets"
TICKETS_A_PAGE: Final = 1_000
"""About six thousand spells: judged in 15 ms, in which nothing else runs in the event loop."""

# Held until the end of the report, as reading the table does anyway, but taken before the snapshot: a rebuild
# that puts a new table in its place in between would leave an empty one to a snapshot from before.
HOLD: Final = "LOCK TABLE view.spell IN ACCESS SHARE MODE"
POSITION: Final = "SELECT position FROM view.projection WHERE name = %b"

# Each ticket as it was known: its last spell that had begun at the instant and was recorded at the position.
# What was over before the frame and stayed so has nothing in it. Smaller precedence: higher priority.
TICKETS: Final = SQL("""
    SELECT number, site, vo, original_priority FROM view.spell
     WHERE from_at <= %(as_of)s AND from_position <= %(position)s
       AND (to_at > %(as_of)s OR to_position > %(position)s)
       AND opened_at < %(end)s AND (open OR waiting_since >= %(begin)s)
       {conditions}
     ORDER BY number
""")
OF_UNITS: Final = SQL(
    "AND number IN (SELECT held.number FROM view.spell AS held WHERE held.unit = ANY(%(units)s) AND held.to_at >= %(begin)s)"
)
OF_SITES: Final = SQL("AND site = ANY(%(sites)s)")
OF_VOS: Final = SQL("AND vo = ANY(%(vos)s)")
OF_PRIORITIES: Final = SQL("AND original_priority = ANY(%(priorities)s)")
OF_TYPES: Final = SQL("AND type = ANY(%(types)s)")
OF_CATEGORIES: Final = SQL("AND category = ANY(%(categories)s)")
FILTERS: Final = {
    "units": OF_UNITS, "sites": OF_SITES, "vos": OF_VOS,
    "priorities": OF_PRIORITIES, "types": OF_TYPES, "categories": OF_CATEGORIES,
}  # fmt: skip

# Only where status or unit changed: no clock cares for the rest, which is a good part of all spells.
SPELLS_OF: Final = """
    SELECT number, from_at, status, unit FROM view.spell
     WHERE number = ANY(%b) AND from_at <= %b AND from_position <= %b AND waiting_since = from_at
     ORDER BY number, seq
"""
SPELLS_BETWEEN: Final = """
    SELECT number, from_at, status, unit FROM view.spell
     WHERE number BETWEEN %b AND %b AND from_at <= %b AND from_position <= %b AND waiting_since = from_at
     ORDER BY number, seq
"""
SPELLS_OF_TICKET: Final = """
    SELECT status, unit, priority, from_at, original_priority FROM view.spell
     WHERE number = %b AND from_at <= %b AND from_position <= %b
     ORDER BY seq
"""


class Filters(Struct, frozen=True, kw_only=True):
    """Empty: whatever it is."""

    units: tuple[str, ...] = ()
    """Stays of these; submitted and done tickets whose first or last unit was one of them."""
    sites: tuple[str, ...] = ()
    vos: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


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
            known = {"as_of": _instant(now), "position": position}
            tickets = await _tickets(connection, frame, filters, known)
            for first in range(0, len(tickets), TICKETS_A_PAGE):
                page = tickets[first : first + TICKETS_A_PAGE]
                _judge(page, await _spells(connection, page, known), in_force, now, tally)
                await asyncio.sleep(0)
    finally:
        await connection.set_isolation_level(connection_was)
    tables = []
    for dimensions in ((), *by):
        tables.append(Table(tuple(dimensions), tally.groups(dimensions)))
        await asyncio.sleep(0)
    basis = Basis(in_force.policy, in_force.calendars, _instant(now), position)
    return Report(basis, _instant(frame.begin), _instant(frame.end), filters, len(tickets), tables)


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
    await cursor.execute(SPELLS_OF_TICKET, [number, _instant(now), position])
    rows = await cursor.fetchall()
    if not rows:
        raise TicketNotFound(number)
    starts = [_epoch(row[3]) for row in rows]
    spells = [
        Spell(row[0], row[1], row[2], from_at, to_at)
        for row, from_at, to_at in zip(rows, starts, [*starts[1:], None], strict=True)
    ]
    priority = rows[0][4]
    return TicketLevels(
        number,
        Basis(in_force.policy, in_force.calendars, _instant(now), position),
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


async def _tickets(
    connection: Connection, frame: Frame, filters: Filters, known: dict[str, Any]
) -> list[About]:
    """Those that can have something in the frame, in order of number."""
    wanted = {
        name: list(values) for name, values in msgspec.structs.asdict(filters).items() if values
    }
    conditions = SQL(" ").join([FILTERS[name] for name in wanted])
    query: Composed = TICKETS.format(conditions=conditions)
    times = {"begin": _instant(frame.begin), "end": _instant(frame.end)}
    cursor = await connection.execute(query, {**known, **times, **wanted}, binary=True)
    return [About(*row) for row in await cursor.fetchall()]


async def _spells(
    connection: Connection, page: Sequence[About], known: dict[str, Any]
) -> list[tuple[int, int, str, str]]:
    """Number, beginning, status and unit, in order; perhaps with tickets in between that are not asked for."""
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("timestamptz", Int8BinaryLoader)
    first, last = page[0].number, page[-1].number
    if last - first < 2 * len(page):
        query, numbers = SPELLS_BETWEEN, [first, last]
    else:
        wanted: Any = [about.number for about in page]
        query, numbers = SPELLS_OF, [wanted]
    await cursor.execute(query, [*numbers, known["as_of"], known["position"]])
    return await cursor.fetchall()


def _judge(
    page: Sequence[About],
    rows: Sequence[tuple[int, int, str, str]],
    in_force: InForce,
    now: int,
    tally: Tally,
) -> None:
    """Cut the rows into tickets; a spell ends where the next one begins."""
    if not rows:
        return
    verdict, add = in_force.levels.verdict, tally.add
    numbers, begins, statuses, units = zip(*rows, strict=True)
    starts = [instant // 1_000_000 + _EPOCH_2000_S for instant in begins]
    ends: list[int | None] = [*starts[1:], None]
    lengths = Counter(numbers)
    last = -1
    for length in lengths.values():
        last += length
        ends[last] = None
    # One iterator for all, taken ticket by ticket: a tuple is made once and used again for every spell.
    spells = zip(statuses, units, repeat(""), starts, ends, strict=False)
    wanted = iter(page)
    about = next(wanted)
    for number, length in lengths.items():
        history = islice(spells, length)
        if number == about.number:
            add(about, verdict(history, about.priority, now))
            about = next(wanted, about)
        deque(history, maxlen=0)


_EPOCH_2000_S: Final = 946_684_800
"""PostgreSQL counts microseconds from the year 2000."""


def _epoch(instant: int) -> int:
    return instant // 1_000_000 + _EPOCH_2000_S


def _instant(seconds: int) -> datetime:
    return EPOCH + seconds * SECOND
