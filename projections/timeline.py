"""The timeline of a ticket: everything that happened to it and in its exchanges, in the order of the log.

Read from the log itself, so it is complete by construction; texts that were erased are missing, the entries
that held them are not. Entries of one kind that follow each other share a group, which a page may fold up.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.content import Sealed
from domain.errors import TicketNotFound
from domain.exchange import Exchange
from domain.formats import decode, topic_of
from domain.identifiers import NUMBER_MAX, ticket_id
from domain.ledger import AsOf
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from projections.exchanges import exchanges_of
from projections.paging import Page, checked_limit, page_of, read_cursor

STREAMS: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE originator_id = ANY(%s) AND position <= %s ORDER BY position
"""
CONTENTS: Final = "SELECT id, body FROM ledger.content WHERE id = ANY(%s)"

_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
_ALWAYS: Final = 2**63 - 1


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


class _Key(Struct, frozen=True):
    position: int


async def timeline(
    connection: AsyncConnection[Any],
    number: int,
    *,
    as_of: AsOf | None = None,
    internal: bool = False,
    cursor: str | None = None,
    limit: int = 200,
) -> Page[Entry]:
    """A page of what happened, oldest first; internal entries only if ``internal``.

    Raises ``TicketNotFound`` when there is nothing (then), ``Invalid`` for a bad cursor or limit.
    """
    checked_limit(limit)
    after = 0 if cursor is None else read_cursor(cursor, _Key).position
    entries = await _entries(connection, number, as_of, internal=internal)
    page = page_of([entry for entry in entries if entry[0].position > after], limit, _key)
    texts = await _texts(connection, [sealed for _, sealed in page.items])
    return Page([_resolved(entry, sealed, texts) for entry, sealed in page.items], page.next)


async def latest(
    connection: AsyncConnection[Any],
    number: int,
    *,
    as_of: AsOf | None = None,
    internal: bool = False,
    most: int | None = None,
) -> tuple[list[Entry], int]:
    """The last entries, all without ``most``, oldest first; and how many there are before them.

    The streams are read once, where pages read them again each time. Raises ``TicketNotFound``.
    """
    entries = await _entries(connection, number, as_of, internal=internal)
    chosen = entries if most is None else entries[-most:]
    texts = await _texts(connection, [sealed for _, sealed in chosen])
    found = [_resolved(entry, sealed, texts) for entry, sealed in chosen]
    return found, len(entries) - len(chosen)


async def _entries(
    connection: AsyncConnection[Any], number: int, as_of: AsOf | None, *, internal: bool
) -> "list[_Entry]":
    if not 0 < number <= NUMBER_MAX:
        raise TicketNotFound(number)
    streams = [ticket_id(number), *await exchanges_of(connection, number)]
    until = as_of if isinstance(as_of, int) else _ALWAYS
    rows = await (await connection.execute(STREAMS, [streams, until])).fetchall()
    events = [(position, at, decode(bytes(state))) for position, at, state in rows]
    if isinstance(as_of, datetime):
        events = _until(events, as_of)
    if not any(isinstance(event, Ticket.Opened) for _, _, event in events):
        raise TicketNotFound(number)
    return _grouped(
        (position, recorded_at, event)
        for position, recorded_at, event in events
        if internal or visibility_of(event) == Visibility.PUBLIC.value
    )


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
_Read = tuple[int, datetime, Event]
_Entry = tuple[Entry, dict[str, Sealed]]


def _until(events: Iterable[_Read], as_of: datetime) -> list[_Read]:
    """Those that had taken effect: in its stream, none does before the one it follows."""
    reached: dict[int, datetime] = {}
    known = []
    for read in events:
        event = read[2]
        stream = event.originator_id.int
        at = reached[stream] = max(reached.get(stream, _BEGINNING), event.occurred_at)
        if at <= as_of:
            known.append(read)
    return known


def _grouped(events: Iterable[_Read]) -> list[_Entry]:
    entries: list[_Entry] = []
    kind_before, group = None, 0
    for position, recorded_at, event in events:
        kind = Kind.EXCHANGE if type(event) in Exchange.mutators else _kind(event)
        if kind is not kind_before:
            kind_before, group = kind, position
        entries.append(_entry(position, recorded_at, event, kind, group))
    return entries


def _kind(event: Event) -> Kind:
    return KIND.get(type(event), Kind.OTHER)


def _entry(position: int, recorded_at: datetime, event: Event, kind: Kind, group: int) -> _Entry:
    everything = said(event)
    sealed = {name: value for name, value in everything.items() if isinstance(value, Sealed)}
    fields = {name: value for name, value in everything.items() if name not in sealed}
    entry = Entry(
        position=position, version=event.originator_version, stream=event.originator_id,
        occurred_at=event.occurred_at, recorded_at=recorded_at, topic=topic_of(event),
        actor=event.provenance.actor, kind=kind.value, visibility=visibility_of(event), group=group,
        fields=fields, contents={name: each.id for name, each in sealed.items()},
        correlation_id=event.provenance.correlation_id,
        causation_id=event.provenance.causation_id,
    )  # fmt: skip
    return entry, sealed


async def _texts(
    connection: AsyncConnection[Any], contents: Sequence[dict[str, Sealed]]
) -> dict[UUID, str]:
    wanted = [each.id for sealed in contents for name, each in sealed.items() if name != _RAW]
    if not wanted:
        return {}
    rows = await (await connection.execute(CONTENTS, [wanted])).fetchall()
    return {id_: str(bytes(body), "utf-8", "replace") for id_, body in rows}


def _resolved(entry: Entry, sealed: dict[str, Sealed], texts: dict[UUID, str]) -> Entry:
    for name, each in sealed.items():
        entry.fields[name] = {"size": each.size} if name == _RAW else texts.get(each.id)
    return entry


def _key(entry: _Entry) -> _Key:
    return _Key(entry[0].position)
