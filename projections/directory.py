"""Questions to the directory: units, sites, VOs, persons and helpdesks, now or as of any moment.

A time means "as things happened", a position "as they were recorded". Names and addresses are contents: what
was erased is None.
"""

from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.ledger import AsOf
from projections.paging import Page, checked_limit, page_of, read_cursor

NOW: Final = SQL("entry.to_position = 9223372036854775807")
AT_TIME: Final = SQL("entry.valid_from <= %(at)s AND entry.valid_to > %(at)s")
AT_POSITION: Final = SQL("entry.from_position <= %(at)s AND entry.to_position > %(at)s")

UNITS: Final = SQL("""
    SELECT name, title, kind, level, zone, calendar, retired, valid_from, content.body
      FROM view.unit AS entry LEFT JOIN ledger.content ON content.id = entry.contacts
     WHERE {moment} AND (%(retired)s OR NOT retired) AND name > %(after)s
     ORDER BY name LIMIT %(limit)s
""")
SITES: Final = SQL("""
    SELECT name, title, ngi, certification, offered, production, country, zone, tier, scopes, external_id,
           retired, valid_from, content.body
      FROM view.site AS entry LEFT JOIN ledger.content ON content.id = entry.contacts
     WHERE {moment} AND (%(retired)s OR NOT retired) AND name > %(after)s
     ORDER BY name LIMIT %(limit)s
""")
VOS: Final = SQL("""
    SELECT name, title, team, alarms, retired, valid_from FROM view.vo AS entry
     WHERE {moment} AND (%(retired)s OR NOT retired) AND name > %(after)s
     ORDER BY name LIMIT %(limit)s
""")
PERSONS: Final = SQL("""
    SELECT stream, identities, grants, valid_from, content.body
      FROM view.person AS entry LEFT JOIN ledger.content ON content.id = entry.details
     WHERE {moment} AND (%(retired)s OR NOT retired) AND name > %(after)s
     ORDER BY name LIMIT %(limit)s
""")
HELPDESKS: Final = SQL("""
    SELECT name, adapter, units, address, sender, policy, interface, valid_from
      FROM view.helpdesk AS entry
     WHERE {moment} AND (%(retired)s OR NOT retired) AND name > %(after)s
     ORDER BY name LIMIT %(limit)s
""")


class UnitView(Struct, frozen=True):
    name: str
    title: str
    kind: str
    level: str
    """Of service; empty when none is declared."""
    zone: str
    calendar: str
    retired: bool
    valid_from: datetime
    contacts: dict[str, str] | None
    """Addresses by purpose; None where there are none (any more)."""


class SiteView(Struct, frozen=True):
    name: str
    title: str
    ngi: str
    certification: str
    offered: bool
    """Whether tickets may be routed to it."""
    production: bool
    country: str
    zone: str
    tier: str
    scopes: list[str]
    external_id: str
    retired: bool
    valid_from: datetime
    contacts: dict[str, str] | None


class VoView(Struct, frozen=True):
    name: str
    title: str
    team: bool
    alarms: bool
    retired: bool
    valid_from: datetime


class PersonView(Struct, frozen=True):
    id: UUID
    identities: list[str]
    """Kinds of identities that are known."""
    grants: list[tuple[str, str]]
    """Roles and where they hold."""
    valid_from: datetime
    name: str | None
    mail: str | None
    phone: str | None


class HelpdeskView(Struct, frozen=True):
    name: str
    adapter: str
    units: list[str]
    address: str
    sender: str
    policy: str
    interface: str
    valid_from: datetime


class _Key(Struct, frozen=True):
    name: str


T = TypeVar("T", UnitView, SiteView, VoView, PersonView, HelpdeskView)


async def units(
    connection: AsyncConnection[Any],
    *,
    as_of: AsOf | None = None,
    retired: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[UnitView]:
    """Support units by name; those that are no more only if ``retired``."""
    rows = await _rows(connection, UNITS, as_of, cursor, limit, retired=retired)
    return page_of([_unit(*row) for row in rows], limit, _key)


async def sites(
    connection: AsyncConnection[Any],
    *,
    as_of: AsOf | None = None,
    retired: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[SiteView]:
    """Sites by name; those that left only if ``retired``."""
    rows = await _rows(connection, SITES, as_of, cursor, limit, retired=retired)
    found = [_site(*row) for row in rows]
    return page_of(found, limit, _key)


async def vos(
    connection: AsyncConnection[Any],
    *,
    as_of: AsOf | None = None,
    retired: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[VoView]:
    """Virtual organisations by name."""
    rows = await _rows(connection, VOS, as_of, cursor, limit, retired=retired)
    return page_of([VoView(*row) for row in rows], limit, _key)


async def persons(
    connection: AsyncConnection[Any],
    *,
    as_of: AsOf | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[PersonView]:
    """Persons by identifier."""
    rows = await _rows(connection, PERSONS, as_of, cursor, limit)
    return page_of([_person(row) for row in rows], limit, _key)


async def helpdesks(
    connection: AsyncConnection[Any],
    *,
    as_of: AsOf | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[HelpdeskView]:
    """Partner helpdesks by name."""
    rows = await _rows(connection, HELPDESKS, as_of, cursor, limit)
    return page_of([_helpdesk(*row) for row in rows], limit, _key)


async def _rows(
    connection: AsyncConnection[Any],
    question: SQL,
    as_of: AsOf | None,
    cursor: str | None,
    limit: int,
    *,
    retired: bool = False,
) -> list[tuple[Any, ...]]:
    after = "" if cursor is None else read_cursor(cursor, _Key).name
    values = {
        "at": as_of, "retired": retired, "after": after, "limit": checked_limit(limit) + 1,
    }  # fmt: skip
    moment = NOW if as_of is None else AT_POSITION if isinstance(as_of, int) else AT_TIME
    return await (await connection.execute(question.format(moment=moment), values)).fetchall()


def _unit(*columns: Any) -> UnitView:
    *facts, body = columns
    values = dict(zip(UnitView.__struct_fields__, facts, strict=False))
    return UnitView(**values, contacts=_document(body))


def _site(*columns: Any) -> SiteView:
    *facts, body = columns
    values = dict(zip(SiteView.__struct_fields__, facts, strict=False))
    values["scopes"] = _list(values["scopes"])
    return SiteView(**values, contacts=_document(body))


def _helpdesk(name: str, adapter: str, units_of: str, *terms: Any) -> HelpdeskView:
    return HelpdeskView(name, adapter, _list(units_of), *terms)


def _person(row: tuple[Any, ...]) -> PersonView:
    id_, identities, grants, valid_from, body = row
    details = _document(body) or {}
    return PersonView(
        id_, _list(identities), msgspec.json.decode(grants, type=list[tuple[str, str]]), valid_from,
        *(details.get(field) for field in ("name", "mail", "phone")),
    )  # fmt: skip


def _document(body: bytes | None) -> dict[str, str] | None:
    return None if body is None else msgspec.json.decode(body, type=dict[str, str])


def _list(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def _key(entry: T) -> _Key:
    return _Key(str(entry.id) if isinstance(entry, PersonView) else entry.name)
