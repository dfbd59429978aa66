"""The site view: what every ticket of a site, an NGI or a VO went through in a time frame, segment by segment.

A segment is a spell that overlaps the frame. What was over before the frame began and did not change in it
is left out: a ticket solved years ago is no news.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.errors import Invalid
from projections.paging import Page, checked_limit, page_of, read_cursor

SEGMENTS_MAX: Final = 10_000

# "<> ''" is what the indexes are made for; unless it is said, the planner cannot see that they serve.
AT_SITE: Final = SQL("(SELECT * FROM view.spell WHERE site = %(name)s AND site <> '')")
OF_VO: Final = SQL("(SELECT * FROM view.spell WHERE vo = %(name)s AND vo <> '')")
# A site may have belonged to another NGI at another time. Before it was registered, its first NGI counts.
# "OFFSET 0" has each site looked up by itself: joined freely, all spells may be read for an NGI's few.
IN_NGI: Final = SQL("""(
    SELECT spell.*
      FROM (SELECT DISTINCT name FROM view.site WHERE ngi = %(name)s) AS member
     CROSS JOIN LATERAL (SELECT * FROM view.spell
                          WHERE site = member.name AND site <> '' AND to_at > %(begin)s AND from_at < %(end)s
                         OFFSET 0) AS spell
     WHERE EXISTS (SELECT FROM view.site
                    WHERE site.name = spell.site AND site.ngi = %(name)s AND site.valid_to > spell.from_at
                      AND (site.version = 1 OR site.valid_from < spell.to_at)))
""")
SEGMENTS: Final = SQL("""
    SELECT page.*, convert_from(content.body, 'UTF8')
      FROM (SELECT number, status, priority, unit, site, assignee, from_at, nullif(to_at, 'infinity'), seq
              FROM {held} AS held
             WHERE held.to_at > %(begin)s AND held.from_at < %(end)s
               AND (held.open OR held.from_at >= %(begin)s OR held.to_at <= %(end)s) AND {place}
             ORDER BY number, seq LIMIT %(limit)s) AS page
      LEFT JOIN view.ticket ON ticket.number = page.number
      LEFT JOIN ledger.content ON content.id = ticket.subject
     ORDER BY page.number, page.seq
""")
FIRST: Final = SQL("true")
AFTER: Final = SQL("(held.number, held.seq) > (%(number)s, %(seq)s)")


class Segment(Struct, frozen=True):
    number: int
    status: str
    priority: str
    unit: str
    site: str
    assignee: UUID | None
    from_at: datetime
    to_at: datetime | None
    """None while it lasts."""
    seq: int
    """Counts the spells of a ticket."""
    subject: str | None
    """None when it was erased, or never known."""


class _Key(Struct, frozen=True):
    number: int
    seq: int


async def segments(
    connection: AsyncConnection[Any],
    *,
    site: str | None = None,
    ngi: str | None = None,
    vo: str | None = None,
    begin: datetime,
    end: datetime,
    cursor: str | None = None,
    limit: int = 1_000,
) -> Page[Segment]:
    """Segments by ticket and time, from ``begin`` up to ``end`` (aware). Name one of site, NGI and VO.

    Raises ``Invalid`` for another number of names, a bad cursor, or more than ``SEGMENTS_MAX`` at once.
    """
    checked_limit(limit, SEGMENTS_MAX)
    asked = [
        (name, spells) for name, spells in ((site, AT_SITE), (ngi, IN_NGI), (vo, OF_VO)) if name
    ]
    if len(asked) != 1:
        raise Invalid("name one of site, NGI and VO")
    ((name, held),) = asked
    values = {"name": name, "begin": begin, "end": end, "limit": limit + 1}
    if cursor is not None:
        key = read_cursor(cursor, _Key)
        values |= {"number": key.number, "seq": key.seq}
    statement = SEGMENTS.format(held=held, place=FIRST if cursor is None else AFTER)
    rows = await (await connection.execute(statement, values)).fetchall()
    return page_of([Segment(*row) for row in rows], limit, _key)


def _key(segment: Segment) -> _Key:
    return _Key(segment.number, segment.seq)
