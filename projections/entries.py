"""The directory as tables valid in time: every state that a unit, site, VO, person or helpdesk ever had.

The aggregates of the domain themselves are replayed, so there is no second opinion on what an event means.
One row per version of an entry, from when that version held until when.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.aggregate import BEGINNING, Aggregate, Event
from domain.directory import Person, Site, SupportUnit, VirtualOrganisation
from domain.formats import decode
from domain.helpdesk import Helpdesk
from projections.columns import ALWAYS, FOREVER, Instant, instant
from projections.projection import Fold, Logged, Projection, Rows
from projections.tables import LIVE, Connection, Table


class EntryRow(Struct, kw_only=True, gc=False):
    """What all entries have."""

    stream: UUID
    version: int
    """1 for the state after the registration; every event of the entry begins another."""
    valid_from: Instant
    valid_to: Instant = FOREVER
    """``infinity`` for the present state."""
    from_position: int
    to_position: int = ALWAYS
    retired: bool
    """No longer part of the infrastructure in this state."""


class UnitRow(EntryRow, kw_only=True, gc=False):
    name: str
    title: str
    kind: str
    level: str
    zone: str
    calendar: str
    contacts: UUID | None


class SiteRow(EntryRow, kw_only=True, gc=False):
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
    scopes: str
    """JSON list."""
    external_id: str
    contacts: UUID | None


class VoRow(EntryRow, kw_only=True, gc=False):
    name: str
    title: str
    team: bool
    alarms: bool


class PersonRow(EntryRow, kw_only=True, gc=False):
    name: str
    """The identifier: what people are called stands in the content."""
    details: UUID | None
    identities: str
    """JSON list of kinds."""
    grants: str
    """JSON list of [role, scope]."""


class HelpdeskRow(EntryRow, kw_only=True, gc=False):
    name: str
    adapter: str
    units: str
    """JSON list."""
    address: str
    sender: str
    environment: str
    policy: str
    interface: str
    interface_since: Instant | None
    """None when it was never set."""
    interface_reason: UUID | None
    """The content that says why it was set."""


def _table(name: str, row: type[EntryRow]) -> Table[Any]:
    return Table(name, row, key=("stream", "version"), indexes=("(name, valid_to)",))


UNIT: Final = _table("unit", UnitRow)
SITE: Final = _table("site", SiteRow)
VO: Final = _table("vo", VoRow)
PERSON: Final = _table("person", PersonRow)
HELPDESK: Final = _table("helpdesk", HelpdeskRow)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _unit(unit: SupportUnit) -> dict[str, Any]:
    return {
        "name": unit.name, "title": unit.title, "kind": unit.kind.value, "level": unit.level,
        "zone": unit.zone, "calendar": unit.calendar, "retired": unit.retired,
        "contacts": unit.contacts.id if unit.contacts else None,
    }  # fmt: skip


def _site(site: Site) -> dict[str, Any]:
    facts = site.facts
    return {
        "name": site.name, "title": facts.title, "ngi": facts.ngi,
        "certification": facts.certification, "offered": site.offered,
        "production": facts.production, "country": facts.country, "zone": facts.zone,
        "tier": facts.tier, "scopes": _json(facts.scopes), "external_id": facts.external_id,
        "retired": site.retired, "contacts": site.contacts.id if site.contacts else None,
    }  # fmt: skip


def _vo(vo: VirtualOrganisation) -> dict[str, Any]:
    return {
        "name": vo.name, "title": vo.title, "team": vo.team, "alarms": vo.alarms,
        "retired": vo.retired,
    }  # fmt: skip


def _person(person: Person) -> dict[str, Any]:
    return {
        "name": str(person.id), "retired": False,
        "details": person.details.id if person.details else None,
        "identities": _json(sorted(key.split(":")[0] for key in person.identities)),
        "grants": _json([(grant.role, grant.scope) for grant in sorted(person.grants)]),
    }  # fmt: skip


def _helpdesk(helpdesk: Helpdesk) -> dict[str, Any]:
    return {
        "name": helpdesk.name, "adapter": helpdesk.adapter, "units": _json(helpdesk.units),
        "address": helpdesk.address, "sender": helpdesk.sender, "policy": helpdesk.policy.value,
        "environment": helpdesk.environment, "interface": helpdesk.interface.value,
        "interface_since": _since(helpdesk), "retired": False,
        "interface_reason": helpdesk.interface_reason.id if helpdesk.interface_reason else None,
    }  # fmt: skip


def _since(helpdesk: Helpdesk) -> Instant | None:
    return None if helpdesk.interface_since == BEGINNING else instant(helpdesk.interface_since)


class EntryKind(NamedTuple):
    aggregate: type[Aggregate]
    table: Table[Any]
    describe: Callable[[Any], dict[str, Any]]
    """The columns of the table that are not those of ``EntryRow``, but for ``retired``."""


KINDS: Final = (
    EntryKind(SupportUnit, UNIT, _unit),
    EntryKind(Site, SITE, _site),
    EntryKind(VirtualOrganisation, VO, _vo),
    EntryKind(Person, PERSON, _person),
    EntryKind(Helpdesk, HELPDESK, _helpdesk),
)
_NUMBER: Final[dict[type[Event], int]] = {
    event: number for number, kind in enumerate(KINDS) for event in kind.aggregate.mutators
}

# What the log says of these entries before a position: their streams are short.
STREAMS: Final = """
    SELECT position, state FROM ledger.event
     WHERE originator_id = ANY(%b) AND position < %b ORDER BY position
