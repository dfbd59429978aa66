"""The rows of conversations with partner helpdesks: one per exchange, one per message in or out."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.exchange import Outcome
from projections.columns import Instant
from projections.tables import Table

PENDING: Final = Outcome.PENDING.value
PARKED: Final = Outcome.PARKED.value


class ExchangeRow(Struct, kw_only=True, gc=False):
    stream: UUID
    helpdesk: str
    number: int
    """Our ticket; 0 as long as there is none."""
    external_id: str
    external_reference: str = ""
    remote_state: str = ""
    """The partner's own word for the state of its ticket."""
    version: int
    position: int
    opened_at: Instant
    changed_at: Instant
    received: int = 0
    dispatched: int = 0
    undisclosed: int = 0
    """Events that the partner was, by a rule, not told of."""
    pending: int = 0
    parked: int = 0
    """Messages that wait for an operator."""
    diverged: int = 0
    """Fields that their ticket and ours should have alike and have not."""
    divergences: str = "[]"
    """JSON list of them: {field, ours, theirs, repair, since}, ``since`` in seconds of 1970, UTC."""
    conflicting: int = 0
    """Fields that both sides changed at the same time, and no operator has looked at."""
    conflicts: str = "[]"
    """JSON list of them: {field, ours, theirs, rule, wins, reference, since}."""


class MessageRow(Struct, kw_only=True, gc=False):
    stream: UUID
    reference: int
    """The version of the event in the stream that began it."""
    helpdesk: str
    direction: str
    outcome: str = PENDING
    message_id: str = ""
    """Incoming: the partner's identifier of it. Outgoing: what the partner's system answered."""
    rule: str
    """Incoming: the mapping that read it. Outgoing: the rule that disclosed it."""
    raw: UUID | None
    """The content that holds its bytes."""
    attempts: int = 0
    code: str = ""
    """Why it failed, was parked, refused or ignored."""
    detail: UUID | None = None
    """The content that explains the code."""
    event_position: int = 0
    """Outgoing: the event of ours that it tells of."""
    ticket_version: int = 0
    """Incoming: of the ticket after it had its effect."""
    withheld: str = "[]"
    """JSON list of what it asked for in vain."""
    begun_at: Instant
    changed_at: Instant
    begun_position: int
    position: int


EXCHANGE: Final = Table(
    "exchange",
    ExchangeRow,
    key=("stream",),
    indexes=(
        "(number) WHERE number <> 0",
        "(position)",
        "(helpdesk, position)",
        "(external_reference, helpdesk) WHERE external_reference <> ''",
        "(helpdesk, stream) WHERE external_id <> '' AND number <> 0",
        "(helpdesk, stream) WHERE diverged > 0",
        "(position) WHERE conflicting > 0",
    ),
)
MESSAGE: Final = Table(
    "message",
    MessageRow,
    key=("stream", "reference"),
    indexes=(
        "(position) WHERE outcome = 'parked'",
        "(helpdesk, position) WHERE outcome = 'parked'",
        "(position) WHERE outcome = 'refused'",
        "(helpdesk, direction, begun_position) WHERE outcome = 'pending'",
    ),
)
