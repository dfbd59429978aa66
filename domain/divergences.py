"""What a comparison with the partner found: fields that both sides should have alike, and have not."""

from uuid import UUID

from msgspec import Struct

from domain.aggregate import Aggregate, Event, mutates
from domain.content import Sealed
from domain.errors import NothingToDo, NotNow


class Divergence(Struct, frozen=True):
    """A field that both sides agreed to have alike, and have not."""

    ours: str
    theirs: str
    repair: str = ""
    """What was done about it by a rule; empty: nothing, an operator decides."""


class Diverging(Aggregate):
    """The part of a conversation that is about divergences."""

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.diverged: dict[str, Divergence] = {}
        """What their ticket and ours should have alike and have not, by the name of the field."""
        self.accepted: dict[str, tuple[str, str]] = {}
        """What an operator let be so: ours and theirs."""

    class Diverged(Event, tag="exchange.diverged", frozen=True, kw_only=True, gc=False):
        """A comparison found that a field is not alike."""

        field: str
        """``ticket``, ``number``, ``state``, ``priority``, ``unit`` or ``messages``."""
        ours: str
        theirs: str
        repair: str = ""
        """What is done about it by a rule; empty: nothing, an operator decides."""

    def diverge(self, field: str, ours: str, theirs: str, repair: str = "") -> None:
        """Record it, once as long as it stays the same and nothing more is done about it."""
        if self.accepted.get(field) == (ours, theirs):
            raise NothingToDo(f"an operator let {field} be so")
        known = self.diverged.get(field)
        if (
            known is not None
            and (known.ours, known.theirs) == (ours, theirs)
            and repair in ("", known.repair)
        ):
            raise NothingToDo(f"this divergence of {field} is known")
        self.trigger(Diverging.Diverged, field=field, ours=ours, theirs=theirs, repair=repair)

    @mutates(Diverged)
    def _diverged(self, event: Diverged) -> None:
        self.diverged[event.field] = Divergence(event.ours, event.theirs, event.repair)
        self.accepted.pop(event.field, None)

    class Converged(Event, tag="exchange.converged", frozen=True, kw_only=True, gc=False):
        """A comparison found that a field is alike again."""

        field: str

    def converge(self, field: str) -> None:
        if field not in self.diverged:
            raise NothingToDo(f"{field} does not diverge")
        self.trigger(Diverging.Converged, field=field)

    @mutates(Converged)
    def _converged(self, event: Converged) -> None:
        del self.diverged[event.field]

    class DivergenceSettled(
        Event, tag="exchange.divergence-settled", frozen=True, kw_only=True, gc=False
    ):
        """An operator decided whose value is right."""

        field: str
        wins: str
        """``ours``: they are told. ``theirs``: it is taken here, or let be."""
        reason: Sealed

    def settle(self, field: str, wins: str, reason: str) -> None:
        if field not in self.diverged:
            raise NotNow(f"{field} does not diverge")
        self.trigger(Diverging.DivergenceSettled, field=field, wins=wins, reason=self.seal(reason))

    @mutates(DivergenceSettled)
    def _divergence_settled(self, event: DivergenceSettled) -> None:
        found = self.diverged.pop(event.field)
        if event.wins == "theirs":
            self.accepted[event.field] = (found.ours, found.theirs)
