"""The directory: support units, sites, VOs and persons, each with a history of its own.

What held when is read from the events' ``occurred_at``: sites move between NGIs, people change
certificates. An importer states what it knows now (``record``); an event is triggered per difference.
Mail addresses and names are contents, never event fields.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.aggregate import Aggregate, Event, mutates
from domain.content import JSON, Sealed
from domain.errors import EntryNotFound, Invalid, NothingToDo
from domain.texts import must_be_line, must_be_name, must_be_one_of, must_fit, must_say


class UnitKind(Enum):
    FIRST_LINE = "first line"
    NGI = "NGI"
    VO_SUPPORT = "VO support"
    SOFTWARE = "software"
    OPERATIONS = "operations"
    OTHER = "other"


class Certification(Enum):
    """Of a site, as in GOCDB. Tickets can be routed to certified sites only."""

    CANDIDATE = "Candidate"
    UNCERTIFIED = "Uncertified"
    CERTIFIED = "Certified"
    SUSPENDED = "Suspended"
    CLOSED = "Closed"


_CERTIFICATIONS: Final = tuple(each.value for each in Certification)
TITLE_CHARACTERS_MAX: Final = 500


class _Named(Aggregate):
    """An entry with a public name, which may end."""

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.name = ""
        self.retired = False
        self.contacts: Sealed | None = None

    def _must_exist(self) -> None:
        if not self.version or self.retired:
            raise NothingToDo(f"{self.name or 'this entry'} is not in the directory")

    def _name(self, name: str) -> str:
        must_be_name("name", name)
        return name

    def seal_contacts(self, contacts: Mapping[str, str]) -> Sealed:
        """Addresses by purpose (``contact``, ``alarm``, ``security``, ``helpdesk``) as one content."""
        return self.seal_bytes(msgspec.json.encode(dict(sorted(contacts.items()))), JSON)


class SupportUnit(_Named):
    """Those who solve tickets: first line, NGIs, VO support, developers."""

    KIND: Final = "unit"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.kind = UnitKind.OTHER
        self.title = self.level = self.zone = self.calendar = ""

    class Registered(Event, tag="unit.registered", frozen=True, kw_only=True, gc=False):
        """The unit exists from now on."""

        name: str
        title: str
        kind: str

    def register(self, name: str, title: str = "", kind: UnitKind = UnitKind.OTHER) -> None:
        if self.version and not self.retired:
            raise NothingToDo(f"support unit {name} is registered")
        must_be_line("title", title, TITLE_CHARACTERS_MAX)
        self.trigger(SupportUnit.Registered, name=self._name(name), title=title, kind=kind.value)

    @mutates(Registered)
    def _registered(self, event: Registered) -> None:
        self.name, self.title, self.kind = event.name, event.title, UnitKind(event.kind)
        self.retired = False

    class ContactsChanged(Event, tag="unit.contacts-changed", frozen=True, kw_only=True, gc=False):
        """All its addresses, as they are now."""

        contacts: Sealed

    def change_contacts(self, contacts: Mapping[str, str]) -> None:
        self._must_exist()
        self.trigger(SupportUnit.ContactsChanged, contacts=self.seal_contacts(contacts))

    @mutates(ContactsChanged)
    def _contacts_changed(self, event: ContactsChanged) -> None:
        self.contacts = event.contacts

    class ServiceLevelDeclared(
        Event, tag="unit.service-level-declared", frozen=True, kw_only=True, gc=False
    ):
        """How fast it answers, and when it works."""

        level: str
        zone: str
        """IANA name of the zone in which the unit works."""
        calendar: str = ""
        """Name of a holiday calendar, for example ``DE-BW``; empty for none."""

    def declare_service_level(self, level: str, zone: str, calendar: str = "") -> None:
        self._must_exist()
        if (level, zone, calendar) == (self.level, self.zone, self.calendar):
            raise NothingToDo("this service level is declared")
        for field, value in (("level", level), ("zone", zone), ("calendar", calendar)):
            must_be_line(field, value)
        self.trigger(SupportUnit.ServiceLevelDeclared, level=level, zone=zone, calendar=calendar)

    @mutates(ServiceLevelDeclared)
    def _service_level_declared(self, event: ServiceLevelDeclared) -> None:
        self.level, self.zone, self.calendar = event.level, event.zone, event.calendar

    class Retired(Event, tag="unit.retired", frozen=True, kw_only=True, gc=False):
        """No ticket is routed to it any more."""

    def retire(self) -> None:
        self._must_exist()
        self.trigger(SupportUnit.Retired)

    @mutates(Retired)
    def _retired(self, _: Retired) -> None:
        self.retired = True


class Facts(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a site directory such as GOCDB says of a site, apart from its contacts."""

    title: str = ""
    ngi: str = ""
    certification: str = Certification.CERTIFIED.value
    production: bool = True
    country: str = ""
    zone: str = ""
    tier: str = ""
    scopes: tuple[str, ...] = ()
    external_id: str = ""
    """Primary key in the directory it comes from."""


