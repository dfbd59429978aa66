"""A ticket's events with their texts, straight from the log."""

from typing import TYPE_CHECKING, Any

from api.views import ERASED
from domain.ledger import AsOf
from projections import timeline
from projections.timeline_entries import Entry

if TYPE_CHECKING:
    from api.bootstrap import Services

_TOLD = ("position", "version", "stream", "occurred_at", "recorded_at", "topic", "actor")
_CAUSES = ("correlation_id", "causation_id")


async def read_history(
    services: "Services", number: int, *, as_of: AsOf | None = None, exchanges: bool = False
) -> list[dict[str, Any]]:
    """Oldest first; texts in place of the references to them. Raises ``TicketNotFound``.

    With ``exchanges`` their events, too, and each event with the ``stream`` that it belongs to. Of a message's
    bytes only the size is told.
    """
    found, _ = await services.ask(
        lambda connection: timeline.latest(
            connection, number, as_of=as_of, internal=True, exchanges=exchanges
        )
    )
    return [_told(entry, with_stream=exchanges) for entry in found]


def _told(entry: Entry, *, with_stream: bool) -> dict[str, Any]:
    fields = {
        name: ERASED if value is None and name in entry.contents else value
        for name, value in entry.fields.items()
        if value is not None or name in entry.contents
    }
    names = [name for name in (*_TOLD, *_CAUSES) if with_stream or name != "stream"]
    return {name: getattr(entry, name) for name in names} | {"fields": fields}
