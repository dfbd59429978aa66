"""What a conversation is at a moment, and what all its parts ask before they let something happen."""

from datetime import datetime
from enum import Enum
from uuid import UUID

from msgspec import Struct

from domain.aggregate import BEGINNING, Aggregate
from domain.content import Sealed
from domain.errors import NothingToDo, NotNow


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


class ExchangeState(Aggregate):
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

    def _must_not_be_told_already(self, event_position: int) -> None:
        if any(each.event_position == event_position for each in self.messages.values()):
            raise NothingToDo(f"what is told of position {event_position} waits already")
