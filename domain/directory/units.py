"""Support units: those who solve tickets."""

from collections.abc import Mapping
from enum import Enum
from typing import Final
from uuid import UUID

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.directory.named import TITLE_CHARACTERS_MAX, Named
from domain.errors import NothingToDo
from domain.texts import must_be_line


class UnitKind(Enum):
    FIRST_LINE = "first line"
    NGI = "NGI"
    VO_SUPPORT = "VO support"
    SOFTWARE = "software"
    OPERATIONS = "operations"
    OTHER = "other"


class SupportUnit(Named):
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
