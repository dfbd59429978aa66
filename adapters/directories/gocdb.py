"""Reads exports of GOCDB (``get_site`` and ``get_ngi``): sites and NGIs, and what could not be used of them.

The exports vary: the published schema, the sample and the live service disagree on names of elements, on
what may be left out and on which element a value stands in. All spellings we know are accepted; whatever
is not understood is named in the report, and a doubtful value is left out instead of guessed.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final
from zoneinfo import available_timezones

from msgspec import Struct, field

from adapters.directories.gocdb_xml import Entry, Remark, Report, body_of, entries
from domain.directory import TITLE_CHARACTERS_MAX, Certification, Facts

_SITE_CONTACTS: Final[Mapping[str, str]] = MappingProxyType({
    "CONTACT_EMAIL": "contact", "CONTACT_TEL": "contact phone",
    "ALARM_EMAIL": "alarm", "EMERGENCY_EMAIL": "alarm", "EMERGENCYEMAIL": "alarm",
    "EMERGENCY_TEL": "alarm phone", "EMERGENCYTEL": "alarm phone",
    "CSIRT_EMAIL": "security", "CSIRTEMAIL": "security", "SECURITY_EMAIL": "security",
    "CSIRT_TEL": "security phone", "CSIRTTEL": "security phone",
    "HELPDESK_EMAIL": "helpdesk", "HELPDESKEMAIL": "helpdesk",
})  # fmt: skip
_NGI_CONTACTS: Final[Mapping[str, str]] = MappingProxyType({
    "EMAIL": "contact", "ROD_EMAIL": "operations", "HELPDESK_EMAIL": "helpdesk", "SECURITY_EMAIL": "security",
})  # fmt: skip
_SITE_USED: Final = frozenset({
    "PRIMARY_KEY", "SHORT_NAME", "OFFICIAL_NAME", "ROC", "NGI", "PRODUCTION_INFRASTRUCTURE",
    "CERTIFICATION_STATUS", "COUNTRY", "TIMEZONE", "TIER", "SCOPE", "SCOPES", "SCOPE_TAGS", "SCOPE_TAG",
}) | frozenset(_SITE_CONTACTS)  # fmt: skip
_NGI_USED: Final = frozenset({"PRIMARY_KEY", "NAME", "DESCRIPTION", "GGUS_SU"}) | frozenset(
    _NGI_CONTACTS
)
_CERTIFICATIONS: Final = {each.value.lower(): each.value for each in Certification}


class SiteEntry(Struct, frozen=True):
    name: str
    facts: Facts
    contacts: dict[str, str]
    aliases: tuple[str, ...] = ()


class NgiEntry(Struct, frozen=True):
    name: str
    title: str
    contacts: dict[str, str]


class Export(Struct):
    """What an export holds."""

    sites: dict[str, SiteEntry] = {}
    ngis: dict[str, NgiEntry] = {}
    seen: set[str] = set()
    """Names and primary keys of all sites in the file, also of unusable ones: none of these has left."""
    report: Report = field(default_factory=Report)
    digest: str = ""
    """SHA-256 of the file, shortened: which export an event came from."""


def read_sites(file: Path) -> Export:
    """Raises ``Invalid`` when the file is no export of sites at all."""
    body = body_of(file)
    export = Export(digest=hashlib.sha256(body).hexdigest()[:32])
    for place, element in enumerate(entries(file.name, body, "SITE"), 1):
        entry = Entry(element, f"site no. {place}", _SITE_USED, export.report)
        attribute_name, key = entry.attribute("NAME"), entry.attribute("PRIMARY_KEY")
        entry.name = entry.text("SHORT_NAME") or attribute_name or entry.name
        inner = entry.line("PRIMARY_KEY")
        export.seen |= {entry.name, key or inner} - {""}
        site = _site(entry, key or inner)
        if key and inner and key != inner:
            entry.remark(
                "PRIMARY_KEY",
                f"is {key} as attribute and {inner} as element; the attribute is used",
            )
        if not key and not inner:
            entry.remark("PRIMARY_KEY", "is missing: nobody will notice when this site leaves")
        if site is None:
            continue
        if site.name in export.sites:
            entry.remark(
                "site", "stands in the export more than once; the first is used", unusable=True
            )
        else:
            alias = entry.alias(attribute_name)
            export.sites[site.name] = SiteEntry(site.name, site.facts, site.contacts, alias)
    _drop_ambiguous_aliases(export)
    return export


def read_ngis(file: Path) -> Export:
    """Raises ``Invalid`` when the file is no export of NGIs at all."""
    body = body_of(file)
    export = Export(digest=hashlib.sha256(body).hexdigest()[:32])
    for place, element in enumerate(entries(file.name, body, "NGI"), 1):
        entry = Entry(element, f"NGI no. {place}", _NGI_USED, export.report)
        entry.name = entry.text("NAME") or entry.attribute("NAME") or entry.name
        unit = entry.text("GGUS_SU")
        title = entry.line("DESCRIPTION", limit=TITLE_CHARACTERS_MAX)
        contacts = entry.contacts(_NGI_CONTACTS)
        if not entry.has_usable_name():
            continue
        if unit not in {"", entry.name}:
            entry.remark(
                "GGUS_SU", f"names the unit {unit}; sites name their NGI, so its name is used"
            )
        if entry.name in export.ngis:
            entry.remark(
                "NGI", "stands in the export more than once; the first is used", unusable=True
            )
        else:
            export.ngis[entry.name] = NgiEntry(entry.name, title, contacts)
    return export


def _site(entry: Entry, key: str) -> SiteEntry | None:
    certification = entry.text("CERTIFICATION_STATUS")
    contacts = entry.contacts(_SITE_CONTACTS)
    zone = entry.text("TIMEZONE")
    if zone and zone not in available_timezones():
        entry.remark("TIMEZONE", f"{zone!r} is not a time zone")
        zone = ""
    title = entry.line("OFFICIAL_NAME", limit=TITLE_CHARACTERS_MAX)
    country, tier, ngi = entry.line("COUNTRY"), entry.line("TIER"), entry.line("ROC", "NGI")
    if not entry.has_usable_name():
        return None
    if certification.lower() not in _CERTIFICATIONS:
        entry.remark("CERTIFICATION_STATUS", f"{certification!r} is not known", unusable=True)
        return None
    if not ngi:
        entry.remark("ROC", "is missing: tickets cannot be routed to this site")
    facts = Facts(
        title=title,
        ngi=ngi,
        certification=_CERTIFICATIONS[certification.lower()],
        production=entry.text("PRODUCTION_INFRASTRUCTURE").lower() == "production",
        country=country,
        zone=zone,
        tier=tier,
        scopes=tuple(sorted(set(entry.scopes()))),
        external_id=key,
    )
    return SiteEntry(entry.name, facts, contacts)


def _drop_ambiguous_aliases(export: Export) -> None:
    counts = Counter(alias for site in export.sites.values() for alias in site.aliases)
    for name, site in export.sites.items():
        for alias in site.aliases:
            if counts[alias] > 1 or alias in export.sites:
                export.report.remarks.append(
                    Remark(name, f"NAME {alias!r}", "names another site too")
                )
                export.sites[name] = SiteEntry(name, site.facts, site.contacts)
