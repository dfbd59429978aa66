"""The timeline of a ticket as its page shows it: a title, texts, and details to open."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from api.bootstrap import Services
from api.web.pages.reader import actor_names
from domain.ledger import AsOf
from projections import timeline
from projections.timeline_entries import Entry

_ENTRIES_MAX: Final = 500
_TEXTS: Final = (
    "question",
    "text",
    "reason",
    "solution",
    "comment",
    "note",
    "justification",
    "detail",
    "why",
)
_SHOWN_ELSEWHERE: Final = frozenset(
    {
        "number",
        "subject",
        "description",
        "particulars",
        "visibility",
        "content",
        "submitter",
        "unit",
        "field",
        "raw",
        "file",
        "helpdesk",
        "name",
    }
)
_TITLES: Final = {
    "ticket.found-unsolvable": "Set unsolved",
    "ticket.commented": "Diary entry",
    "ticket.history-gap": "The archive tells nothing here",
    "ticket.put-on-hold": "Put on hold",
}


class Shown(Struct, frozen=True):
    position: int
    title: str
    kind: str
    """``state``, ``hand-over``, ``entry``, ``exchange`` or ``other``: its colour."""
    internal: bool
    actor: str
    occurred_at: datetime
    texts: list[str]
    details: list[tuple[str, str]]
    message: str
    """Where the message is given byte for byte; empty where it is none, or not for this reader."""


async def shown_entries(
    services: Services,
    number: int,
    partners: Mapping[UUID, str],
    *,
    as_of: AsOf | None,
    internal: bool,
    raw: bool,
) -> tuple[list[Shown], int]:
    """The latest entries, oldest first, and how many came before. Without ``internal`` what the public may read.

    ``partners``: with whom each of its conversations is. ``raw``: messages may be read byte for byte.
    """
    found, earlier = await services.ask(
        lambda connection: timeline.latest(
            connection, number, as_of=as_of, internal=internal, most=_ENTRIES_MAX
        )
    )
    named = actor_names(services)
    shown = []
    for entry in found:
        actor, partner = await named(entry.actor), partners.get(entry.stream, "")
        shown.append(_shown(entry, actor, partner, raw=raw))
    return shown, earlier


def _shown(entry: Entry, actor: str, partner: str, *, raw: bool) -> Shown:
    fields = entry.fields
    message = f"/api/v1/exchanges/{entry.stream}/messages/{entry.version}/raw"
    return Shown(
        position=entry.position,
        title=_title(entry.topic, fields, partner),
        kind=entry.kind,
        internal=entry.visibility == "internal",
        actor=actor,
        occurred_at=entry.occurred_at,
        texts=[str(fields[name]) for name in _TEXTS if fields.get(name)],
        details=[
            (name.replace("_", " "), _plain(value))
            for name, value in fields.items()
            if value not in (None, "", [], (), False)
            and name not in _TEXTS
            and name not in _SHOWN_ELSEWHERE
        ],
        message=message if raw and fields.get("raw") else "",
    )


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _title(topic: str, fields: dict[str, Any], partner: str) -> str:
    stream, _, name = topic.partition(".")
    title = _TITLES.get(topic) or name.replace("-", " ").capitalize()
    match topic:
        case "ticket.assigned":
            title = f"Assigned to {fields.get('unit', '')}"
        case "exchange.dispatch-decided":
            title = "to be told" if fields.get("disclosed") else "not told"
        case "ticket.attached":
            title = f"File: {fields.get('name') or '(erased)'}"
        case "ticket.reclassified":
            title = f"{str(fields.get('field', '')).replace('_', ' ').capitalize()} changed"
    if stream != "exchange":
        return title
    return f"Exchange{f' with {partner}' if partner else ''}: {title.lower()}"
