"""Events as bytes: the one place that knows how they are written.

JSON with sorted keys: readable in ``psql``, and for our events (no floats, ASCII keys) equal to RFC 8785,
so that the stored bytes themselves are what proofs are made of. The topic stands in the document.
"""

from collections.abc import Callable
from typing import Any, Final, Union, cast
from uuid import UUID

import msgspec

from domain import (
    conformance,
    directory,
    exchange,
    helpdesk,
    log,
    publications,
    reply_keys,
    subscriptions,
    ticket,
)
from domain.aggregate import Aggregate, Event

AGGREGATES: Final[tuple[type[Aggregate], ...]] = (
    ticket.Ticket, exchange.Exchange, helpdesk.Helpdesk, subscriptions.Subscription,
    conformance.ConformanceRun,
    directory.SupportUnit, directory.Site, directory.VirtualOrganisation, directory.Person,
    publications.CalendarVersions, publications.PolicyVersions, log.Log,
    reply_keys.ReplyKeys,
)  # fmt: skip

EVENT_TYPES: Final[dict[str, type[Event]]] = {
    str(kind.__struct_config__.tag): kind for aggregate in AGGREGATES for kind in aggregate.mutators
}
"""Topic to class."""
TOPICS: Final[dict[type[Event], str]] = {kind: topic for topic, kind in EVENT_TYPES.items()}

_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(cast("Any", Union[tuple(EVENT_TYPES.values())]))  # noqa: UP007 - built at run time

encode = _encoder.encode
decode: Final = cast("Callable[[bytes], Event]", _decoder.decode)
"""The event that these bytes tell of. Raises ``msgspec.ValidationError`` naming the path of what is wrong."""


def topic_of(event: Event) -> str:
    return TOPICS[type(event)]


def aggregate_of(topic: str) -> type[Aggregate]:
    """The kind of stream an event of this topic stands in."""
    kind = EVENT_TYPES[topic]
    return next(aggregate for aggregate in AGGREGATES if kind in aggregate.mutators)


def replay(originator_id: UUID, events: list[Event]) -> Aggregate | None:
    """The aggregate of a stream, whatever its kind; None for a stream without events."""
    return aggregate_of(topic_of(events[0])).replay(originator_id, events) if events else None
