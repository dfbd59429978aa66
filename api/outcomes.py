"""What became of messages that an operator let be tried again: asked of the log itself, so nothing lags behind."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from api.bootstrap import Services
from domain.aggregate import Event
from domain.content import Sealed
from domain.errors import EntryNotFound, Invalid
from domain.exchange import Exchange, Outcome
from domain.store import Recorded

LOG_EVENTS_MAX: Final = 5_000
"""So far apart may the first and the last of several lie."""


_LOOK_S: Final = 0.2


class MessageOutcome(Struct, frozen=True, kw_only=True):
    exchange: UUID
    reference: int
    helpdesk: str
    number: int
    """Our ticket; 0 as long as there is none."""
    external_id: str
    outcome: str
    """``pending`` while nobody has tried it yet; else see ``domain.exchange.Outcome``."""
    code: str
    """Why it was parked, refused or ignored; empty otherwise."""
    detail: str
    withheld: list[str]
    """What it asked for in vain."""
    position: int
    """Of the event that says so."""


async def outcome(services: Services, exchange: UUID, reference: int) -> MessageOutcome:
    """Of one message, in or out. Raises ``EntryNotFound``."""
    history = await services.store.stream(exchange)
    found: _Found | None = None
    told: Sealed | None = None
    for recorded in history:
        last = _said(recorded, reference)
        if last is not None:
            found, told = last
    if found is None:
        raise EntryNotFound("message", f"{exchange}/{reference}")
    conversation = Exchange.replay(exchange, [each.event for each in history])
    contents = await services.store.contents([told.id]) if told else {}
    detail = contents[told.id].text() if told and told.id in contents else ""
    return MessageOutcome(
        exchange=exchange,
        reference=reference,
        helpdesk=conversation.helpdesk,
        number=conversation.number,
        external_id=conversation.external_id,
        outcome=found.outcome,
        code=found.code,
        detail=detail,
        withheld=list(found.withheld),
        position=found.position,
    )


async def outcomes(
    services: Services, messages: Iterable[tuple[UUID, int]]
) -> list[MessageOutcome]:
    """Of several, in the same order. Raises ``EntryNotFound``."""
    return [await outcome(services, stream, reference) for stream, reference in messages]


async def outcomes_within(
    services: Services, messages: Sequence[tuple[UUID, int]], wait_s: float
) -> list[MessageOutcome]:
    """The same as soon as none is pending any more, or when the time is over."""
    deadline = monotonic() + wait_s
    while True:
        found = await outcomes(services, messages)
        pending = any(each.outcome == Outcome.PENDING.value for each in found)
        if not pending or monotonic() >= deadline:
            return found
        await asyncio.sleep(_LOOK_S)


async def tried_again(
    services: Services, helpdesk: str, first: int, last: int
) -> list[tuple[UUID, int]]:
    """The messages that were resumed from one position to another; of one helpdesk where it is named.

    Raises ``Invalid`` where these are too far apart.
    """
    if not 0 <= last - first < LOG_EVENTS_MAX:
        raise Invalid(f"the last position must lie within {LOG_EVENTS_MAX} after the first")
    found = []
    for recorded in await services.store.log(first - 1, last - first + 1):
        event = recorded.event
        if recorded.position > last:
            break
        if isinstance(event, Exchange.Resumed) and event.how == "retry":
            conversation = await services.exchange.conversations.load(event.originator_id)
            if helpdesk in ("", conversation.helpdesk):
                found.append((event.originator_id, event.reference))
    return found


class _Found(Struct, frozen=True):
    outcome: str
    position: int
    code: str = ""
    withheld: Sequence[str] = ()


def _said(recorded: Recorded, reference: int) -> tuple[_Found, Sealed | None] | None:
    """What an event says of the message, and the text that explains it."""
    event, at = recorded.event, recorded.position
    if isinstance(event, _BEGUN) and event.originator_version == reference:
        returned = isinstance(event, Exchange.Returned)
        return _Found((Outcome.PARKED if returned else Outcome.PENDING).value, at), None
    if getattr(event, "reference", 0) != reference or type(event) not in _OUTCOMES:
        return None
    outcome = _OUTCOMES[type(event)]
    if isinstance(event, Exchange.Resumed) and event.how == "skip":
        outcome = Outcome.SKIPPED
    code = getattr(event, "code", "") or getattr(event, "why", "")
    withheld: Sequence[str] = getattr(event, "withheld", ())
    return _Found(outcome.value, at, code, withheld), getattr(event, "detail", None)


_BEGUN: Final = (
    Exchange.MessageReceived, Exchange.DispatchDecided, Exchange.Returned, Exchange.Repeated,
)  # fmt: skip
_OUTCOMES: Final[Mapping[type[Event], Outcome]] = MappingProxyType({
    Exchange.Applied:        Outcome.APPLIED,
    Exchange.Ignored:        Outcome.IGNORED,
    Exchange.MessageRefused: Outcome.REFUSED,
    Exchange.Parked:         Outcome.PARKED,
    Exchange.Failed:         Outcome.PENDING,
    Exchange.Dispatched:     Outcome.DISPATCHED,
    Exchange.Resumed:        Outcome.PENDING,
})  # fmt: skip
