"""One ticket's conversation with one helpdesk: every message in and out, and what became of it.

Whatever arrives is kept before it is understood; whatever leaves is intended before it is sent. So a
crash between any two steps leaves a recorded question, never a lost or a doubled message.
"""

from collections.abc import Iterable
from copy import copy
from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import BEGINNING, Event, mutates
from domain.conflicts import Conflicting
from domain.content import Sealed
from domain.divergences import Diverging
from domain.errors import NothingToDo, NotNow

LOOP: Final = "loop"
"""Code of a refusal: a request of ours, or one that we have, would be opened a second time."""


class Direction(Enum):
    IN = "in"
    OUT = "out"


class Outcome(Enum):
    """What became of a message."""

    PENDING = "pending"
    APPLIED = "applied"
    IGNORED = "ignored"
    REFUSED = "refused"
    DISPATCHED = "dispatched"
    PARKED = "parked"
    SKIPPED = "skipped"


class Message(Struct, gc=False):
    """The present state of one message of the conversation."""

    reference: int
    """Version of the event in this stream that began it."""
    direction: Direction
    outcome: Outcome = Outcome.PENDING
    raw: Sealed | None = None
    attempts: int = 0
    message_id: str = ""
    """Incoming: the partner's identifier of it."""
    at: datetime = BEGINNING
    """Incoming: when it was sent, as far as that can be believed."""
    event_position: int = 0
    """Outgoing: the position of the event of ours that it tells of."""
    rule: str = ""
    """Outgoing: by which rule it is told."""


