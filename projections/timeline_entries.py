"""What a timeline consists of: events as entries with their texts, gathered into groups.

Entries of one kind that follow each other share a group, which a page may fold up. Texts that were erased
are missing, the entries that held them are not.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.content import Sealed
from domain.exchange import Exchange
from domain.formats import topic_of
from domain.ticket import Ticket
from domain.vocabulary import Visibility

CONTENTS: Final = "SELECT id, body FROM ledger.content WHERE id = ANY(%s)"


class Kind(Enum):
    """What sort of thing happened."""

    STATE = "state"
    HAND_OVER = "hand-over"
    ENTRY = "entry"
    EXCHANGE = "exchange"
    OTHER = "other"


KIND: Final[Mapping[type[Event], Kind]] = MappingProxyType({
    Ticket.Opened: Kind.STATE,
    Ticket.WorkStarted: Kind.STATE,
    Ticket.ReplyRequested: Kind.STATE,
    Ticket.SubmitterReplied: Kind.STATE,
    Ticket.PutOnHold: Kind.STATE,
    Ticket.Solved: Kind.STATE,
    Ticket.FoundUnsolvable: Kind.STATE,
    Ticket.Verified: Kind.STATE,
    Ticket.Reopened: Kind.STATE,
    Ticket.Closed: Kind.STATE,
    Ticket.Assigned: Kind.HAND_OVER,
    Ticket.HandedOver: Kind.HAND_OVER,
    Ticket.SiteNotificationEnded: Kind.HAND_OVER,
    Ticket.Taken: Kind.HAND_OVER,
    Ticket.Released: Kind.HAND_OVER,
    Ticket.Commented: Kind.ENTRY,
    Ticket.Attached: Kind.ENTRY,
})  # fmt: skip
"""Events of exchanges are of their own kind; whatever is not listed is ``OTHER``."""

PUBLIC_EXCHANGE: Final = frozenset({
    Exchange.Opened, Exchange.Linked, Exchange.Applied, Exchange.Dispatched,
})  # fmt: skip
"""The milestones. Failures, refusals, parked messages and raw bytes are for supporters."""

_COMMON: Final = frozenset({
    "topic", "originator_id", "originator_version", "occurred_at", "provenance",
})  # fmt: skip
_RAW: Final = "raw"


class Entry(Struct, frozen=True):
    position: int
    version: int
    """Within its stream: the ticket, or the exchange."""
    stream: UUID
    occurred_at: datetime
    """As the source says."""
    recorded_at: datetime
    topic: str
    actor: str
    kind: str
    visibility: str
    """``public`` or ``internal``."""
    group: int
    """Shared by entries of one kind that follow each other: the position of the first."""
    fields: dict[str, Any]
    """What the event says, in plain values. Texts are resolved; None where a text was erased."""
    contents: dict[str, UUID]
    """The fields that are contents, and their identifiers. ``raw`` ones are not resolved."""
    correlation_id: str
    causation_id: str


Read = tuple[int, datetime, Event]
"""Position, time of recording, event."""
Unresolved = tuple[Entry, dict[str, Sealed]]
"""An entry without its texts, and what they are sealed as."""


def visibility_of(event: Event) -> str:
    """Whether the submitter may see that this happened."""
    if isinstance(event, Ticket.Commented | Ticket.Attached):
        return event.visibility
    internal = type(event) in Exchange.mutators and type(event) not in PUBLIC_EXCHANGE
    return str((Visibility.INTERNAL if internal else Visibility.PUBLIC).value)


def said(event: Event) -> dict[str, Any]:
    """What an event says beside who, when and where: plain values, and contents as they are sealed."""
    found: dict[str, Any] = {}
    for name in event.__struct_fields__:
        if name not in _COMMON:
            value = getattr(event, name)
            is_sealed = isinstance(value, Sealed)
            found[name] = value if is_sealed else msgspec.to_builtins(value, builtin_types=_KEPT)
    return found


_KEPT: Final = (datetime, UUID)


class Since(Struct, frozen=True):
    """Where a group began."""

    kind: str = ""
    group: int = 0


BEGINNING: Final = Since()


def grouped(events: Iterable[Read], before: Since = BEGINNING) -> list[Unresolved]:
    """The entries of events in the order of the log; the first may belong to the group of those ``before``."""
    entries: list[Unresolved] = []
    for position, recorded_at, event in events:
        before = _group(before, position, event)
        entries.append(_entry(position, recorded_at, event, before))
    return entries


def skipped(events: Iterable[Read]) -> Since:
    """The group in which events end that are not shown."""
    since = BEGINNING
    for position, _, event in events:
        since = _group(since, position, event)
    return since


def _group(before: Since, position: int, event: Event) -> Since:
    kind = (Kind.EXCHANGE if type(event) in Exchange.mutators else _kind(event)).value
    return before if kind == before.kind else Since(kind, position)


async def resolved(connection: AsyncConnection[Any], entries: Sequence[Unresolved]) -> list[Entry]:
    """The entries with their texts."""
    wanted = [each.id for _, sealed in entries for name, each in sealed.items() if name != _RAW]
    rows: list[tuple[UUID, bytes]] = []
    if wanted:
        rows = await (await connection.execute(CONTENTS, [wanted])).fetchall()
    texts = {id_: str(bytes(body), "utf-8", "replace") for id_, body in rows}
    return [_resolved(entry, sealed, texts) for entry, sealed in entries]


def _resolved(entry: Entry, sealed: dict[str, Sealed], texts: Mapping[UUID, str]) -> Entry:
    for name, each in sealed.items():
        entry.fields[name] = {"size": each.size} if name == _RAW else texts.get(each.id)
    return entry


def _kind(event: Event) -> Kind:
    return KIND.get(type(event), Kind.OTHER)


def _entry(position: int, recorded_at: datetime, event: Event, since: Since) -> Unresolved:
    everything = said(event)
    sealed = {name: value for name, value in everything.items() if isinstance(value, Sealed)}
    fields = {name: value for name, value in everything.items() if name not in sealed}
    entry = Entry(
        position=position, version=event.originator_version, stream=event.originator_id,
        occurred_at=event.occurred_at, recorded_at=recorded_at, topic=topic_of(event),
        actor=event.provenance.actor, kind=since.kind, visibility=visibility_of(event), group=since.group,
        fields=fields, contents={name: each.id for name, each in sealed.items()},
        correlation_id=event.provenance.correlation_id,
        causation_id=event.provenance.causation_id,
    )  # fmt: skip
    return entry, sealed
