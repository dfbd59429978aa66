"""Reading tickets and their spells for service levels: as known at a moment, page by page, and judging them."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from itertools import islice, repeat, zip_longest
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed
from psycopg.types.numeric import Int8BinaryLoader

from domain.calendars import EPOCH, SECOND
from domain.service_levels import ServiceLevels
from projections.level_figures import About, Frame, Tally

Connection = AsyncConnection[tuple[Any, ...]]

TICKETS_A_PAGE: Final = 1_000
"""About six thousand spells: judged in 15 ms, in which nothing else runs in the event loop."""

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
# As columns, each one value: a row for every spell takes three times as long to read.
SPELLS: Final = """
    SELECT array_agg(number), array_agg(from_at), array_agg(status), array_agg(unit)
      FROM (SELECT number, from_at, status, unit FROM view.spell
             WHERE {tickets} AND from_at <= %b AND from_position <= %b AND waiting_since = from_at
             ORDER BY number, seq) AS spell
"""
SPELLS_OF: Final = SPELLS.format(tickets="number = ANY(%b)").encode()
SPELLS_BETWEEN: Final = SPELLS.format(tickets="number BETWEEN %b AND %b").encode()

Columns = tuple[list[int], list[int], list[str], list[str]]
"""Of spells in order: number, beginning (as PostgreSQL counts), status, unit. Perhaps with tickets in between
that are not asked for."""


class Filters(Struct, frozen=True, kw_only=True):
    """Empty: whatever it is."""

    units: tuple[str, ...] = ()
    """Stays of these; submitted and done tickets whose first or last unit was one of them."""
    sites: tuple[str, ...] = ()
    vos: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


async def tickets_of(
    connection: Connection, frame: Frame, filters: Filters, known: dict[str, Any]
) -> list[About]:
    """Those that can have something in the frame, in order of number."""
    wanted = {
        name: list(values) for name, values in msgspec.structs.asdict(filters).items() if values
    }
    conditions = SQL(" ").join([FILTERS[name] for name in wanted])
    query: Composed = TICKETS.format(conditions=conditions)
    times = {"begin": instant_of(frame.begin), "end": instant_of(frame.end)}
    cursor = await connection.execute(query, {**known, **times, **wanted}, binary=True)
    return [About(*row) for row in await cursor.fetchall()]


async def pages_of(
    connection: Connection, tickets: Sequence[About], known: dict[str, Any]
) -> AsyncGenerator[tuple[Sequence[About], Columns]]:
    """The tickets with their spells, page by page. The server looks up the next page while one is judged."""
    pages = [
        tickets[first : first + TICKETS_A_PAGE] for first in range(0, len(tickets), TICKETS_A_PAGE)
    ]
    coming = asyncio.create_task(_spells(connection, pages[0], known)) if pages else None
    try:
        for page, after in zip_longest(pages, pages[1:]):
            assert coming is not None
            spells = await coming
            coming = asyncio.create_task(_spells(connection, after, known)) if after else None
            await asyncio.sleep(0)  # the question is sent now
            yield page, spells
    finally:
        if coming is not None and not coming.done():
            coming.cancel()
            await asyncio.wait([coming])


async def _spells(connection: Connection, page: Sequence[About], known: dict[str, Any]) -> Columns:
    cursor = connection.cursor(binary=True)
    cursor.adapters.register_loader("timestamptz", Int8BinaryLoader)
    first, last = page[0].number, page[-1].number
    if last - first < 2 * len(page):
        query, numbers = SPELLS_BETWEEN, [first, last]
    else:
        wanted: Any = [about.number for about in page]
        query, numbers = SPELLS_OF, [wanted]
    await cursor.execute(query, [*numbers, known["as_of"], known["position"]])
    row = await cursor.fetchone()
    return row if row and row[0] else ([], [], [], [])


def judge(
    page: Sequence[About],
    spells: Columns,
    levels: ServiceLevels,
    now: int,
    tally: Tally,
) -> None:
    """Cut the columns into tickets; a spell ends where the next one begins."""
    numbers, begins, statuses, units = spells
    if not numbers:
        return
    verdict, add = levels.verdict, tally.add
    starts = [instant // 1_000_000 + _EPOCH_2000_S for instant in begins]
    ends: list[int | None] = [*starts[1:], None]
    lengths = Counter(numbers)
    last = -1
    for length in lengths.values():
        last += length
        ends[last] = None
    # One iterator for all, taken ticket by ticket: a tuple is made once and used again for every spell.
    histories = zip(statuses, units, repeat(""), starts, ends, strict=False)
    wanted = iter(page)
    about = next(wanted)
    for number, length in lengths.items():
        history = islice(histories, length)
        if number == about.number:
            add(about, verdict(history, about.priority, now))
            about = next(wanted, about)
        deque(history, maxlen=0)


_EPOCH_2000_S: Final = 946_684_800
"""PostgreSQL counts microseconds from the year 2000."""


def epoch_of(instant: int) -> int:
    return instant // 1_000_000 + _EPOCH_2000_S


def instant_of(seconds: int) -> datetime:
    return EPOCH + seconds * SECOND