class Site(_Named):
    """A resource centre. Tickets that name it go to its NGI, and it is told in parallel."""

    KIND: Final = "site"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.facts = Facts()
        self.aliases: frozenset[str] = frozenset()

    @property
    def offered(self) -> bool:
        """Whether a ticket may be routed to it (GGUS routing rule 8)."""
        return (
            bool(self.version)
            and not self.retired
            and self.facts.certification == Certification.CERTIFIED.value
        )

    class Registered(Event, tag="site.registered", frozen=True, kw_only=True, gc=False):
        name: str
        facts: Facts

    class FactsChanged(Event, tag="site.facts-changed", frozen=True, kw_only=True, gc=False):
        facts: Facts
        changed: tuple[str, ...]
        """Names of the fields that differ from before: ``ngi`` is a move, ``certification`` a change of trust."""

    def record(self, name: str, facts: Facts) -> bool:
        """State what is known now; False when that is nothing new."""
        must_be_one_of("certification", facts.certification, _CERTIFICATIONS)
        for field in ("title", "ngi", "country", "zone", "tier", "external_id"):
            must_be_line(field, getattr(facts, field), TITLE_CHARACTERS_MAX)
        for scope in facts.scopes:
            must_be_name("scope", scope)
        if not self.version or self.retired:
            self.trigger(Site.Registered, name=self._name(name), facts=facts)
            return True
        changed = tuple(
            field
            for field in Facts.__struct_fields__
            if getattr(facts, field) != getattr(self.facts, field)
        )
        if changed:
            self.trigger(Site.FactsChanged, facts=facts, changed=changed)
        return bool(changed)

    @mutates(Registered)
    def _registered(self, event: Registered) -> None:
        self.name, self.facts, self.retired = event.name, event.facts, False

    @mutates(FactsChanged)
    def _facts_changed(self, event: FactsChanged) -> None:
        self.facts = event.facts

    class ContactsChanged(Event, tag="site.contacts-changed", frozen=True, kw_only=True, gc=False):
        """All its addresses, as they are now."""

        contacts: Sealed

    def change_contacts(self, contacts: Mapping[str, str]) -> None:
        self._must_exist()
        self.trigger(Site.ContactsChanged, contacts=self.seal_contacts(contacts))

    @mutates(ContactsChanged)
    def _contacts_changed(self, event: ContactsChanged) -> None:
        self.contacts = event.contacts

    class AliasAdded(Event, tag="site.alias-added", frozen=True, kw_only=True, gc=False):
        alias: str

    def add_alias(self, alias: str) -> None:
        """Let the site be found under this name too; no other site may be."""
        self._must_exist()
        must_be_name("alias", alias)
        if alias == self.name or alias in self.aliases:
            raise NothingToDo(f"site {self.name} is known as {alias}")
        self.claim("site-alias", alias)
        self.trigger(Site.AliasAdded, alias=alias)

    @mutates(AliasAdded)
    def _alias_added(self, event: AliasAdded) -> None:
        self.aliases |= {event.alias}

    class Left(Event, tag="site.left", frozen=True, kw_only=True, gc=False):
        pass

    def leave(self) -> None:
        """The site is no longer part of the infrastructure."""
        self._must_exist()
        self.trigger(Site.Left)

    @mutates(Left)
    def _left(self, _: Left) -> None:
        self.retired = True


class VirtualOrganisation(_Named):
    KIND: Final = "vo"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.title = ""
        self.team = self.alarms = False

    class Registered(Event, tag="vo.registered", frozen=True, kw_only=True, gc=False):
        """The VO exists from now on."""

        name: str
        title: str = ""
        team: bool = False
        """Whether it may have TEAM tickets."""
        alarms: bool = False

    def register(
        self, name: str, title: str = "", *, team: bool = False, alarms: bool = False
    ) -> None:
        if self.version and not self.retired:
            raise NothingToDo(f"VO {name} is registered")
        must_be_line("title", title, TITLE_CHARACTERS_MAX)
        self.trigger(
            VirtualOrganisation.Registered,
            name=self._name(name),
            title=title,
            team=team,
            alarms=alarms,
        )

    @mutates(Registered)
    def _registered(self, event: Registered) -> None:
        self.name, self.title, self.team, self.alarms = (
            event.name,
            event.title,
            event.team,
            event.alarms,
        )
        self.retired = False

    class Retired(Event, tag="vo.retired", frozen=True, kw_only=True, gc=False):
        """The VO has ended."""

    def retire(self) -> None:
        self._must_exist()
        self.trigger(VirtualOrganisation.Retired)

    @mutates(Retired)
    def _retired(self, _: Retired) -> None:
        self.retired = True


IDENTITY_KINDS: Final = ("mail", "dn", "login", "subject")
IDENTITY_CHARACTERS_MAX: Final = 500


