"""How the ticket ends, and how it is taken up again."""

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.lifecycle import Action, Status
from domain.texts import must_be_one_of, must_say
from domain.ticket.state import TicketState
from domain.vocabulary import SOLVED_QUALIFIERS, UNSOLVED_QUALIFIERS


class Outcome(TicketState):
    class Solved(Event, tag="ticket.solved", frozen=True, kw_only=True, gc=False):
        solution: Sealed | None
        """Missing only in imported histories."""
        qualifier: str
        """Empty where an imported history has none."""

    def solve(self, solution: str, qualifier: str = SOLVED_QUALIFIERS[0]) -> None:
        """A solved ticket always carries a solution text: the submitter gets it by mail."""
        self._must_permit(Action.SOLVE)
        must_say("solution", solution)
        must_be_one_of("qualifier", qualifier, SOLVED_QUALIFIERS)
        self.trigger(Outcome.Solved, solution=self.seal(solution), qualifier=qualifier)

    @mutates(Solved)
    def _solved(self, event: Solved) -> None:
        self._becomes(Status.SOLVED)
        self.solution, self.qualifier = event.solution, event.qualifier

    class FoundUnsolvable(
        Event, tag="ticket.found-unsolvable", frozen=True, kw_only=True, gc=False
    ):
        solution: Sealed | None
        qualifier: str

    def find_unsolvable(self, reason: str, qualifier: str = UNSOLVED_QUALIFIERS[-1]) -> None:
        """Give up, and say why in the place of the solution."""
        self._must_permit(Action.FIND_UNSOLVABLE)
        must_say("reason", reason)
        must_be_one_of("qualifier", qualifier, UNSOLVED_QUALIFIERS)
        self.trigger(Outcome.FoundUnsolvable, solution=self.seal(reason), qualifier=qualifier)

    @mutates(FoundUnsolvable)
    def _found_unsolvable(self, event: FoundUnsolvable) -> None:
        self._becomes(Status.UNSOLVED)
        self.solution, self.qualifier = event.solution, event.qualifier

    class Verified(Event, tag="ticket.verified", frozen=True, kw_only=True, gc=False):
        """The submitter confirmed the outcome. Final."""

    def verify(self) -> None:
        self._must_permit(Action.VERIFY)
        self.trigger(Outcome.Verified)

    @mutates(Verified)
    def _verified(self, _: Verified) -> None:
        self._becomes(Status.VERIFIED)

    class Reopened(Event, tag="ticket.reopened", frozen=True, kw_only=True, gc=False):
        comment: Sealed | None

    def reopen(self, comment: str) -> None:
        """The outcome is not accepted, or a better one is to be given."""
        self._must_permit(Action.REOPEN)
        must_say("comment", comment)
        self.trigger(Outcome.Reopened, comment=self.seal(comment))

    @mutates(Reopened)
    def _reopened(self, _: Reopened) -> None:
        self._becomes(Status.REOPENED)
        self.reopenings += 1

    class Closed(Event, tag="ticket.closed", frozen=True, kw_only=True, gc=False):
        """Nobody objected to the outcome in time. Final."""

    def close(self) -> None:
        self._must_permit(Action.CLOSE)
        self.trigger(Outcome.Closed)

    @mutates(Closed)
    def _closed(self, _: Closed) -> None:
        self._becomes(Status.CLOSED)
