"""A ticket's events with their texts, straight from the log."""

from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import structs

from api.views import ERASED
from domain.aggregate import Event
from domain.content import Content, Sealed
from domain.formats import topic_of
from domain.ledger import AsOf, Ledger

_BASE: Final = frozenset(Event.__struct_fields__)


async def read_history(
    ledger: Ledger, number: int, *, as_of: AsOf | None = None
) -> list[dict[str, Any]]:
    """Oldest first; texts in place of the references to them. Raises ``TicketNotFound``."""
    history = await ledger.history(number, as_of=as_of)
    wanted = {
        value.id
        for recorded in history
        for value in structs.asdict(recorded.event).values()
        if isinstance(value, Sealed)
    }
    contents = await ledger.store.contents(wanted)
    return [
        {
            "position": recorded.position,
            "version": recorded.event.originator_version,
            "occurred_at": recorded.event.occurred_at,
            "recorded_at": recorded.recorded_at,
            "topic": topic_of(recorded.event),
            "actor": recorded.event.provenance.actor,
            "correlation_id": recorded.event.provenance.correlation_id,
            "causation_id": recorded.event.provenance.causation_id,
            "fields": _fields(recorded.event, contents),
        }
        for recorded in history
    ]


def _fields(event: Event, contents: dict[UUID, Content]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in structs.asdict(event).items():
        if name in _BASE or value is None:
            continue
        if isinstance(value, Sealed):
            content = contents.get(value.id)
            found[name] = ERASED if content is None else content.text()
        else:
            found[name] = msgspec.to_builtins(value)
    return found
