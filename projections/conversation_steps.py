"""What each event of a conversation does to its row, and to those of its messages."""

from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any, Final

import msgspec

from domain.aggregate import Event
from domain.exchange import Direction, Exchange, Outcome
from projections.conversation_rows import PARKED, PENDING, ExchangeRow, MessageRow


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


def _nothing(_: ExchangeRow, __: Exchange.Confirmed) -> None:
    """The message that says what holds is seen by itself."""


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
        direction=Direction.OUT.value, outcome=PARKED, rule="", raw=event.raw.id, code=event.code,
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
    message.outcome, message.code = PARKED, event.code
    message.detail = event.detail.id


def _resumed(_: ExchangeRow, message: MessageRow, event: Exchange.Resumed) -> None:
    if event.how == "skip":
        message.outcome = Outcome.SKIPPED.value
    else:
        message.outcome, message.attempts = PENDING, 0


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
DIRECTIONS: Final[MappingProxyType[type[Event], Direction]] = MappingProxyType({
    Exchange.MessageReceived: Direction.IN,
    Exchange.DispatchDecided: Direction.OUT,
    Exchange.Returned: Direction.OUT,
    Exchange.Repeated: Direction.OUT,
})  # fmt: skip
"""Which way a message goes, by the event that begins it."""

ABOUT: Final[MappingProxyType[type[Event], Callable[[ExchangeRow, Any], None]]] = (
    MappingProxyType({
        Exchange.Linked: _linked,
        Exchange.Unlinked: _unlinked,
        Exchange.Diverged: _diverged,
        Exchange.Converged: _converged,
        Exchange.DivergenceSettled: _converged,
        Exchange.ConflictFound: _conflict_found,
        Exchange.ConflictResolved: _conflict_resolved,
        Exchange.Confirmed: _nothing,
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
