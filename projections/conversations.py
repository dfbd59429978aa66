"""Conversations with partner helpdesks, folded: one row per exchange, one per message in or out."""

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, ClassVar, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg.sql import SQL, Composed, Identifier

from domain.aggregate import Event
from domain.exchange import Direction, Exchange, Outcome
from projections.columns import Instant
from projections.partners import PARTNER, Partners
from projections.projection import Fold, Logged, Projection, Rows
from projections.tables import LIVE, Connection, Table

_PENDING: Final = Outcome.PENDING.value
_PARKED: Final = Outcome.PARKED.value
_WAITING: Final = frozenset({_PENDING, _PARKED})


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
    outcome: str = _PENDING
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
        "(helpdesk, direction, begun_position) WHERE outcome = 'pending'",
    ),
)

LOAD: Final = SQL("SELECT {columns} FROM {exchange} WHERE stream = ANY(%b)")
LOAD_MESSAGES: Final = SQL(
    "SELECT {columns} FROM {message} WHERE stream = ANY(%b) AND outcome IN ('pending', 'parked')"
)
# One a partner, so all of them are kept at hand.
LOAD_PARTNERS: Final = SQL("SELECT {columns} FROM {partner}")


class ConversationFold(Fold):
    def __init__(self) -> None:
        self.exchanges: Rows[ExchangeRow] = Rows(EXCHANGE)
        self.messages: Rows[MessageRow] = Rows(MESSAGE)
        self.partners = Partners()
        self.rows = (self.exchanges, self.messages, self.partners.rows)

    async def load(
        self, connection: Connection, events: Iterable[Logged], suffix: str = LIVE
    ) -> None:
        if not self.partners.rows.current:
            cursor = await connection.execute(_load(LOAD_PARTNERS, PARTNER, suffix), binary=True)
            for values in await cursor.fetchall():
                self.partners.restore(PARTNER.restored(values))
        known = self.exchanges.current
        wanted = [
            id_ for id_ in {each.event.originator_id for each in events} if id_.int not in known
        ]
        if not wanted:
            return
        cursor = await connection.execute(_load(LOAD, EXCHANGE, suffix), [wanted], binary=True)
        for values in await cursor.fetchall():
            exchange = EXCHANGE.restored(values)
            known[exchange.stream.int] = exchange
        cursor = await connection.execute(
            _load(LOAD_MESSAGES, MESSAGE, suffix), [wanted], binary=True
        )
        for values in await cursor.fetchall():
            message = MESSAGE.restored(values)
            self.messages.current[message.stream.int, message.reference] = message

    def apply(self, events: Iterable[Logged]) -> None:
        for each in events:
            event, key = each.event, each.event.originator_id.int
            exchange = self.exchanges.current.get(key)
            if exchange is None:
                self._open(each, event)
                continue
            if each.position <= exchange.position:
                continue  # delivered before
            exchange.version, exchange.position = event.originator_version, each.position
            exchange.changed_at = max(exchange.changed_at, each.at)
            self.exchanges.changed[key] = exchange
            if begin := BEGINNINGS.get(type(event)):
                message = begin(exchange, each.position, event)
                direction = _DIRECTIONS[type(event)].value
                if message is not None:
                    self.messages.begin((key, message.reference), message)
                    self.partners.moved(exchange.helpdesk, direction, "", message.outcome)
                self.partners.happened(exchange.helpdesk, direction, each)
            elif change := ABOUT.get(type(event)):
                change(exchange, event)
            else:
                direction = self._go_on(key, exchange, event)
                self.partners.happened(exchange.helpdesk, direction, each)

    def _open(self, each: Logged, event: Event) -> None:
        if not isinstance(event, Exchange.Opened):
            raise TypeError(f"exchange {event.originator_id} was never opened")
        exchange = ExchangeRow(
            stream=event.originator_id, helpdesk=event.helpdesk, number=event.number,
            external_id=event.external_id, version=event.originator_version,
            position=each.position, opened_at=each.at, changed_at=each.at,
        )  # fmt: skip
        self.exchanges.begin(event.originator_id.int, exchange)

    def _go_on(self, key: int, exchange: ExchangeRow, event: Any) -> str:
        """What became of a message; its direction."""
        place = (key, event.reference)
        message = self.messages.current[place]
        before = message.outcome
        STEPS[type(event)](exchange, message, event)
        message.position, message.changed_at = exchange.position, exchange.changed_at
        self.messages.changed[place] = message
        _count(exchange, before, -1)
        _count(exchange, message.outcome, 1)
        self.partners.moved(exchange.helpdesk, message.direction, before, message.outcome)
        if message.outcome not in _WAITING:
            self.messages.finish(place)
        return message.direction

    def trim(self) -> None:
        before, kept = len(self.exchanges.current), self.exchanges.current
        self.exchanges.trim()
        if len(kept) == before:
            return  # much may wait in what is kept: it is not gone through for nothing
        for place in [place for place in self.messages.current if place[0] not in kept]:
            del self.messages.current[place]


