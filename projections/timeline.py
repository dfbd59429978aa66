"""The timeline of a ticket: everything that happened to it and in its exchanges, in the order of the log.

Read from the log itself, so it is complete by construction. A page costs what stands on it, however long the
streams are: each stream is entered at the version that follows the page before.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.errors import TicketNotFound
from domain.exchange import Exchange
from domain.formats import TOPICS, decode
from domain.identifiers import NUMBER_MAX, ticket_id
from domain.ledger import AsOf
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from projections.exchanges import exchanges_of
from projections.paging import Page, checked_limit, page_of, read_cursor
from projections.timeline_entries import (
    PUBLIC_EXCHANGE,
    Entry,
    Read,
    Since,
    Unresolved,
    grouped,
    resolved,
    skipped,
    visibility_of,
)

STREAMS: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE originator_id = ANY(%s) AND position <= %s ORDER BY position
"""
FIRST: Final = """
    SELECT state FROM ledger.event
     WHERE originator_id = %s AND originator_version = 1 AND position <= %s
"""
# Positions grow with the versions of a stream, which have an index: the first one after a position is found by halving.
# CASE, as of an OR the planner believes that nearly nothing is left, and then it reads and sorts the whole stream.
FROM_POSITION: Final = """
    WITH RECURSIVE search (stream, low, high) AS (
        SELECT stream, 1::bigint, 1 + coalesce((
                SELECT originator_version FROM ledger.event WHERE originator_id = stream
                 ORDER BY originator_version DESC LIMIT 1), 0)
          FROM unnest(%(streams)s::uuid[]) AS stream
        UNION ALL
        SELECT stream, CASE WHEN position <= %(after)s THEN originator_version + 1 ELSE low END,
               CASE WHEN position <= %(after)s THEN high ELSE (low + high) / 2 END
          FROM search CROSS JOIN LATERAL (
                SELECT position, originator_version FROM ledger.event
                 WHERE originator_id = stream AND originator_version >= (low + high) / 2
                 ORDER BY originator_version LIMIT 1) AS middle
         WHERE low < high)
    SELECT position, recorded_at, state FROM search CROSS JOIN LATERAL (
            SELECT position, recorded_at, state FROM ledger.event
             WHERE originator_id = stream AND originator_version >= low
               AND position <= %(until)s AND topic <> ALL(%(hidden)s)
               AND CASE WHEN topic = ANY(%(sided)s) THEN position(%(internal)s in state) = 0 ELSE true END
             ORDER BY originator_version LIMIT %(most)s) AS next
     WHERE low >= high ORDER BY position LIMIT %(most)s
"""

_ALWAYS: Final = 2**63 - 1
_HIDDEN: Final = [TOPICS[kind] for kind in Exchange.mutators if kind not in PUBLIC_EXCHANGE]
_SIDED: Final = [TOPICS[Ticket.Commented], TOPICS[Ticket.Attached]]
_INTERNAL: Final = b'"visibility":"internal"'
"""How it stands in a stored event (``domain.formats``). Within a text its quotes would be escaped."""
_TAIL: Final = 8


class _Key(Struct, frozen=True):
    position: int
    since: Since
    ended: list[str] = []
    """Streams in which nothing more had taken effect at the time that was asked for: the ends of their names."""


async def timeline(
    connection: AsyncConnection[Any],
    number: int,
    *,
    as_of: AsOf | None = None,
    internal: bool = False,
    cursor: str | None = None,
    limit: int = 200,
) -> Page[Entry]:
    """A page of what happened, oldest first; internal entries only if ``internal``.

    Raises ``TicketNotFound`` when there is nothing (then), ``Invalid`` for a bad cursor or limit.
    """
    checked_limit(limit)
    key = _Key(0, Since()) if cursor is None else read_cursor(cursor, _Key)
    streams = await _streams(connection, number, as_of)
    reading = _Reading(connection, as_of, internal=internal)
    reading.ended |= {each: 0 for each in streams if _name(each) in key.ended}
    found = grouped(await reading.after(key.position, streams, limit + 1), key.since)

    def place(last: Unresolved) -> _Key:
        entry = last[0]
        return _Key(
            entry.position, Since(entry.kind, entry.group), reading.ended_at(entry.position)
        )

    page = page_of(found, limit, place)
    return Page(await resolved(connection, page.items), page.next)


