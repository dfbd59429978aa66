"""What a comparison with the partner found: fields that both sides should have alike, and have not."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Aggregate, Event, mutates
from domain.content import Sealed
from domain.errors import NothingToDo, NotNow

HINTS: Final[Mapping[str, str]] = MappingProxyType({
    "ticket": "Their ticket is lost, or its identifier is another's now. Ours: they are told it anew, as a whole.",
    "number": "Their ticket bears another number of ours, or none and cannot be known by its texts. Look at it there"
    " first. Ours: they are told it anew, in another ticket.",
    "messages": "What we had sent is not there any more. Ours: it is sent again, the same bytes.",
    "forgotten": "They have messages of ours that we lost when our log was restored: only their ticket tells what we"
    " said. Write down here what is needed; theirs: it is let be.",
    "doubled": "It stands there twice, since a write that was given up took effect later, and their interface has no"
    " way to take it back. Ask them to remove the second one; theirs: it is let be.",
    "state": "Ours: they are told our state. Theirs: our ticket is moved to it.",
    "priority": "Ours: they are told our priority. Theirs: our ticket gets it.",
    "unit": "Ours: they are told our unit. Theirs: our ticket is assigned to it.",
})  # fmt: skip
"""What can diverge, and what an operator can do about it."""

FIELDS: Final = tuple(HINTS)


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
        """One of ``FIELDS``."""
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
