"""A partner helpdesk and its terms: how we talk to it, what it may see, in which state the interface is."""

from collections.abc import Iterable
from enum import Enum
from typing import Final
from uuid import UUID

from domain.aggregate import BEGINNING, Aggregate, Event, mutates
from domain.content import Sealed
from domain.errors import Invalid, NothingToDo


class InterfaceState(Enum):
    NOT_INTERFACED = "not interfaced"
    TESTING = "testing"
    LIVE = "live"
    PAUSED = "paused"


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
        self.name, self.adapter, self.units = event.name, event.adapter, event.units
        self.address, self.sender = event.address, event.sender
        self.environment = event.environment

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
