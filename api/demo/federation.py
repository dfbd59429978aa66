"""A small federation to show things in: units, sites, VOs, a partner helpdesk, one person a role."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from api.demo.desk import ADDRESS
from domain.aggregate import Aggregate
from domain.directory import Facts, Grant, Person, Site, SupportUnit, UnitKind, VirtualOrganisation
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.vocabulary import TPM

SETUP: Final = Actor.rule("demo@1")
MACHINE: Final = "machine@osg.test"

_UNITS: Final = {
    TPM: ("Ticket process managers", UnitKind.FIRST_LINE),
    "NGI_DE": ("Germany", UnitKind.NGI),
    "ROC_US": ("Open Science Grid", UnitKind.NGI),
    "VOSupport": ("Support of virtual organisations", UnitKind.VO_SUPPORT),
}
_SITES: Final = {"EXAMPLE-T1": "NGI_DE", "EXAMPLE-T2": "NGI_DE", "EXAMPLE-US-T2": "ROC_US"}
_VOS: Final = ("atlas", "cms", "biomed")


@dataclass(frozen=True)
class People:
    """By role; nobody here has a name of a person."""

    submitter: Actor
    first_line: Actor
    supporter: Actor
    auditor: Actor
    admin: Actor


_ROLES: Final[dict[str, tuple[str, tuple[Grant, ...]]]] = {
    "submitter": ("User of atlas", ()),
    "first_line": ("First line on duty", (Grant("tpm"),)),
    "supporter": ("Supporter of NGI_DE", (Grant("supporter", "NGI_DE"),)),
    "auditor": ("Auditor", (Grant("auditor"),)),
    "admin": ("Administrator", (Grant("admin"),)),
}


def as_(actor: Actor) -> Any:
    """An ``acting`` block for one act of this actor."""
    command = random_id()
    return acting(Provenance(actor.name, command, f"demo:{command}"))


async def found(ledger: Ledger) -> People:
    """Register everything that the demo needs."""
    entries: list[Aggregate] = []
    people: dict[str, Actor] = {}
    with as_(SETUP):
        for name, (title, kind) in _UNITS.items():
            unit = SupportUnit(named_id(SupportUnit.KIND, name))
            unit.register(name, title, kind)
            unit.declare_service_level(
                "Medium", "Europe/Berlin" if name != "ROC_US" else "America/Chicago"
            )
            entries.append(unit)
        for name, ngi in _SITES.items():
            site = Site(named_id(Site.KIND, name))
            site.record(name, Facts(title=name, ngi=ngi))
            entries.append(site)
        for name in _VOS:
            vo = VirtualOrganisation(named_id(VirtualOrganisation.KIND, name))
            vo.register(name, team=True)
            entries.append(vo)
        for role, (name, grants) in _ROLES.items():
            person = Person(random_id())
            person.register(name=name, mail=f"{role.replace('_', '.')}@example.org")
            for grant in grants:
                person.grant(grant)
            entries.append(person)
            people[role] = _actor(person.id, grants)
        partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        partner.register("osg", "osg_mail", ["ROC_US"], address=MACHINE, sender=ADDRESS)
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.LIVE)
        entries.append(partner)
        await ledger.save(*entries)
    return People(**people)


def _actor(person: UUID, grants: tuple[Grant, ...]) -> Actor:
    return Actor(f"user:{person}", person, frozenset(grants))
