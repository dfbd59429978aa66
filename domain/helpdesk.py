"""A partner helpdesk and its terms: how we talk to it, what it may see, in which state the interface is."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final
from uuid import UUID

from domain.aggregate import BEGINNING, Aggregate, Event, mutates
from domain.conflicts import owners
from domain.content import Sealed
from domain.errors import Invalid, NothingToDo
from domain.texts import must_fit
from domain.words import Tables


class InterfaceState(Enum):
    NOT_INTERFACED = "not interfaced"
    TESTING = "testing"
    LIVE = "live"
    PAUSED = "paused"


PRODUCTION: Final = "production"
"""The environment in which tickets are real."""


class Policy(Enum):
    """How much of a partner's work comes back to us, and how much of ours goes there."""

    CLOSING_ONLY = "closing only"
    """Internal traffic stays local: only opening and outcome are exchanged (the 2004 model)."""
    FULL = "full"
    """Everything public flows, both ways."""


class Helpdesk(Aggregate):
    KIND: Final = "helpdesk"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.name = self.adapter = ""
        self.units: tuple[str, ...] = ()
        self.address = self.sender = self.environment = ""
        self.policy = Policy.CLOSING_ONLY
        self.interface = InterfaceState.NOT_INTERFACED
        self.interface_since = BEGINNING
        self.interface_reason: Sealed | None = None
        self.tables = Tables()
        self.mapping_version = self.mappings = 0
        """The published version in force (0: the adapter's own tables), and how many there were."""
        self.ownership: dict[str, str] = {}
        """Fields whose owner was agreed on, see ``domain.conflicts``."""

    class Registered(Event, tag="helpdesk.registered", frozen=True, kw_only=True, gc=False):
        name: str
        adapter: str
        """Name in ``adapters.registry``."""
        units: tuple[str, ...] = ()
        """Support units that work with this helpdesk: their tickets go there by themselves."""
        address: str = ""
        """Where its machine mail goes (an address of a machine, not of a person), or the URL of its interface."""
        sender: str = ""
        """The address its machine mail comes from; mail from elsewhere is not believed."""
        environment: str = ""
        """``production`` where it is the partner's real system: tests of ours do not talk to it."""

    def register(
        self,
        name: str,
        adapter: str,
        units: Iterable[str] = (),
        *,
        address: str = "",
        sender: str = "",
        environment: str = "",
    ) -> None:
        """Register, or change the terms of registration."""
        if not name or not name.isidentifier():
            raise Invalid(f"{name!r} is not a name for a helpdesk: letters, digits and underscores")
        if ":" in address.partition("://")[2].rpartition("@")[0]:
            raise Invalid("a password has no place in an address: events are kept for ever")
        terms = (name, adapter, tuple(units), address, sender, environment)
        if self.version and terms == (
            self.name,
            self.adapter,
            self.units,
            self.address,
            self.sender,
            self.environment,
        ):
            raise NothingToDo(f"helpdesk {name} is registered with these terms")
        self.trigger(
            Helpdesk.Registered,
            name=name,
            adapter=adapter,
            units=tuple(units),
            address=address,
            sender=sender,
            environment=environment,
        )

    @mutates(Registered)
    def _registered(self, event: Registered) -> None:
        if event.adapter != self.adapter:  # the words of another product
            self.tables, self.mapping_version = Tables(), 0
        self.name, self.adapter, self.units = event.name, event.adapter, event.units
        self.address, self.sender = event.address, event.sender
        self.environment = event.environment

    def out_of_bounds(self, environment: str) -> bool:
        """Whether an installation of ours in this environment must leave the partner alone.

        A copy of the real database for a test may not write to the real systems of partners.
        """
        return self.environment == PRODUCTION and environment != PRODUCTION

    class PolicySet(Event, tag="helpdesk.policy-set", frozen=True, kw_only=True, gc=False):
        """How much is exchanged from now on."""

        policy: str

    def set_policy(self, policy: Policy) -> None:
        if policy is self.policy and self.version > 1:
            raise NothingToDo(f"the policy is {policy.value}")
        self.trigger(Helpdesk.PolicySet, policy=policy.value)

    @mutates(PolicySet)
    def _policy_set(self, event: PolicySet) -> None:
        self.policy = Policy(event.policy)

    class InterfaceSet(Event, tag="helpdesk.interface-set", frozen=True, kw_only=True, gc=False):
        """Whether messages flow from now on."""

        state: str
        reason: Sealed | None = None

    def set_interface(self, state: InterfaceState, reason: str = "") -> None:
        if state is self.interface:
            raise NothingToDo(f"the interface is {state.value}")
        self.trigger(Helpdesk.InterfaceSet, state=state.value, reason=self.seal_optional(reason))

    @mutates(InterfaceSet)
    def _interface_set(self, event: InterfaceSet) -> None:
        self.interface = InterfaceState(event.state)
        self.interface_since, self.interface_reason = self.at, event.reason

    class MappingPublished(
        Event, tag="helpdesk.mapping-published", frozen=True, kw_only=True, gc=False
    ):
        """From now on messages are read and written with these tables instead of the adapter's own."""

        number: int
        """Of the version: 1, 2, ..."""
        base: str
        """The adapter's mapping to which the tables belong, such as ``rt@1``."""
        tables: Tables
        """A kind of words that is left out is the adapter's."""
        reason: Sealed | None = None

    def publish_mapping(self, base: str, tables: Tables, reason: str = "") -> None:
        """Let these tables hold. Whether they are complete is the exchange's to check: it has the adapter's."""
        if tables == self.tables:
            raise NothingToDo("these tables are in force")
        must_fit("reason", reason)
        self.trigger(
            Helpdesk.MappingPublished,
            number=self.mappings + 1,
            base=base,
            tables=tables,
            reason=self.seal_optional(reason),
        )

    @mutates(MappingPublished)
    def _mapping_published(self, event: MappingPublished) -> None:
        self.mapping_version = self.mappings = event.number
        self.tables = event.tables

    class OwnershipSet(Event, tag="helpdesk.ownership-set", frozen=True, kw_only=True, gc=False):
        """Whose value of a field holds from now on when both sides change it."""

        owners: dict[str, str]
        """All that is agreed; fields that are left out have their usual owner."""

    def set_ownership(self, agreed: Mapping[str, str]) -> None:
        """Agree on the owners of fields, and on no others. Raises ``UnknownValue``."""
        owners(agreed)
        if dict(agreed) == self.ownership:
            raise NothingToDo("these are the owners that are agreed on")
        self.trigger(Helpdesk.OwnershipSet, owners=dict(agreed))

    @mutates(OwnershipSet)
    def _ownership_set(self, event: OwnershipSet) -> None:
        self.ownership = dict(event.owners)

    class CredentialsRotated(
        Event, tag="helpdesk.credentials-rotated", frozen=True, kw_only=True, gc=False
    ):
        """What opens the partner's interface to us was replaced. Nothing of it stands here."""

        forgotten: bool = False
        """There is none any more."""

    def rotate_credentials(self, *, forgotten: bool = False) -> None:
        self.trigger(Helpdesk.CredentialsRotated, forgotten=forgotten)

    @mutates(CredentialsRotated)
    def _credentials_rotated(self, event: CredentialsRotated) -> None:
        """Secrets are kept elsewhere."""
