"""What goes out: decided with its words before anything is sent, then taken by the partner's system, or not yet."""

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.errors import NothingToDo
from domain.exchange.state import Direction, ExchangeState, Message


class Sending(ExchangeState):
    class DispatchDecided(
        Event, tag="exchange.dispatch-decided", frozen=True, kw_only=True, gc=False
    ):
        event_position: int
        """Of the event that the partner is told, or not told."""
        disclosed: bool
        rule: str
        """Name and version of the rule that decided."""
        raw: Sealed | None = None
        """What will be sent. Missing where it is not disclosed, or could not be translated yet."""

    def decide_dispatch(
        self, event_position: int, rule: str, raw: bytes | None, media_type: str = ""
    ) -> int | None:
        """Record whether the partner is told of an event, before anything is sent; the reference if so."""
        if event_position <= self.decided_until:
            raise NothingToDo(f"position {event_position} was decided before")
        sealed = None if raw is None else self.seal_bytes(raw, media_type)
        self.trigger(
            Sending.DispatchDecided,
            event_position=event_position, disclosed=raw is not None, rule=rule, raw=sealed,
        )  # fmt: skip
        return self.version if sealed else None

    def decide_untranslated(self, event_position: int, rule: str) -> int:
        """The partner is to be told, and nobody knows yet in which words; the reference."""
        self.trigger(
            Sending.DispatchDecided, event_position=event_position, disclosed=True, rule=rule
        )
        return self.version

    @mutates(DispatchDecided)
    def _dispatch_decided(self, event: DispatchDecided) -> None:
        self.decided_until = max(self.decided_until, event.event_position)
        if event.disclosed:
            reference = event.originator_version
            self.told = event.raw or self.told
            self.messages[reference] = Message(
                reference,
                Direction.OUT,
                raw=event.raw,
                event_position=event.event_position,
                rule=event.rule,
            )

    class Translated(Event, tag="exchange.translated", frozen=True, kw_only=True, gc=False):
        """A message got its words after all, or others: these will be sent."""

        reference: int
        raw: Sealed

    def translate(self, reference: int, raw: bytes, media_type: str) -> None:
        self._must_wait(reference)
        self.trigger(Sending.Translated, reference=reference, raw=self.seal_bytes(raw, media_type))

    @mutates(Translated)
    def _translated(self, event: Translated) -> None:
        message = self.messages[event.reference]
        message.raw = event.raw
        if not any(
            each.direction is Direction.OUT and each.reference > message.reference
            for each in self.messages.values()
        ):
            self.told = event.raw

    class Dispatched(Event, tag="exchange.dispatched", frozen=True, kw_only=True, gc=False):
        """The partner's system took the message."""

        reference: int
        receipt: str
        """What the partner's system answered, such as the Message-ID it accepted."""

    def record_dispatch(self, reference: int, receipt: str) -> None:
        self._must_wait(reference)
        self.trigger(Sending.Dispatched, reference=reference, receipt=receipt)

    @mutates(Dispatched)
    def _dispatched(self, event: Dispatched) -> None:
        self.messages.pop(event.reference, None)

    class Failed(Event, tag="exchange.failed", frozen=True, kw_only=True, gc=False):
        reference: int
        attempt: int
        code: str
        detail: Sealed

    def record_failure(self, reference: int, code: str, detail: str) -> None:
        """An attempt did not succeed; there may be another."""
        message = self._must_wait(reference)
        self.trigger(
            Sending.Failed,
            reference=reference,
            attempt=message.attempts + 1,
            code=code,
            detail=self.seal(detail),
        )

    @mutates(Failed)
    def _failed(self, event: Failed) -> None:
        self.messages[event.reference].attempts = event.attempt

    class Repeated(Event, tag="exchange.repeated", frozen=True, kw_only=True, gc=False):
        """What the partner was told is not there any more, so it is told again."""

        event_position: int
        """Of the event that it tells of."""
        rule: str
        raw: Sealed
        """The same bytes as before, where there were such: the partner takes them once."""

    def repeat(self, event_position: int, rule: str, raw: Sealed) -> None:
        """Send it, after what waits already."""
        self._must_not_be_told_already(event_position)
        self.trigger(Sending.Repeated, event_position=event_position, rule=rule, raw=raw)

    @mutates(Repeated)
    def _repeated(self, event: Repeated) -> None:
        reference = event.originator_version
        self.messages[reference] = Message(
            reference,
            Direction.OUT,
            raw=event.raw,
            event_position=event.event_position,
            rule=event.rule,
        )