def _load(statement: SQL, table: Table[Any], suffix: str) -> Composed:
    return statement.format(
        columns=SQL(", ").join(Identifier(column) for column in table.columns),
        **{table.name: table.identifier(suffix)},
    )


def _count(exchange: ExchangeRow, outcome: str, by: int) -> None:
    if outcome == _PENDING:
        exchange.pending += by
    elif outcome == _PARKED:
        exchange.parked += by


# -- what each event does ----------------------------------------------------------------------------


def _linked(exchange: ExchangeRow, event: Exchange.Linked) -> None:
    exchange.number, exchange.external_id = event.number, event.external_id
    exchange.external_reference = event.external_reference


def _unlinked(exchange: ExchangeRow, _: Exchange.Unlinked) -> None:
    exchange.external_id = exchange.external_reference = exchange.remote_state = ""


def _diverged(exchange: ExchangeRow, event: Exchange.Diverged) -> None:
    found = [each for each in _divergences(exchange) if each["field"] != event.field]
    found.append({
        "field": event.field, "ours": event.ours, "theirs": event.theirs, "repair": event.repair,
        "since": int(event.occurred_at.timestamp()),
    })  # fmt: skip
    _keep_divergences(exchange, found)


def _converged(
    exchange: ExchangeRow, event: Exchange.Converged | Exchange.DivergenceSettled
) -> None:
    _keep_divergences(
        exchange, [each for each in _divergences(exchange) if each["field"] != event.field]
    )


def _divergences(exchange: ExchangeRow) -> list[dict[str, Any]]:
    return msgspec.json.decode(exchange.divergences, type=list[dict[str, Any]])


def _keep_divergences(exchange: ExchangeRow, found: list[dict[str, Any]]) -> None:
    exchange.diverged, exchange.divergences = len(found), msgspec.json.encode(found).decode()


def _conflict_found(exchange: ExchangeRow, event: Exchange.ConflictFound) -> None:
    found = _other_conflicts(exchange, event.field)
    found.append({
        "field": event.field, "ours": event.ours, "theirs": event.theirs, "rule": event.rule,
        "wins": event.wins, "reference": event.reference, "since": int(event.occurred_at.timestamp()),
    })  # fmt: skip
    _keep_conflicts(exchange, found)


def _conflict_resolved(exchange: ExchangeRow, event: Exchange.ConflictResolved) -> None:
    _keep_conflicts(exchange, _other_conflicts(exchange, event.field))


def _other_conflicts(exchange: ExchangeRow, field: str) -> list[dict[str, Any]]:
    kept = msgspec.json.decode(exchange.conflicts, type=list[dict[str, Any]])
    return [each for each in kept if each["field"] != field]


def _keep_conflicts(exchange: ExchangeRow, found: list[dict[str, Any]]) -> None:
    exchange.conflicting, exchange.conflicts = len(found), msgspec.json.encode(found).decode()


def _received(
    exchange: ExchangeRow, position: int, event: Exchange.MessageReceived
) -> MessageRow | None:
    exchange.received += 1
    exchange.pending += 1
    return MessageRow(
        stream=exchange.stream, reference=event.originator_version, helpdesk=exchange.helpdesk,
        direction=Direction.IN.value, message_id=event.message_id, rule=event.mapping,
        raw=event.raw.id, begun_at=exchange.changed_at, changed_at=exchange.changed_at,
        begun_position=position, position=position,
    )  # fmt: skip


def _dispatch_decided(
    exchange: ExchangeRow, position: int, event: Exchange.DispatchDecided
) -> MessageRow | None:
    if not event.disclosed:
        exchange.undisclosed += 1
        return None
    exchange.pending += 1
    return MessageRow(
        stream=exchange.stream, reference=event.originator_version, helpdesk=exchange.helpdesk,
        direction=Direction.OUT.value, rule=event.rule, raw=event.raw.id if event.raw else None,
        event_position=event.event_position, begun_at=exchange.changed_at,
        changed_at=exchange.changed_at, begun_position=position, position=position,
    )  # fmt: skip


def _repeated(exchange: ExchangeRow, position: int, event: Exchange.Repeated) -> MessageRow | None:
    exchange.pending += 1
    return MessageRow(
        stream=exchange.stream, reference=event.originator_version, helpdesk=exchange.helpdesk,
        direction=Direction.OUT.value, rule=event.rule, raw=event.raw.id,
        event_position=event.event_position, begun_at=exchange.changed_at,
        changed_at=exchange.changed_at, begun_position=position, position=position,
    )  # fmt: skip