class Grant(Struct, frozen=True, order=True, gc=False):
    """A role and where it holds: ``("supporter", "NGI_DE")``, ``("teamer", "atlas")``, ``("auditor", "")``."""

    role: str
    scope: str = ""


GRANTABLE: Final[Mapping[str, str]] = MappingProxyType({
    "supporter": "unit", "tpm": "", "teamer": "VO", "alarmer": "VO", "auditor": "", "admin": "",
})  # fmt: skip
"""The roles that a person can be granted, and what each needs as its scope."""


class Person(Aggregate):
    """Somebody with several identities (mail address, certificate, login) and with roles."""

    KIND: Final = "person"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.details: Sealed | None = None
        self.identities: dict[str, Sealed] = {}
        """By kind and commitment."""
        self.grants: frozenset[Grant] = frozenset()

    class Registered(Event, tag="person.registered", frozen=True, kw_only=True, gc=False):
        details: Sealed
        """JSON object with ``name``, ``mail``, ``phone``."""

    def register(self, *, name: str, mail: str = "", phone: str = "") -> None:
        """Register with a mail address as the first identity, where there is one."""
        if self.version:
            raise NothingToDo("this person is registered")
        self.trigger(Person.Registered, details=self._seal_details(name, mail, phone))
        if mail:
            self.add_identity("mail", mail)

    @mutates(Registered)
    def _registered(self, event: Registered) -> None:
        self.details = event.details

    class DetailsChanged(Event, tag="person.details-changed", frozen=True, kw_only=True, gc=False):
        """Name, mail address and telephone, as they are now."""

        details: Sealed

    def change_details(self, *, name: str, mail: str = "", phone: str = "") -> None:
        self._must_be_registered()
        self.trigger(Person.DetailsChanged, details=self._seal_details(name, mail, phone))

    @mutates(DetailsChanged)
    def _details_changed(self, event: DetailsChanged) -> None:
        self.details = event.details

    class IdentityAdded(Event, tag="person.identity-added", frozen=True, kw_only=True, gc=False):
        kind: str
        identity: Sealed

    def add_identity(self, kind: str, identity: str) -> None:
        """Also known as ``identity``; nobody else may be."""
        self._must_be_registered()
        must_be_one_of("kind", kind, IDENTITY_KINDS)
        must_say("identity", identity, IDENTITY_CHARACTERS_MAX)
        self.claim(f"identity:{kind}", identity_key(kind, identity))
        self.trigger(Person.IdentityAdded, kind=kind, identity=self.seal(identity))

    @mutates(IdentityAdded)
    def _identity_added(self, event: IdentityAdded) -> None:
        self.identities[f"{event.kind}:{event.identity.commitment}"] = event.identity

    class RoleGranted(Event, tag="person.role-granted", frozen=True, kw_only=True, gc=False):
        """The person has this role from now on."""

        role: str
        scope: str = ""

    def grant(self, grant: Grant) -> None:
        self._must_be_registered()
        must_be_one_of("role", grant.role, GRANTABLE)
        if bool(grant.scope) != bool(GRANTABLE[grant.role]):
            needed = GRANTABLE[grant.role] or "no scope"
            raise Invalid(f"the role {grant.role} needs {needed}, not {grant.scope!r}")
        must_be_line("scope", grant.scope)
        if grant in self.grants:
            raise NothingToDo(f"the role {grant.role} is granted")
        self.trigger(Person.RoleGranted, role=grant.role, scope=grant.scope)

    @mutates(RoleGranted)
    def _role_granted(self, event: RoleGranted) -> None:
        self.grants |= {Grant(event.role, event.scope)}

    class RoleRevoked(Event, tag="person.role-revoked", frozen=True, kw_only=True, gc=False):
        """The person does not have this role any more."""

        role: str
        scope: str = ""

    def revoke(self, grant: Grant) -> None:
        if grant not in self.grants:
            raise NothingToDo(f"the role {grant.role} is not granted")
        self.trigger(Person.RoleRevoked, role=grant.role, scope=grant.scope)

    @mutates(RoleRevoked)
    def _role_revoked(self, event: RoleRevoked) -> None:
        self.grants -= {Grant(event.role, event.scope)}

    def _must_be_registered(self) -> None:
        if not self.version:
            raise EntryNotFound(self.KIND, str(self.id))

    def _seal_details(self, name: str, mail: str, phone: str) -> Sealed:
        for field, value in (("name", name), ("mail", mail), ("phone", phone)):
            must_fit(field, value, IDENTITY_CHARACTERS_MAX)
        return self.seal_bytes(
            msgspec.json.encode({"name": name, "mail": mail, "phone": phone}), JSON
        )


def identity_key(kind: str, identity: str) -> str:
    """How an identity is compared: mail addresses without regard to case."""
    return identity.strip().lower() if kind == "mail" else identity.strip()
