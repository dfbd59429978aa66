"""Sites: the resource centres of the infrastructure."""

from collections.abc import Mapping
from enum import Enum
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.directory.named import TITLE_CHARACTERS_MAX, Named
from domain.errors import NothingToDo
from domain.texts import must_be_line, must_be_name, must_be_one_of


class Certification(Enum):
    """Of a site, as in GOCDB. Tickets can be routed to certified sites only."""

    CANDIDATE = "Candidate"
    UNCERTIFIED = "Uncertified"
    CERTIFIED = "Certified"
    SUSPENDED = "Suspended"
    CLOSED = "Closed"


_CERTIFICATIONS: Final = tuple(each.value for each in Certification)


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


class Site(Named):
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
