"""Positions and ticket numbers that a lost part of the log may have used: they are left out, and never given again."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from adapters.store.connection import APPEND_LOCK, CHANNEL, connect, service_conninfo
from adapters.store.engine import PostgresStore
from domain.errors import NotNow
from domain.formats import encode, topic_of
from domain.log import Log
from domain.store import Receipt

END: Final = "SELECT position, recorded_at FROM ledger.event ORDER BY position DESC LIMIT 1"
NUMBER: Final = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ledger.ticket_number"
LOCK: Final = "SELECT pg_advisory_xact_lock(%b)"
# As ledger.append does it, but for the position.
APPEND: Final = """
    INSERT INTO ledger.event (position, originator_version, recorded_at, originator_id, topic, state)
    VALUES (%b, %b, greatest(%b::timestamptz, clock_timestamp()), %b, %b, %b) RETURNING recorded_at
"""
NOTIFY: Final = "SELECT pg_notify(%b, %b)"
_NUMBERS_AT_ONCE: Final = 100_000


class End(Struct, frozen=True):
    """Where the log ends, and the numbers of tickets."""

    position: int
    recorded_at: datetime | None
    number: int


async def end_of(store: PostgresStore) -> End:
    """As it is now."""
    rows = await store.rows(END)
    position, recorded_at = rows[0] if rows else (0, None)
    ((number,),) = await store.rows(NUMBER)
    return End(position, recorded_at, number)


async def leave_out_numbers(store: PostgresStore, until: int) -> None:
    """No ticket gets a number up to this one. Again after a crash: what is left out is left out."""
    while (number := (await end_of(store)).number) < until:
        await store.next_numbers(min(until - number, _NUMBERS_AT_ONCE))


async def leave_out_positions(conninfo: str, event: Log.Restored) -> Receipt:
    """Store the event behind the positions that it leaves out.

    ``conninfo`` is that of a user who may take the service's role. Raises ``NotNow`` when the log went on
    meanwhile, ``psycopg.Error``.
    """
    async with (
        await connect(service_conninfo(conninfo, "restored")) as connection,
        connection.transaction(),
    ):
        await connection.execute(LOCK, [APPEND_LOCK], binary=True)
        found = await (await connection.execute(END, binary=True)).fetchone()
        position, recorded_at = found or (0, None)
        if position != event.after:
            raise NotNow(
                f"the log went on from {event.after} to {position}: stop what writes to it"
            )
        stands_at = event.until + 1
        cursor = await connection.execute(
            APPEND,
            (
                stands_at, event.originator_version, recorded_at, event.originator_id,
                topic_of(event), encode(event),
            ),
            binary=True,
        )  # fmt: skip
        row = await cursor.fetchone()
        assert row is not None
        await connection.execute(NOTIFY, [CHANNEL, str(stands_at)], binary=True)
    return Receipt(stands_at, stands_at, row[0])