class Exchange(Conflicting, Diverging):
    KIND: Final = "exchange"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.helpdesk = ""
        self.number = 0
        """Our ticket; 0 as long as there is none."""
        self.theirs = False
        """The partner began it: its identifier is the origin of the request."""
        self.external_id = ""
        self.external_reference = ""
        self.lost: dict[str, datetime | None] = {}
        """Identifiers of their tickets that were lost, and when these were made: messages about them tell nothing of a link."""
        self.linked_at = BEGINNING
        """When we first knew their ticket: it was made before."""
        self.opened_at: datetime | None = None
        """When theirs was made, by their clock; None as long as they did not say."""
        self.remote_state = ""
        """The partner's own word for the state of its ticket, as it last wrote it."""
        self.heard: Sealed | None = None
        """The last incoming message that was understood: the next one is compared with it."""
        self.told: Sealed | None = None
        """The last message that was meant for the partner."""
        self.messages: dict[int, Message] = {}
        """Those that still need something: pending and parked ones."""
        self.decided_until = 0
        """Events of the ticket up to this position have been decided on."""
        self.looped = False
        """The partner's ticket is one of ours that came back to us: what it tells comes the other way too."""

    def fork(self) -> "Exchange":
        """A second conversation with this state, on which to decide without touching this one."""
        assert not self.pending_events
        other = Exchange.__new__(Exchange)
        state = vars(other)
        state.update(vars(self))
        for name in _CONTAINERS:
            state[name] = state[name].copy()
        for reference, message in self.messages.items():
            other.messages[reference] = copy(message)
        return other

    class Opened(Event, tag="exchange.opened", frozen=True, kw_only=True, gc=False):
        helpdesk: str
        number: int = 0
        external_id: str = ""
        """The partner's ticket, where its message names one that we hear of for the first time."""

    def open(
        self, helpdesk: str, number: int = 0, external_id: str = "", *, link_key: str = ""
    ) -> None:
        """Begin the conversation: from our side with a ticket, from theirs with a message.

        ``link_key``: the key under which their ticket is claimed, where that is not its identifier.
        """
        assert not self.version
        self.trigger(Exchange.Opened, helpdesk=helpdesk, number=number, external_id=external_id)
        if number:
            self.claim(f"exchange:{helpdesk}", str(number))
        if external_id:
            self.claim(f"link:{helpdesk}", link_key or external_id)

    @mutates(Opened)
    def _opened(self, event: Opened) -> None:
        self.helpdesk, self.number = event.helpdesk, event.number
        self.external_id, self.theirs = event.external_id, not event.number
        self.linked_at = self.at

    class Linked(Event, tag="exchange.linked", frozen=True, kw_only=True, gc=False):
        number: int
        external_id: str
        external_reference: str = ""
        """How the partner wants its ticket to be named in a message, such as ``ISSUE=7932 PROJ=71``."""
        opened_at: datetime | None = None
        """When theirs was made, by their clock. One made at another time is another ticket, whatever its identifier."""

    def link(
        self,
        number: int,
        external_id: str,
        external_reference: str = "",
        *,
        link_key: str = "",
        opened_at: datetime | None = None,
    ) -> None:
        """Our ticket and theirs are the same request. ``link_key`` as in ``open``."""
        if opened_at is None and external_id == self.external_id:
            opened_at = self.opened_at
        known = (self.number, self.external_id, self.external_reference, self.opened_at)
        if (number, external_id, external_reference, opened_at) == known:
            raise NothingToDo("this link is known")
        assert not self.number or number == self.number, "a conversation keeps its ticket"
        if number != self.number:
            self.claim(f"exchange:{self.helpdesk}", str(number))
        if external_id and external_id != self.external_id:
            self.claim(f"link:{self.helpdesk}", link_key or external_id)
        self.trigger(
            Exchange.Linked,
            number=number,
            external_id=external_id,
            external_reference=external_reference,
            opened_at=opened_at,
        )

    @mutates(Linked)
    def _linked(self, event: Linked) -> None:
        if event.external_id != self.external_id:
            self.linked_at = self.at
            self.lost.pop(event.external_id, None)
        self.number, self.external_id = event.number, event.external_id
        self.external_reference, self.opened_at = event.external_reference, event.opened_at

    class Unlinked(Event, tag="exchange.unlinked", frozen=True, kw_only=True, gc=False):
        """Their ticket is lost, or its identifier is another's now: ours is told to them anew, as a whole."""

        external_id: str
        why: str
        """A stable code, such as ``gone``."""

    def unlink(self, link_key: str, why: str) -> None:
        """Give up their ticket. What waits for them is part of the whole that they will be told.

        ``link_key`` is the key under which this conversation holds it.
        """
        assert self.number, "there is something to tell"
        if not self.external_id:
            raise NothingToDo("no ticket of theirs is known")
        for message in list(self.messages.values()):
            if message.direction is Direction.OUT:
                if message.outcome is Outcome.PARKED:
                    self.resume(message.reference, skip=True)
                else:
                    self.ignore(message.reference, "told-as-a-whole")
        self.claim(f"unlinked:{self.helpdesk}", link_key)
        self.trigger(Exchange.Unlinked, external_id=self.external_id, why=why)

    @mutates(Unlinked)
    def _unlinked(self, event: Unlinked) -> None:
        self.lost[event.external_id] = self.opened_at
        self.external_id = self.external_reference = self.remote_state = ""
        self.theirs, self.decided_until, self.opened_at = False, 0, None
        self.heard = self.told = None

    # -- in ------------------------------------------------------------------------------------------

    class MessageReceived(
        Event, tag="exchange.message-received", frozen=True, kw_only=True, gc=False
    ):
        message_id: str
        """The partner's identifier of the message, or a hash of its content where it has none."""
        raw: Sealed
        mapping: str
        """Name and version of the mapping that will read it first."""

    def receive(self, message_id: str, raw: bytes, media_type: str, mapping: str) -> int:
        """Keep a message exactly as it came; returns its reference. Storing refuses one seen before."""
        self.claim(f"message:{self.helpdesk}", message_id)
        self.trigger(
            Exchange.MessageReceived,
            message_id=message_id,
            raw=self.seal_bytes(raw, media_type),
            mapping=mapping,
        )
        return self.version

    @mutates(MessageReceived)
    def _message_received(self, event: MessageReceived) -> None:
        reference = event.originator_version
        self.messages[reference] = Message(
            reference,
            Direction.IN,
            raw=event.raw,
            message_id=event.message_id,
            at=event.occurred_at,
        )

    class Applied(Event, tag="exchange.applied", frozen=True, kw_only=True, gc=False):
        """The message had its effect on the ticket."""

        reference: int
        number: int
        ticket_version: int
        """Of the ticket after the message had its effect."""
        remote_state: str = ""
        """The partner's exact word for the state, whatever we made of it."""
        withheld: tuple[str, ...] = ()
        """What the message asked for beside, and why that had no effect: ``<command>:<code>``."""
        understood: bool = True
        """Whether the next message of the partner is to be compared with this one."""

    def apply_message(
        self,
        reference: int,
        number: int,
        ticket_version: int,
        *,
        remote_state: str = "",
        withheld: Iterable[str] = (),
        understood: bool = True,
    ) -> None:
        self._must_wait(reference)
        self.trigger(
            Exchange.Applied,
            reference=reference,
            number=number,
            ticket_version=ticket_version,
            remote_state=remote_state,
            withheld=tuple(withheld),
            understood=understood,
        )

    @mutates(Applied)
    def _applied(self, event: Applied) -> None:
        if event.understood:
            self._understood(event.reference, event.remote_state)
        else:
            self.messages.pop(event.reference, None)

    class Ignored(Event, tag="exchange.ignored", frozen=True, kw_only=True, gc=False):
        reference: int
        why: str
        """A stable code, not a text of the message."""
        remote_state: str = ""
        withheld: tuple[str, ...] = ()
        understood: bool = False
        """Whether the next message of the partner is to be compared with this one."""

    def ignore(
        self,
        reference: int,
        why: str,
        *,
        remote_state: str = "",
        withheld: Iterable[str] = (),
        understood: bool = False,
    ) -> None:
        """The message rightly has no effect on the ticket."""
        self._must_wait(reference)
        self.trigger(
            Exchange.Ignored,
            reference=reference,
            why=why,
            remote_state=remote_state,
            withheld=tuple(withheld),
            understood=understood,
        )

    @mutates(Ignored)
    def _ignored(self, event: Ignored) -> None:
        if event.understood:
            self._understood(event.reference, event.remote_state)
        else:
            self.messages.pop(event.reference, None)

    def _understood(self, reference: int, remote_state: str) -> None:
        message = self.messages.pop(reference, None)
        if message is not None:
            self.heard = message.raw
        self.remote_state = remote_state or self.remote_state

    class MessageRefused(Event, tag="exchange.refused", frozen=True, kw_only=True, gc=False):
        reference: int
        code: str
        detail: Sealed

    def refuse(self, reference: int, code: str, detail: str) -> None:
        """The message is understood, and our rules do not permit what it asks."""
        self._must_wait(reference)
        self.trigger(
            Exchange.MessageRefused, reference=reference, code=code, detail=self.seal(detail)
        )

    @mutates(MessageRefused)
    def _refused(self, event: MessageRefused) -> None:
        self.messages.pop(event.reference, None)
        self.looped = self.looped or (event.code == LOOP and not self.number)

    # -- out -----------------------------------------------------------------------------------------

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
            Exchange.DispatchDecided,
            event_position=event_position, disclosed=raw is not None, rule=rule, raw=sealed,
        )  # fmt: skip
        return self.version if sealed else None

    def decide_untranslated(self, event_position: int, rule: str) -> int:
        """The partner is to be told, and nobody knows yet in which words; the reference."""
        self.trigger(
            Exchange.DispatchDecided, event_position=event_position, disclosed=True, rule=rule
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
        self.trigger(Exchange.Translated, reference=reference, raw=self.seal_bytes(raw, media_type))

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
        self.trigger(Exchange.Dispatched, reference=reference, receipt=receipt)

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
            Exchange.Failed,
            reference=reference,
            attempt=message.attempts + 1,
            code=code,
            detail=self.seal(detail),
        )

    @mutates(Failed)
    def _failed(self, event: Failed) -> None:
        self.messages[event.reference].attempts = event.attempt

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
        waiting = {each.event_position for each in self.messages.values()}
        if event_position in waiting:
            raise NothingToDo(f"what was told of position {event_position} waits already")
        self.trigger(
            Exchange.Returned,
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

    class Repeated(Event, tag="exchange.repeated", frozen=True, kw_only=True, gc=False):
        """What the partner was told is not there any more, so it is told again."""

        event_position: int
        """Of the event that it tells of."""
        rule: str
        raw: Sealed
        """The same bytes as before, where there were such: the partner takes them once."""

    def repeat(self, event_position: int, rule: str, raw: Sealed) -> None:
        """Send it, after what waits already."""
        waiting = {each.event_position for each in self.messages.values()}
        if event_position in waiting:
            raise NothingToDo(f"what is told of position {event_position} waits already")
        self.trigger(Exchange.Repeated, event_position=event_position, rule=rule, raw=raw)

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

    # -- what an operator must look at ---------------------------------------------------------------

    class Parked(Event, tag="exchange.parked", frozen=True, kw_only=True, gc=False):
        reference: int
        code: str
        detail: Sealed

    def park(self, reference: int, code: str, detail: str) -> None:
        """Stop here, this message alone, until an operator decides."""
        self._must_wait(reference)
        self.trigger(Exchange.Parked, reference=reference, code=code, detail=self.seal(detail))

    @mutates(Parked)
    def _parked(self, event: Parked) -> None:
        self.messages[event.reference].outcome = Outcome.PARKED

    class Resumed(Event, tag="exchange.resumed", frozen=True, kw_only=True, gc=False):
        """An operator decided about a parked message."""

        reference: int
        how: str
        """``retry`` or ``skip``."""

    def resume(self, reference: int, *, skip: bool) -> None:
        message = self.messages.get(reference)
        if message is None or message.outcome is not Outcome.PARKED:
            raise NotNow(f"message {reference} is not parked")
        self.trigger(Exchange.Resumed, reference=reference, how="skip" if skip else "retry")

    @mutates(Resumed)
    def _resumed(self, event: Resumed) -> None:
        if event.how == "skip":
            self.messages.pop(event.reference, None)
        else:
            message = self.messages[event.reference]
            message.outcome, message.attempts = Outcome.PENDING, 0

    # -- questions -----------------------------------------------------------------------------------

    def next_message(self, direction: Direction) -> Message | None:
        """The oldest message that waits; None as well while the one before it is parked: order holds."""
        waiting = [message for message in self.messages.values() if message.direction is direction]
        oldest = min(waiting, key=lambda message: message.reference, default=None)
        return oldest if oldest and oldest.outcome is Outcome.PENDING else None

    def _must_wait(self, reference: int) -> Message:
        message = self.messages.get(reference)
        if message is None or message.outcome is not Outcome.PENDING:
            raise NotNow(f"message {reference} does not wait for anything")
        return message


_CONTAINERS: Final = tuple(
    name for name, value in vars(Exchange(UUID(int=0))).items() if isinstance(value, dict | set | list)
)  # fmt: skip
"""Attributes whose values change in place."""