def _returned(exchange: ExchangeRow, position: int, event: Exchange.Returned) -> MessageRow | None:
    exchange.parked += 1
    return MessageRow(
        stream=exchange.stream, reference=event.originator_version, helpdesk=exchange.helpdesk,
        direction=Direction.OUT.value, outcome=_PARKED, rule="", raw=event.raw.id, code=event.code,
        detail=event.detail.id, event_position=event.event_position, begun_at=exchange.changed_at,
        changed_at=exchange.changed_at, begun_position=position, position=position,
    )  # fmt: skip


def _applied(exchange: ExchangeRow, message: MessageRow, event: Exchange.Applied) -> None:
    message.outcome = Outcome.APPLIED.value
    message.ticket_version = event.ticket_version
    message.withheld = _json(event.withheld)
    exchange.remote_state = event.remote_state or exchange.remote_state


def _ignored(exchange: ExchangeRow, message: MessageRow, event: Exchange.Ignored) -> None:
    message.outcome, message.code = Outcome.IGNORED.value, event.why
    message.withheld = _json(event.withheld)
    if event.understood:
        exchange.remote_state = event.remote_state or exchange.remote_state


def _refused(_: ExchangeRow, message: MessageRow, event: Exchange.MessageRefused) -> None:
    message.outcome, message.code = Outcome.REFUSED.value, event.code
    message.detail = event.detail.id


def _translated(_: ExchangeRow, message: MessageRow, event: Exchange.Translated) -> None:
    message.raw = event.raw.id


def _dispatched(exchange: ExchangeRow, message: MessageRow, event: Exchange.Dispatched) -> None:
    message.outcome, message.message_id = Outcome.DISPATCHED.value, event.receipt
    exchange.dispatched += 1


def _failed(_: ExchangeRow, message: MessageRow, event: Exchange.Failed) -> None:
    message.attempts, message.code, message.detail = event.attempt, event.code, event.detail.id


def _parked(_: ExchangeRow, message: MessageRow, event: Exchange.Parked) -> None:
    message.outcome, message.code = _PARKED, event.code
    message.detail = event.detail.id


def _resumed(_: ExchangeRow, message: MessageRow, event: Exchange.Resumed) -> None:
    if event.how == "skip":
        message.outcome = Outcome.SKIPPED.value
    else:
        message.outcome, message.attempts = _PENDING, 0


def _json(words: Iterable[str]) -> str:
    return msgspec.json.encode(tuple(words)).decode()


BEGINNINGS: Final[
    MappingProxyType[type[Event], Callable[[ExchangeRow, int, Any], MessageRow | None]]
] = MappingProxyType({
    Exchange.MessageReceived: _received,
    Exchange.DispatchDecided: _dispatch_decided,
    Exchange.Returned: _returned,
    Exchange.Repeated: _repeated,
})  # fmt: skip
"""Events that begin a message."""
_DIRECTIONS: Final[MappingProxyType[type[Event], Direction]] = MappingProxyType({
    Exchange.MessageReceived: Direction.IN,
    Exchange.DispatchDecided: Direction.OUT,
    Exchange.Returned: Direction.OUT,
    Exchange.Repeated: Direction.OUT,
})  # fmt: skip

ABOUT: Final[MappingProxyType[type[Event], Callable[[ExchangeRow, Any], None]]] = (
    MappingProxyType({
        Exchange.Linked: _linked,
        Exchange.Unlinked: _unlinked,
        Exchange.Diverged: _diverged,
        Exchange.Converged: _converged,
        Exchange.DivergenceSettled: _converged,
        Exchange.ConflictFound: _conflict_found,
        Exchange.ConflictResolved: _conflict_resolved,
    })
)  # fmt: skip
"""Events that are about the conversation as a whole."""

STEPS: Final[MappingProxyType[type[Event], Callable[[ExchangeRow, MessageRow, Any], None]]] = (
    MappingProxyType({
        Exchange.Applied: _applied,
        Exchange.Ignored: _ignored,
        Exchange.MessageRefused: _refused,
        Exchange.Translated: _translated,
        Exchange.Dispatched: _dispatched,
        Exchange.Failed: _failed,
        Exchange.Parked: _parked,
        Exchange.Resumed: _resumed,
    })
)  # fmt: skip
"""Events that tell what became of a message. What has no row here stops the projection."""


class Conversations(Projection):
    name: ClassVar = "exchanges"
    form: ClassVar = 4
    tables: ClassVar = (EXCHANGE, MESSAGE, PARTNER)
    topics: ClassVar = frozenset(Exchange.mutators)

    def fold(self) -> ConversationFold:
        return ConversationFold()
