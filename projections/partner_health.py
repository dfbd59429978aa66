"""How the exchange with each partner goes: one question for all of them, answered from counters and indexes."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from projections.paging import Page, checked_limit, page_of, read_cursor
from projections.positions import EXISTS

RATE_MINUTES: Final = 5
ERROR_CHARACTERS_MAX: Final = 500

# Conversations may be older than the registration as it stands, and a partner may have none at all.
HEALTH: Final = SQL("""
    SELECT helpdesk.name, helpdesk.adapter, helpdesk.units, helpdesk.environment, helpdesk.interface,
           helpdesk.interface_since, convert_from(reason.body, 'UTF8'),
           coalesce(partner.pending_in, 0), coalesce(partner.pending_out, 0),
           coalesce(partner.parked_in, 0) + coalesce(partner.parked_out, 0),
           incoming.begun_at, outgoing.begun_at, parked.changed_at,
           coalesce(partner.failures, 0), coalesce(partner.attempts, 0), partner.failed_at,
           partner.heard_at, partner.told_at, coalesce(partner.code, ''),
           left(convert_from(detail.body, 'UTF8'), %(characters)s), partner.trouble_at,
           coalesce(partner.counts, '{{}}'), coalesce(partner.minutes, '[]'), clock_timestamp()
      FROM view.helpdesk
      LEFT JOIN view.partner ON partner.helpdesk = helpdesk.name
      LEFT JOIN ledger.content AS reason ON reason.id = helpdesk.interface_reason
      LEFT JOIN ledger.content AS detail ON detail.id = partner.detail
      LEFT JOIN LATERAL (
           SELECT begun_at FROM view.message
            WHERE message.helpdesk = helpdesk.name AND direction = 'in' AND outcome = 'pending'
            ORDER BY begun_position LIMIT 1) AS incoming ON partner.pending_in > 0
      LEFT JOIN LATERAL (
           SELECT begun_at FROM view.message
            WHERE message.helpdesk = helpdesk.name AND direction = 'out' AND outcome = 'pending'
            ORDER BY begun_position LIMIT 1) AS outgoing ON partner.pending_out > 0
      LEFT JOIN LATERAL (
           SELECT changed_at FROM view.message
            WHERE message.helpdesk = helpdesk.name AND outcome = 'parked'
            ORDER BY message.position LIMIT 1) AS parked
           ON partner.parked_in + partner.parked_out > 0
     WHERE helpdesk.to_position = 9223372036854775807 AND {condition}
     ORDER BY helpdesk.name LIMIT %(limit)s
""")
AFTER: Final = SQL("helpdesk.name > %(after)s")
ONE: Final = SQL("helpdesk.name = %(name)s")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class PartnerHealth(Struct, frozen=True, kw_only=True):
    """Ages are in seconds, instants in UTC."""

    name: str
    adapter: str
    units: list[str]
    """Their tickets go there by themselves."""
    environment: str
    """``production`` where it is the partner's real system; empty where nobody said."""
    interface: str
    """``not interfaced``, ``testing``, ``live`` or ``paused``."""
    interface_since: datetime | None
    interface_reason: str | None
    waiting_in: int
    """Messages that were received and have no effect yet; parked ones are counted apart."""
    waiting_out: int
    """Messages that the partner has not taken yet."""
    parked: int
    """Messages that wait for an operator."""
    lag_in_s: float
    """Age of the oldest message that waits; 0 when none does."""
    lag_out_s: float
    parked_s: float
    """How long the one that was parked first has waited."""
    failures: int
    """Attempts in a row without success."""
    attempts: int
    """Of the message that failed last."""
    failed_at: datetime | None
    heard_at: datetime | None
    """Last message of the partner."""
    told_at: datetime | None
    """Last message that it took."""
    code: str
    """Of the last trouble, over or not."""
    error: str | None
    """At most 500 characters; None when there was none, or it was erased."""
    trouble_at: datetime | None
    counts: dict[str, int]
    """How often what happened since the beginning, by direction and outcome: ``out dispatched``."""
    rate_in: float
    """Messages a minute, over the last five."""
    rate_out: float
    asked_at: datetime
    """The clock of the database, from which the ages are counted."""


class _Key(Struct, frozen=True):
    name: str


async def partner_health(
    connection: AsyncConnection[Any], *, cursor: str | None = None, limit: int = 50
) -> Page[PartnerHealth]:
    """All registered helpdesks, by name."""
    after = "" if cursor is None else read_cursor(cursor, _Key).name
    values = {"after": after, "limit": checked_limit(limit) + 1}
    found = await _asked(connection, AFTER, values)
    return page_of(found, limit, lambda row: _Key(row.name))


async def health_of(connection: AsyncConnection[Any], name: str) -> PartnerHealth | None:
    """One helpdesk; None when there is no such."""
    found = await _asked(connection, ONE, {"name": name, "limit": 1})
    return found[0] if found else None


async def all_health(connection: AsyncConnection[Any], most: int = 1000) -> list[PartnerHealth]:
    """Of all at once, for metrics; nothing in a database that no runner has seen yet."""
    row = await (await connection.execute(EXISTS)).fetchone()
    if row != (True,):
        return []
    return await _asked(connection, AFTER, {"after": "", "limit": most})


async def _asked(
    connection: AsyncConnection[Any], condition: SQL, values: dict[str, Any]
) -> list[PartnerHealth]:
    statement = HEALTH.format(condition=condition)
    values["characters"] = ERROR_CHARACTERS_MAX
    rows = await (await connection.execute(statement, values)).fetchall()
    return [_health(*row) for row in rows]


def _health(
    name: str, adapter: str, units: str, environment: str, interface: str, interface_since: datetime | None,
    reason: str | None, pending_in: int, pending_out: int, parked: int, oldest_in: datetime | None,
    oldest_out: datetime | None, oldest_parked: datetime | None, failures: int, attempts: int,
    failed_at: datetime | None, heard_at: datetime | None, told_at: datetime | None, code: str,
    error: str | None, trouble_at: datetime | None, counts: str, minutes: str, now: datetime,
) -> PartnerHealth:  # fmt: skip
    def age_s(since: datetime | None) -> float:
        return max(0.0, (now - since).total_seconds()) if since else 0.0

    rate_in, rate_out = _rates(minutes, now)
    return PartnerHealth(
        name=name,
        adapter=adapter,
        units=msgspec.json.decode(units, type=list[str]),
        environment=environment,
        interface=interface,
        interface_since=interface_since,
        interface_reason=reason,
        waiting_in=pending_in,
        waiting_out=pending_out,
        parked=parked,
        lag_in_s=age_s(oldest_in),
        lag_out_s=age_s(oldest_out),
        parked_s=age_s(oldest_parked),
        failures=failures,
        attempts=attempts,
        failed_at=failed_at,
        heard_at=heard_at,
        told_at=told_at,
        code=code,
        error=error,
        trouble_at=trouble_at,
        counts=msgspec.json.decode(counts, type=dict[str, int]),
        rate_in=rate_in,
        rate_out=rate_out,
        asked_at=now,
    )


def _rates(minutes: str, now: datetime) -> tuple[float, float]:
    """Messages a minute in and out: the present minute and those before it."""
    present = (now - _EPOCH) // timedelta(minutes=1)
    lately = [
        each
        for each in msgspec.json.decode(minutes, type=list[tuple[int, int, int]])
        if each[0] > present - RATE_MINUTES
    ]
    return sum(each[1] for each in lately) / RATE_MINUTES, sum(
        each[2] for each in lately
    ) / RATE_MINUTES
