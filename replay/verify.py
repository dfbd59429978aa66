"""Verify: an inspection of the whole log, of what stands beside it, and of what was computed from it.

Everything is read in one snapshot, page by page; the service goes on meanwhile. What must be compared as a whole
(contents, claims) goes through temporary tables of the server, so that memory stays small.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import MsgspecError
from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.formats import decode, encode, topic_of
from domain.log import Log
from projections.building import Progress, Tell, quietly
from projections.columns import FOREVER, Instant, adapt
from projections.log import UnreadableEvent
from projections.projection import Projection
from projections.rebuild import RebuildRunning, rebuild
from projections.registry import ALL
from replay import beside
from replay.findings import Verification

PAGE_MAX: Final = 1_000
_SLICE: Final = 250

SNAPSHOT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
HEAD: Final = "SELECT coalesce(max(position), 0) FROM ledger.event"
PAGE: Final = """
    SELECT position, originator_id, originator_version, topic, recorded_at, state FROM ledger.event
     WHERE position > %b ORDER BY position LIMIT %b
"""


async def verify(
    conninfo: str, *, projections: Sequence[Projection] = ALL, progress: Tell = quietly
) -> Verification:
    """Check a migrated database. The result lists what is wrong and where; it is ``ok`` if nothing is.

    Positions (but for those that the log says it lost) and versions are dense, recording times never go back, every
    event is readable and written the one way we write it, contents match their commitments (missing only where an
    event says they were erased), claims and events agree, projections equal a fresh fold. Raises ``psycopg.Error``
    if the database goes away.
    """
    result = Verification()
    connection = await AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=0)
    adapt(connection)
    async with connection, connection.transaction():
        await connection.execute(SNAPSHOT)
        await _events(connection, result, progress)
        progress(Progress("checking contents and claims", result.head, result.head))
        await beside.check_contents(connection, result)
        await beside.check_claims(connection, result)
    await _projections(conninfo, result, projections, progress)
    return result


async def _events(connection: AsyncConnection[Any], result: Verification, tell: Tell) -> None:
    row = await (await connection.execute(HEAD)).fetchone()
    assert row is not None
    await beside.prepare(connection)
    inspection = _Inspection(result)
    known = beside.Known()
    while True:
        cursor = await connection.execute(PAGE, (inspection.position, PAGE_MAX), binary=True)
        rows = await cursor.fetchall()
        if not rows:
            break
        events: list[tuple[int, Event]] = []
        for first in range(0, len(rows), _SLICE):
            events += inspection.take(rows[first : first + _SLICE])
            await asyncio.sleep(0)
        await beside.note(connection, events, known)
        tell(Progress("reading", inspection.position, row[0]))
    result.head = inspection.position


class _Inspection:
    """The checks that need nothing but the events themselves, in their order."""

    def __init__(self, result: Verification) -> None:
        self.position = 0
        self._result = result
        self._versions: dict[int, int] = {}
        self._recorded_at = Instant(-FOREVER)

    def take(self, rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, Event]]:
        """Check these rows; the events of those that are readable."""
        events = []
        for position, id_, version, topic, recorded_at, state in rows:
            event = self._read(position, state)
            self._check_place(position, id_, version, recorded_at, event)
            if event is None:
                continue
            events.append((position, event))
            written = (event.originator_id, event.originator_version, topic_of(event))
            if written != (id_, version, topic):
                self._found(
                    "events",
                    position,
                    f"the row says {topic} {version} of {id_}, the event says otherwise",
                )
        return events

    def _check_place(
        self, position: int, id_: UUID, version: int, recorded_at: Instant, event: Event | None
    ) -> None:
        if isinstance(event, Log.Restored):
            self._leave_out(position, event)
        if position != self.position + 1:
            self._found("positions", position, f"follows position {self.position}")
        self.position = position
        self._result.events += 1
        before = self._versions.get(id_.int, 0)
        if version != before + 1:
            self._found(
                "versions", position, f"version {version} of {id_} follows version {before}"
            )
        self._versions[id_.int] = version
        if recorded_at < self._recorded_at:
            self._found("times", position, "was recorded before the one it follows")
        self._recorded_at = recorded_at

    def _leave_out(self, position: int, event: Log.Restored) -> None:
        """A gap is in order if the event behind it says so."""
        if (event.after, event.until) == (self.position, position - 1):
            self.position = event.until
        kept = f"{event.kept_until:%Y-%m-%d %H:%M:%S} UTC" if event.kept_until else "the beginning"
        self._result.restored.append(
            f"at {position} the log says that it was restored as it was at {kept}: positions "
            f"{event.after + 1} to {event.until} and tickets {event.numbers_after + 1} to "
            f"{event.numbers_until} are left out"
        )

    def _read(self, position: int, state: bytes) -> Event | None:
        try:
            event = decode(state)
        except (MsgspecError, ValueError) as error:
            self._found("events", position, f"cannot be read: {error}")
            return None
        if encode(event) != state:
            self._found("events", position, "is not written as we write it")
        return event

    def _found(self, check: str, position: int, what: str) -> None:
        self._result.add(check, f"position {position}", what)


async def _projections(
    conninfo: str, result: Verification, projections: Sequence[Projection], tell: Tell
) -> None:
    try:
        compared = await rebuild(conninfo, projections=projections, progress=tell, switch=False)
    except RebuildRunning as error:
        result.add("projections", "all", f"not compared: {error}")
        return
    except (UnreadableEvent, TypeError, KeyError, AttributeError, AssertionError) as error:
        result.add(
            "projections", "all", f"the log cannot be folded: {type(error).__name__}: {error}"
        )
        return
    for each in compared:
        if each.not_compared:
            result.add("projections", each.name, f"not compared: {each.not_compared}")
        for found in each.differences:
            live, fresh = found.examples[0]
            result.add(
                "projections", f"{each.name}, table {found.table}",
                f"{found.rows} rows differ from the log, such as {live}, which should be {fresh}",
            )  # fmt: skip
