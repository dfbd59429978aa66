"""Brings an export of GOCDB into the directory: what is new, what changed, who left.

The export is the truth about the sites that came from GOCDB (those with an external id) and about
nothing else. An export that is empty, or that lacks more than a fifth of them, is taken for broken and
changes nothing at all.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import msgspec
from msgspec import Struct

from adapters.directories.gocdb import Export, NgiEntry, SiteEntry, read_ngis, read_sites
from adapters.directories.gocdb_xml import Remark
from domain.aggregate import Aggregate
from domain.commands import EndSiteNotification
from domain.content import Sealed
from domain.directory import Site, SupportUnit, UnitKind
from domain.errors import Invalid
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor, Right, require

ACTOR: Final = Actor.importer("gocdb")
SHRINK_MAX: Final = 0.2
"""Share of the known sites that one export may lack."""
_TOGETHER: Final = 200
"""Entries in one append."""


class Hub(Protocol):
    """What the import has to ask the rest of the program."""

    async def sites(self) -> Collection[str]:
        """Names of all sites ever registered."""
        ...

    async def open_tickets_notifying(self, site: str) -> Collection[int]:
        """Numbers of the open tickets of which this site is told."""
        ...


class Counts(Struct):
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    left: int = 0
    unusable: int = 0
    """Left out, for reasons that the remarks name; what is known of them from before stays."""


class Outcome(Struct):
    """What an import did, or would do."""

    sites: Counts
    units: Counts
    tickets: list[int]
    """Tickets whose notified site left."""
    left: list[str]
    remarks: list[Remark]
    not_kept: dict[str, int]
    dry_run: bool = False


async def bring_in(
    ledger: Ledger,
    hub: Hub,
    sites: Path,
    ngis: Path | None = None,
    *,
    allow_shrink: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Read the exports and record what differs from the directory.

    Raises ``Invalid`` when a file is unusable or the export shrank; then nothing is stored.
    """
    require(ACTOR, Right.ADMINISTER)
    found = read_sites(sites)
    ngi_export = read_ngis(ngis) if ngis else Export()
    if not found.sites or (ngis and not ngi_export.ngis):
        raise Invalid("the export holds nothing usable; nothing was changed")
    provenance = Provenance(
        actor=ACTOR.name,
        command_id=uuid4(),
        correlation_id=f"gocdb:{found.digest}",
        causation_id=f"gocdb:{found.digest}",
    )
    with acting(provenance):
        return await _Importer(ledger, hub, found, ngi_export).run(
            allow_shrink=allow_shrink, dry_run=dry_run
        )


