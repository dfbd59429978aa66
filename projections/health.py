"""How the projections are doing: progress against the head of the log, never "the task is alive"."""

from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection

from projections.positions import EXISTS

STALLED_AFTER_S: Final = 10.0
"""So long may a projection stand still before the head: longer than any page takes."""

# What waits has waited since the next event was recorded, or since the projection moved, whichever is later.
STATUS: Final = """
    SELECT projection.name, projection.position, head.position, projection.events_per_s,
           projection.error, projection.error_position,
           extract(epoch FROM clock_timestamp() - greatest(projection.moved_at, next.recorded_at))::float8
      FROM view.projection
     CROSS JOIN (SELECT coalesce(max(position), 0) AS position FROM ledger.event) AS head
      LEFT JOIN LATERAL (SELECT recorded_at FROM ledger.event AS event
                          WHERE event.position > projection.position
                          ORDER BY event.position LIMIT 1) AS next ON true
     ORDER BY projection.name
"""


class Health(Struct, frozen=True):
    name: str
    position: int
    head: int
    """Of the log; the same for all."""
    events_per_s: float
    """While there was something to do, lately."""
    state: str
    """``current``, ``catching up`` or ``stalled``: the head moves and the projection does not."""
    standing_s: float = 0.0
    """For how long it has not moved although there was something to do."""
    error: str = ""
    error_position: int | None = None

    @property
    def behind(self) -> int:
        return max(0, self.head - self.position)


async def status(connection: AsyncConnection[Any]) -> list[Health]:
    """The health of all projections, by name; empty in a database that no runner has seen yet."""
    row = await (await connection.execute(EXISTS)).fetchone()
    if row != (True,):
        return []
    rows = await (await connection.execute(STATUS)).fetchall()
    return [_health(*row) for row in rows]


def _health(
    name: str, position: int, head: int, events_per_s: float,
    error: str | None, error_position: int | None, standing_s: float,
) -> Health:  # fmt: skip
    if position >= head:
        return Health(name, position, head, events_per_s, "current")
    stalled = error is not None or standing_s > STALLED_AFTER_S
    return Health(
        name, position, head, events_per_s, "stalled" if stalled else "catching up",
        max(0.0, standing_s), error or "", error_position,
    )  # fmt: skip
