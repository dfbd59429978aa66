"""A ticket's events with their texts, straight from the log."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from api.views import ERASED
from domain.aggregate import Event
from domain.content import Content, Sealed
from domain.formats import topic_of
from domain.ledger import AsOf, Ledger
from projections import timeline

if TYPE_CHECKING:
    from api.bootstrap import Services


async def read_history(
    ledger: Ledger, number: int, *, as_of: AsOf | None = None
) -> list[dict[str, Any]]:
    """Oldest first; texts in place of the references to them. Raises ``TicketNotFound``."""
    history = await ledger.history(number, as_of=as_of)
    wanted = {
        value.id
        for recorded in history
        for value in timeline.said(recorded.event).values()
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


async def with_exchanges(
    services: "Services", number: int, *, as_of: AsOf | None = None
) -> list[dict[str, Any]]:
    """The same with the events of its exchanges, each with the ``stream`` that it belongs to.

    Of a message's bytes only the size is told. Raises ``TicketNotFound``.
    """
    found, _ = await services.ask(
        lambda connection: timeline.latest(connection, number, as_of=as_of, internal=True)
    )
    return [_told(entry) for entry in found]


def _told(entry: timeline.Entry) -> dict[str, Any]:
    fields = {
        name: ERASED if value is None and name in entry.contents else value
        for name, value in entry.fields.items()
        if value is not None or name in entry.contents
    }
    told = ("position", "version", "stream", "occurred_at", "recorded_at", "topic", "actor")
    causes = ("correlation_id", "causation_id")
    return {name: getattr(entry, name) for name in (*told, *causes)} | {"fields": fields}


def _fields(event: Event, contents: dict[UUID, Content]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in timeline.said(event).items():
        if isinstance(value, Sealed):
            content = contents.get(value.id)
            found[name] = ERASED if content is None else content.text()
        elif value is not None:
            found[name] = msgspec.to_builtins(value)
    return found
