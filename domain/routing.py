"""Where a ticket goes, from what it names and what the directory says now (GGUS routing rules 1-3 and 8).

1. Nothing named: to first-line support (TPM), status new.
2. A site is notified: past first-line support, to the site's NGI; the site is told in parallel.
3. A unit is named: to that unit directly.
A site and a unit together are refused; only certified sites can be notified.
"""

from typing import Protocol

from msgspec import Struct

from domain.directory import Site, SupportUnit
from domain.errors import RoutingNotPossible
from domain.vocabulary import TPM

RULE = "routing@1"


class Directory(Protocol):
    """What routing asks. Answers are the present state."""

    async def site(self, name: str) -> Site | None:
        """By name or by an alias."""
        ...

    async def unit(self, name: str) -> SupportUnit | None: ...


class Route(Struct, frozen=True):
    unit: str
    notified_site: str = ""
    direct: bool = True
    """False where the ticket only enters first-line support."""


async def route(directory: Directory, *, unit: str = "", notified_site: str = "") -> Route:
    """The unit that gets the ticket. Raises ``RoutingNotPossible`` with a way forward."""
    if unit and notified_site:
        raise RoutingNotPossible(
            "name a site to notify or a support unit, not both: a notified site brings its NGI"
        )
    if notified_site:
        return await _to_site(directory, notified_site)
    if unit and unit != TPM:
        return Route(await _must_work(directory, unit))
    return Route(TPM, direct=False)


async def _to_site(directory: Directory, name: str) -> Route:
    site = await directory.site(name)
    if site is None or site.retired:
        raise RoutingNotPossible(
            f"there is no site {name!r}; leave it out and first-line support will route the ticket"
        )
    if not site.offered:
        raise RoutingNotPossible(
            f"site {site.name} is {site.facts.certification}, and only certified sites can be notified; "
            "name it as the affected site instead"
        )
    if not site.facts.ngi:
        raise RoutingNotPossible(f"site {site.name} belongs to no NGI; name a support unit instead")
    return Route(await _must_work(directory, site.facts.ngi), site.name)


async def _must_work(directory: Directory, unit: str) -> str:
    entry = await directory.unit(unit)
    if entry is None or entry.retired:
        raise RoutingNotPossible(
            f"there is no support unit {unit!r}; leave it out for first-line support"
        )
    return entry.name
