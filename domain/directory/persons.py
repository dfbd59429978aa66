"""Persons: how they are known, and what they may do. Mail addresses and names are contents, never event fields."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.aggregate import Aggregate, Event, mutates
from domain.content import JSON, Sealed
from domain.errors import EntryNotFound, Invalid, NothingToDo
from domain.texts import must_be_line, must_be_one_of, must_fit, must_say

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
