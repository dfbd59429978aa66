"""What waits for an operator: a message that cannot go on by itself, or that came back."""

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.errors import NotNow
from domain.exchange.state import Direction, ExchangeState, Message, Outcome


class Parking(ExchangeState):
    class Parked(Event, tag="exchange.parked", frozen=True, kw_only=True, gc=False):
        reference: int
        code: str
        detail: Sealed

    def park(self, reference: int, code: str, detail: str) -> None:
        """Stop here, this message alone, until an operator decides."""
        self._must_wait(reference)
        self.trigger(Parking.Parked, reference=reference, code=code, detail=self.seal(detail))

    @mutates(Parked)
    def _parked(self, event: Parked) -> None:
        self.messages[event.reference].outcome = Outcome.PARKED

    class Returned(Event, tag="exchange.returned", frozen=True, kw_only=True, gc=False):
        """What the partner's system had taken came back: it reached nobody there. It waits for an operator."""

        event_position: int
        """Of the event that the partner was to be told."""
        raw: Sealed
        """What was sent, and will be sent when an operator says so."""
        code: str
        detail: Sealed

    def take_back(self, event_position: int, raw: Sealed, code: str, detail: str) -> None:
        """Park what came back, once: as long as it waits, its coming back again is no news."""
        self._must_not_be_told_already(event_position)
        self.trigger(
            Parking.Returned,
            event_position=event_position,
            raw=raw,
            code=code,
            detail=self.seal(detail),
        )

    @mutates(Returned)
    def _returned(self, event: Returned) -> None:
        reference = event.originator_version
        self.messages[reference] = Message(
            reference,
            Direction.OUT,
            Outcome.PARKED,
            raw=event.raw,
            event_position=event.event_position,
        )

    class Resumed(Event, tag="exchange.resumed", frozen=True, kw_only=True, gc=False):
        """An operator decided about a parked message."""

        reference: int
        how: str
        """``retry`` or ``skip``."""

    def resume(self, reference: int, *, skip: bool) -> None:
        message = self.messages.get(reference)
        if message is None or message.outcome is not Outcome.PARKED:
            raise NotNow(f"message {reference} is not parked")
        self.trigger(Parking.Resumed, reference=reference, how="skip" if skip else "retry")

    @mutates(Resumed)
    def _resumed(self, event: Resumed) -> None:
        if event.how == "skip":
            self.messages.pop(event.reference, None)
        else:
            message = self.messages[event.reference]
            message.outcome, message.attempts = Outcome.PENDING, 0