class _Importer:
    def __init__(self, ledger: Ledger, hub: Hub, found: Export, ngis: Export) -> None:
        self._ledger = ledger
        self._hub = hub
        self._found = found
        self._ngis = ngis
        self._remarks = [*ngis.report.remarks, *found.report.remarks]

    async def run(self, *, allow_shrink: bool, dry_run: bool) -> Outcome:
        units = await self._units()
        known = await self._known_sites()
        gone = self._gone(known)
        if len(gone) > SHRINK_MAX * len(known) and not allow_shrink:
            raise Invalid(
                f"the export lacks {len(gone)} of {len(known)} sites, more than {SHRINK_MAX:.0%}; "
                "nothing was changed. If that is right, allow it to shrink (--allow-shrink)"
            )
        unit_counts = await self._record_units(units)
        sites = {
            name: known.get(name) or await self._ledger.load(Site, named_id(Site.KIND, name))
            or Site(named_id(Site.KIND, name))
            for name in self._found.sites
        }  # fmt: skip
        site_counts = await self._record_sites(sites, units)
        tickets = [
            number for site in gone for number in await self._hub.open_tickets_notifying(site.name)
        ]
        for site in gone:
            site.leave()
        site_counts.left = len(gone)
        site_counts.unusable = sum(remark.unusable for remark in self._found.report.remarks)
        unit_counts.unusable = sum(remark.unusable for remark in self._ngis.report.remarks)
        if not dry_run:
            await self._store([*units.values(), *sites.values()], gone, tickets)
        return Outcome(
            sites=site_counts,
            units=unit_counts,
            tickets=tickets,
            left=[site.name for site in gone],
            remarks=self._remarks,
            not_kept=dict(
                sorted((self._ngis.report.not_kept + self._found.report.not_kept).items())
            ),
            dry_run=dry_run,
        )

    async def _units(self) -> dict[str, SupportUnit]:
        streams = {name: named_id(SupportUnit.KIND, name) for name in self._ngis.ngis}
        return {
            name: await self._ledger.load(SupportUnit, stream) or SupportUnit(stream)
            for name, stream in streams.items()
        }

    async def _known_sites(self) -> dict[str, Site]:
        """The sites that GOCDB told us of and that are still there."""
        known = {}
        for name in sorted(await self._hub.sites()):
            site = await self._ledger.load(Site, named_id(Site.KIND, name))
            if site is not None and not site.retired and site.facts.external_id:
                known[name] = site
        return known

    def _gone(self, known: Mapping[str, Site]) -> list[Site]:
        seen = self._found.seen
        now_called = {entry.facts.external_id: entry.name for entry in self._found.sites.values()}
        gone = []
        for name, site in known.items():
            key = site.facts.external_id
            if name in seen or (key in seen and key not in now_called):
                continue  # still there, if perhaps unusable
            gone.append(site)
            if after := now_called.get(key):
                why = f"was {name}: that site leaves, this one is new"
                self._remarks.append(Remark(after, "SHORT_NAME", why))
        return gone

    async def _record_units(self, units: Mapping[str, SupportUnit]) -> Counts:
        counts = Counts()
        stored = await self._stored([unit.contacts for unit in units.values()])
        for name, unit in units.items():
            entry = self._ngis.ngis[name]
            new = not unit.version or unit.retired
            if new:
                unit.register(name, entry.title, UnitKind.NGI)
            elif (unit.title, unit.kind) != (entry.title, UnitKind.NGI):
                self._remarks.append(
                    Remark(
                        name, "DESCRIPTION or kind", "differs from the registered unit, which stays"
                    )
                )
            self._record_contacts(unit, entry, stored)
            _count(counts, unit, new=new)
        return counts

    async def _record_sites(
        self, sites: Mapping[str, Site], units: Mapping[str, SupportUnit]
    ) -> Counts:
        counts = Counts()
        stored = await self._stored([site.contacts for site in sites.values()])
        for name, site in sites.items():
            entry = self._found.sites[name]
            new = not site.version or site.retired
            site.record(name, entry.facts)
            self._record_contacts(site, entry, stored)
            await self._record_aliases(site, entry)
            if entry.facts.ngi and entry.facts.ngi not in units:
                await self._must_be_unit(name, entry.facts.ngi)
            _count(counts, site, new=new)
        return counts

    def _record_contacts(
        self,
        aggregate: Site | SupportUnit,
        entry: SiteEntry | NgiEntry,
        stored: Mapping[Sealed, bytes],
    ) -> None:
        """Only what differs from the stored content: otherwise every run would seal it anew."""
        before = stored.get(aggregate.contacts, b"{}") if aggregate.contacts else b"{}"
        if msgspec.json.decode(before) != entry.contacts:
            aggregate.change_contacts(entry.contacts)

    async def _record_aliases(self, site: Site, entry: SiteEntry) -> None:
        for alias in entry.aliases:
            if alias in site.aliases:
                continue
            holder = await self._ledger.store.holder("site-alias", alias)
            namesake = await self._ledger.load(Site, named_id(Site.KIND, alias))
            if holder not in {None, site.id} or namesake is not None:
                self._remarks.append(Remark(site.name, f"NAME {alias!r}", "names another site too"))
            else:
                site.add_alias(alias)

    async def _must_be_unit(self, site: str, ngi: str) -> None:
        unit = await self._ledger.directory.unit(ngi)
        if unit is None or unit.retired:
            self._remarks.append(
                Remark(
                    site,
                    f"ROC {ngi[:80]!r}",
                    "is no support unit: tickets cannot be routed to this site",
                )
            )

    async def _stored(self, contacts: Sequence[Sealed | None]) -> dict[Sealed, bytes]:
        sealed = [each for each in contacts if each]
        contents = await self._ledger.store.contents(each.id for each in sealed)
        return {each: contents[each.id].body for each in sealed if each.id in contents}

    async def _store(
        self, entries: Sequence[Aggregate], gone: Sequence[Site], tickets: Sequence[int]
    ) -> None:
        """Tickets before the sites that leave: after an interruption the next run finds both again."""
        for begin in range(0, len(entries), _TOGETHER):
            await self._ledger.save(*entries[begin : begin + _TOGETHER])
        for number in tickets:
            await self._ledger.execute(EndSiteNotification(number=number), actor=ACTOR)
        for begin in range(0, len(gone), _TOGETHER):
            await self._ledger.save(*gone[begin : begin + _TOGETHER])


def _count(counts: Counts, aggregate: Aggregate, *, new: bool) -> None:
    if new:
        counts.new += 1
    elif aggregate.pending_events:
        counts.changed += 1
    else:
        counts.unchanged += 1