"""


class EntryFold(Fold):
    def __init__(self) -> None:
        self.rows = tuple(Rows[Any](kind.table) for kind in KINDS)
        self._aggregates: dict[int, Aggregate] = {}

    async def load(
        self, connection: Connection, events: Iterable[Logged], suffix: str = LIVE
    ) -> None:
        events = list(events)
        wanted = [
            id_
            for id_ in {each.event.originator_id for each in events}
            if id_.int not in self._aggregates
        ]
        if not wanted:
            return
        cursor = await connection.execute(STREAMS, (wanted, events[0].position), binary=True)
        for position, state in await cursor.fetchall():
            self._take(position, decode(state))
        for rows in self.rows:  # what was only read again is written already
            rows.changed.clear()
            rows.finished.clear()

    def apply(self, events: Iterable[Logged]) -> None:
        for each in events:
            self._take(each.position, each.event)

    def _take(self, position: int, event: Event) -> None:
        kind = KINDS[number := _NUMBER[type(event)]]
        rows, key = self.rows[number], event.originator_id.int
        entry = self._aggregates.get(key)
        if entry is None:
            entry = self._aggregates[key] = kind.aggregate(event.originator_id)
        if event.originator_version <= entry.version:
            return  # delivered before
        entry.apply(event)
        at = instant(entry.at)
        if entry.version > 1:
            row = rows.current[key]
            row.valid_to, row.to_position = at, position
            rows.finish(key)
        new = rows.table.row(
            stream=entry.id, version=entry.version, valid_from=at, from_position=position,
            **kind.describe(entry),
        )  # fmt: skip
        rows.begin(key, new)

    def forget(self) -> None:
        super().forget()
        self._aggregates.clear()

    def trim(self) -> None:
        super().trim()
        kept = {key for rows in self.rows for key in rows.current}
        if len(kept) < len(self._aggregates):
            self._aggregates = {key: self._aggregates[key] for key in kept}


class Directory(Projection):
    name: ClassVar = "directory"
    form: ClassVar = 2
    tables: ClassVar = tuple(kind.table for kind in KINDS)
    topics: ClassVar = frozenset(_NUMBER)

    def fold(self) -> EntryFold:
        return EntryFold()
