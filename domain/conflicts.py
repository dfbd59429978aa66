"""Who owns a field of a ticket that two helpdesks share, and what holds when both changed it.

Two changes conflict when neither side had seen the other's. No clock tells that: a message says what its
sender had heard, and we know which of our own changes had not reached it. Both sides decide by the same
table, so two hubs settle without another word; whose value lost stands in an event, for an operator.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Aggregate, Event, mutates
from domain.content import Sealed
from domain.errors import NotNow, UnknownValue
from domain.lifecycle import TERMINAL, Status


class Side(Enum):
    OURS = "ours"
    THEIRS = "theirs"


class Owner(Enum):
    """Whose value holds. A change of one side alone counts whoever owns the field, but for ``OURS_ONLY``."""

    OURS = "ours"
    THEIRS = "theirs"
    ORIGIN = "origin"
    """The side on which the request began."""
    RESPONSIBLE = "responsible"
    """The side on which the responsible unit works; the origin, where the two sides do not agree which that is."""
    OURS_ONLY = "ours only"
    """The partner does not change it at all."""


FIELDS: Final[Mapping[str, Owner]] = MappingProxyType({
    "state":         Owner.RESPONSIBLE,
    "unit":          Owner.ORIGIN,
    "priority":      Owner.ORIGIN,
    "category":      Owner.ORIGIN,
    "issue_type":    Owner.ORIGIN,
    "vo":            Owner.ORIGIN,
    "affected_site": Owner.ORIGIN,
    "solution":      Owner.ORIGIN,
})  # fmt: skip
"""What can be agreed on, and who owns it where nothing was. Subject and description are never changed by a
partner: they are the origin's without a row."""


class Ruling(Struct, frozen=True):
    rule: str
    """Name and version, as it is written into events."""
    wins: Side


class Standing(Struct, frozen=True, kw_only=True):
    """How two sides stand to each other in the matter of one ticket."""

    owners: Mapping[str, Owner]
    """As agreed with the partner; what is left out is as in ``FIELDS``."""
    theirs_began: bool
    responsible: Side | None
    """None where each side holds that it is itself, or each that it is the other."""

    def owner(self, field: str) -> Owner:
        """Also of fields that have no row: they are the origin's."""
        return self.owners.get(field) or FIELDS.get(field, Owner.ORIGIN)

    def ruling(self, field: str) -> Ruling:
        """Whose value holds because of who owns the field."""
        origin = Side.THEIRS if self.theirs_began else Side.OURS
        match owner := self.owner(field):
            case Owner.OURS | Owner.OURS_ONLY:
                wins = Side.OURS
            case Owner.THEIRS:
                wins = Side.THEIRS
            case Owner.ORIGIN:
                wins = origin
            case _:
                assert owner is Owner.RESPONSIBLE
                if self.responsible is None:
                    return Ruling("nobody-responsible@1", origin)
                wins = self.responsible
        return Ruling(f"{owner.value.replace(' ', '-')}@1", wins)

    def ruling_of_states(self, ours: Status, theirs: Status, *, reassigned: Side | None) -> Ruling:
        """Of two states. ``reassigned``: the side whose change gave the ticket to a unit.

        What is over stays over, and a ticket that goes to another unit begins there anew; that is the same seen
        from both sides. Only then the owner decides.
        """
        over = (ours in TERMINAL, theirs in TERMINAL)
        if over[0] != over[1]:
            return Ruling("outcome-stands@1", Side.OURS if over[0] else Side.THEIRS)
        if reassigned is not None:
            return Ruling("reassigned@1", reassigned)
        return self.ruling("state")


def agreed_responsible(
    ours: Side, theirs: Side | None, *, reassigned: Side | None = None
) -> Side | None:
    """Which side works on a ticket, from what each of them holds; None where that is not one side.

    ``theirs`` is None where they do not say. Who gave the ticket to another unit, and that the other had not
    seen, alone knows the unit that is meant: ``reassigned``.
    """
    if theirs is None or reassigned is Side.OURS:
        return ours
    if reassigned is Side.THEIRS:
        return theirs
    return ours if ours is theirs else None


class Clash(Struct, frozen=True):
    """Both sides changed one field, and neither knew of the other's change."""

    field: str
    ours: str
    theirs: str
    ruling: Ruling


class Conflict(Struct, frozen=True):
    """A clash that no operator has looked at yet."""

    ours: str
    theirs: str
    rule: str
    wins: str
    reference: int


class Conflicting(Aggregate):
    """The part of a conversation that is about conflicts."""

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.conflicts: dict[str, Conflict] = {}
        """The last one about each field that no operator has looked at."""
        self.confirmed = False
        """What holds was said at least once: fields of a ticket that was over may differ until it is reopened."""

    class ConflictFound(Event, tag="exchange.conflict-found", frozen=True, kw_only=True, gc=False):
        """Both sides changed a field without having seen the other's change. A rule decided at once."""

        reference: int
        """Of the message that brought theirs."""
        field: str
        ours: str
        theirs: str
        rule: str
        """Name and version of the rule that decided."""
        wins: str
        """``ours`` or ``theirs``: which of the two values our ticket has."""

    def find_conflict(self, reference: int, clash: Clash) -> None:
        self.trigger(
            Conflicting.ConflictFound,
            reference=reference,
            field=clash.field,
            ours=clash.ours,
            theirs=clash.theirs,
            rule=clash.ruling.rule,
            wins=clash.ruling.wins.value,
        )

    @mutates(ConflictFound)
    def _conflict_found(self, event: ConflictFound) -> None:
        self.conflicts[event.field] = Conflict(
            event.ours, event.theirs, event.rule, event.wins, event.reference
        )

    class Confirmed(Event, tag="exchange.confirmed", frozen=True, kw_only=True, gc=False):
        """Changes crossed, or the partner asked for what cannot be: it is told what holds."""

        reference: int = 0
        """Of the message that gave reason to; 0: our ticket was reopened."""

    def confirm(self, reference: int = 0) -> None:
        self.trigger(Conflicting.Confirmed, reference=reference)

    @mutates(Confirmed)
    def _confirmed(self, _: Confirmed) -> None:
        self.confirmed = True

    class ConflictResolved(
        Event, tag="exchange.conflict-resolved", frozen=True, kw_only=True, gc=False
    ):
        """An operator looked at a conflict, and said whose value is right."""

        field: str
        wins: str
        """``ours`` or ``theirs``."""
        overruled: bool
        """Whether a rule had decided otherwise."""
        reason: Sealed

    def resolve_conflict(self, field: str, wins: Side, reason: str) -> None:
        found = self.conflicts.get(field)
        if found is None:
            raise NotNow(f"there is no conflict about {field}")
        self.trigger(
            Conflicting.ConflictResolved,
            field=field,
            wins=wins.value,
            overruled=wins.value != found.wins,
            reason=self.seal(reason),
        )

    @mutates(ConflictResolved)
    def _conflict_resolved(self, event: ConflictResolved) -> None:
        self.conflicts.pop(event.field, None)


def owners(agreed: Mapping[str, str]) -> dict[str, Owner]:
    """Fields and owners by their names. Raises ``UnknownValue``."""
    found = {}
    for field, name in agreed.items():
        if field not in FIELDS:
            raise UnknownValue("field", field, list(FIELDS))
        names = [each.value for each in Owner]
        if name not in names:
            raise UnknownValue("owner", name, names)
        if name == Owner.OURS_ONLY.value and field in ("state", "solution"):
            what = [each for each in names if each != name]
            raise UnknownValue(f"owner of the {field}", name, what)
        found[field] = Owner(name)
    return found
