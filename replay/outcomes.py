"""What became of a partner's messages, and what was known when it did: one conversation, event by event."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

from msgspec import Struct

from domain.content import Sealed
from domain.exchange import Exchange
from domain.formats import decode
from replay.streams import Placed, Row

Outcome: TypeAlias = Exchange.Applied | Exchange.Ignored | Exchange.MessageRefused | Exchange.Parked
OUTCOMES: Final[Mapping[type[Outcome], str]] = {
    Exchange.Applied: "applied", Exchange.Ignored: "ignored",
    Exchange.MessageRefused: "refused", Exchange.Parked: "parked",
}  # fmt: skip
_OUTCOMES: Final = tuple(OUTCOMES)


class Decided(Struct, frozen=True, kw_only=True, gc=False):
    """A message with its outcome, before contents and ticket are at hand."""

    reference: int
    message_id: str
    mapping: str
    """Name and version of the mapping in force when it was received."""
    outcome: str
    """``applied``, ``ignored``, ``refused`` or ``parked``."""
    position: int
    """Of the outcome."""
    command: UUID
    """That led to it."""
    withheld: Sequence[str]
    """What the message asked for in vain."""
    raw: Sealed
    heard: Sealed | None
    """The last message before it that was understood."""
    told: Sealed | None
    state: str
    """The partner's word for the state, as it had last written it."""
    known: bool
    """There was a ticket."""


class Learned(Struct, frozen=True, gc=False):
    """The first message in which the partner's present word for the state stood."""

    reference: int
    message_id: str
    position: int
    """Of its outcome."""
    command: UUID


class Walked(Struct, frozen=True, kw_only=True):
    """A conversation as it is now, and how its messages fared."""

    id: UUID
    number: int
    external_id: str
    remote_state: str
    learned: Learned | None
    messages: list[Decided]
    """Its incoming messages at their last outcome, in that order."""


def walk(stream: UUID, rows: Iterable[Row]) -> Walked:
    exchange = Exchange(stream)
    received: dict[int, Exchange.MessageReceived] = {}
    decided: dict[int, Decided] = {}
    learned, word = None, ""
    for _, position, state in rows:
        event = decode(state)
        if isinstance(event, Exchange.MessageReceived):
            received[event.originator_version] = event
        elif isinstance(event, _OUTCOMES) and (message := received.get(event.reference)):
            decided.pop(
                event.reference, None
            )  # tried again: it stands where it was decided at last
            decided[event.reference] = _decided(exchange, message, event, position)
        exchange.apply(event)
        if exchange.remote_state != word:
            word = exchange.remote_state
            learned = _learned(Placed(position, event), received) if word else None
    return Walked(
        id=stream,
        number=exchange.number,
        external_id=exchange.external_id,
        remote_state=exchange.remote_state,
        learned=learned,
        messages=list(decided.values()),
    )


def _decided(
    exchange: Exchange, message: Exchange.MessageReceived, outcome: Outcome, position: int
) -> Decided:
    """``exchange``: as it was before the outcome."""
    return Decided(
        reference=outcome.reference,
        message_id=message.message_id,
        mapping=message.mapping,
        outcome=OUTCOMES[type(outcome)],
        position=position,
        command=outcome.provenance.command_id,
        withheld=getattr(outcome, "withheld", ()),
        raw=message.raw,
        heard=exchange.heard,
        told=exchange.told,
        state=exchange.remote_state,
        known=bool(exchange.number),
    )


def _learned(placed: Placed, received: Mapping[int, Exchange.MessageReceived]) -> Learned:
    event = placed.event
    assert isinstance(event, Outcome)
    message = received[event.reference]
    return Learned(
        event.reference, message.message_id, placed.position, event.provenance.command_id
    )