async def latest(
    connection: AsyncConnection[Any],
    number: int,
    *,
    as_of: AsOf | None = None,
    internal: bool = False,
    most: int | None = None,
    exchanges: bool = True,
) -> tuple[list[Entry], int]:
    """The last entries, all without ``most``, oldest first; and how many there are before them.

    Reads the whole streams. Without ``exchanges`` that of the ticket alone. Raises ``TicketNotFound``.
    """
    streams = await _streams(connection, number, as_of, exchanges=exchanges)
    until = as_of if isinstance(as_of, int) else _ALWAYS
    rows = await (await connection.execute(STREAMS, [streams, until])).fetchall()
    reading = _Reading(connection, as_of, internal=internal)
    found = reading.chosen(rows)
    earlier = 0 if most is None else max(len(found) - most, 0)
    chosen = grouped(found[earlier:], skipped(found[:earlier]))
    return await resolved(connection, chosen), earlier


async def _streams(
    connection: AsyncConnection[Any], number: int, as_of: AsOf | None, *, exchanges: bool = True
) -> list[UUID]:
    """Those of a ticket and of its exchanges. Raises ``TicketNotFound`` where it was not opened by then."""
    if not 0 < number <= NUMBER_MAX:
        raise TicketNotFound(number)
    ticket, until = ticket_id(number), as_of if isinstance(as_of, int) else _ALWAYS
    first = await (await connection.execute(FIRST, [ticket, until])).fetchone()
    if first is None or _later(decode(bytes(first[0])).occurred_at, as_of):
        raise TicketNotFound(number)
    return [ticket, *(await exchanges_of(connection, number) if exchanges else [])]


def asked_of(
    streams: list[UUID],
    after: int,
    most: int,
    *,
    as_of: AsOf | None = None,
    everything: bool = False,
) -> dict[str, Any]:
    """What ``FROM_POSITION`` is asked: so many events after a position, those that are public or ``everything``."""
    return {
        "streams": streams,
        "after": after,
        "most": most,
        "until": as_of if isinstance(as_of, int) else _ALWAYS,
        "hidden": [] if everything else _HIDDEN,
        "sided": [] if everything else _SIDED,
        "internal": _INTERNAL,
    }


class _Reading:
    """Of one timeline: what of its events is shown."""

    def __init__(
        self, connection: AsyncConnection[Any], as_of: AsOf | None, *, internal: bool
    ) -> None:
        self._connection, self._as_of, self._internal = connection, as_of, internal
        self.ended: dict[UUID, int] = {}
        """Streams in which an event had not taken effect, and the position of the first such event."""

    async def after(self, position: int, streams: list[UUID], count: int) -> list[Read]:
        """So many, or all there are."""
        # What ends a stream may itself be hidden.
        everything = self._internal or isinstance(self._as_of, datetime)
        found: list[Read] = []
        while len(found) < count:
            left = [each for each in streams if each not in self.ended]
            asked = asked_of(left, position, count, as_of=self._as_of, everything=everything)
            rows = await (await self._connection.execute(FROM_POSITION, asked)).fetchall()
            found += self.chosen(rows)
            if len(rows) < count:
                break
            position = rows[-1][0]
        return found

    def chosen(self, rows: Iterable[tuple[int, datetime, bytes]]) -> list[Read]:
        """What had taken effect, and may be seen. In its stream, no event does before the one it follows."""
        found: list[Read] = []
        for position, recorded_at, state in rows:
            event = decode(bytes(state))
            stream = event.originator_id
            if stream not in self.ended and _later(event.occurred_at, self._as_of):
                self.ended[stream] = position
            if stream not in self.ended and (self._internal or _is_public(event)):
                found.append((position, recorded_at, event))
        return found

    def ended_at(self, position: int) -> list[str]:
        """The names of the streams that had ended by then."""
        return [_name(stream) for stream, end in self.ended.items() if end <= position]


def _later(occurred_at: datetime, as_of: AsOf | None) -> bool:
    return isinstance(as_of, datetime) and occurred_at > as_of


def _is_public(event: Event) -> bool:
    return visibility_of(event) == Visibility.PUBLIC.value


def _name(stream: UUID) -> str:
    """Short: a cursor may have to name many."""
    return stream.hex[-_TAIL:]
