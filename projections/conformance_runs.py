"""Which conformance runs there are. The claims on their numbers tell, so nothing lags behind the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from domain.conformance_terms import CLAIM, run_key

_NUMBER_MAX: Final = 999_999

# Keys end with the number in six digits: they sort like numbers in every collation.
OF_HELPDESK: Final = """
    SELECT key, originator_id FROM ledger.claim
     WHERE kind = %b AND starts_with(key, %b) AND key < %b
     ORDER BY key DESC LIMIT %b::bigint
"""
LAST: Final = """
    SELECT DISTINCT ON (split_part(key, '/', 1)) key, originator_id FROM ledger.claim
     WHERE kind = %b ORDER BY split_part(key, '/', 1), key DESC
"""


AT: Final = """
    SELECT position, recorded_at, topic, originator_id, originator_version FROM ledger.event
     WHERE position = ANY(%b)
"""


class Place(Struct, frozen=True):
    helpdesk: str
    number: int
    stream: UUID


async def runs_of(
    connection: AsyncConnection[Any], helpdesk: str, *, before: int = _NUMBER_MAX, limit: int
) -> list[Place]:
    """Runs with numbers below ``before``, the last one first."""
    asked = (CLAIM, f"{helpdesk}/", run_key(helpdesk, before), limit)
    cursor = await connection.execute(OF_HELPDESK, asked, binary=True)
    return [_place(*row) for row in await cursor.fetchall()]


async def last_runs(connection: AsyncConnection[Any]) -> list[Place]:
    """The last run of each helpdesk: no other can still go on."""
    cursor = await connection.execute(LAST, (CLAIM,), binary=True)
    return [_place(*row) for row in await cursor.fetchall()]


def _place(key: str, stream: UUID) -> Place:
    helpdesk, _, number = key.rpartition("/")
    return Place(helpdesk, int(number), stream)


class Evidence(Struct, frozen=True):
    """An event that shows what a report says."""

    position: int
    recorded_at: datetime
    topic: str
    stream: UUID
    version: int


async def evidence(
    connection: AsyncConnection[Any], positions: Sequence[int]
) -> dict[int, Evidence]:
    """What happened at these positions of the log, by position."""
    cursor = await connection.execute(AT, (list(positions),), binary=True)
    found = [Evidence(*row) for row in await cursor.fetchall()]
    return {each.position: each for each in found}
