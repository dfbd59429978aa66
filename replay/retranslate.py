"""Run everything ever received from a partner through other eyes: each message as it came, the ticket as it was then.

What the eyes are is the caller's: this module reads the log and knows nothing of formats. It goes conversation by
conversation, in order of their identifiers, so that it can stop anywhere and go on from there; memory holds
two pages of conversations without their messages, and of those some megabytes at a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

from domain.content import Sealed
from domain.exchange import Exchange
from domain.formats import decode
from domain.identifiers import ticket_id
from domain.store import Recorded
from domain.ticket import Ticket
from replay.walking import Ask, Bodies, History, Kept

T = TypeVar("T")

CONVERSATIONS: Final = """
    SELECT originator_id, count(*) FROM ledger.claim
     WHERE kind = %b AND originator_id > %b GROUP BY originator_id ORDER BY originator_id LIMIT %b
"""
EVENTS: Final = """
    SELECT originator_id, position, recorded_at, state FROM ledger.event
     WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version
"""

BEGINNING: Final = UUID(int=0)
_LISTED: Final = 10_000
_PAGE_MESSAGES: Final = 1_000
_AT_A_TIME_S: Final = 0.002
"""Then it is the others' turn."""

Outcome = Exchange.Applied | Exchange.Ignored | Exchange.MessageRefused | Exchange.Parked


class Case(Struct, kw_only=True):
    """A message in the light in which it got its outcome."""

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
    raw: Kept
    heard: Kept | None
    """The last message before it that was understood."""
    told: Kept | None
    state: str
    """The partner's word for the state, as it had last written it."""
    ticket: Ticket | None
    """As it was just before. It moves on with the next case: keep no reference to it."""


Judge = Callable[[Case], T | None]
"""What is to be told of a message; None for nothing."""


class Told(Struct, Generic[T]):
    """A message of which there is something to tell."""

    reference: int
    message_id: str
    outcome: str
    position: int
    what: T


class Learned(Struct, frozen=True):
    """The first message in which the partner's present word for the state stood."""

    reference: int
    message_id: str
    position: int
    """Of its outcome."""
    command: UUID


class Conversation(Struct, Generic[T], kw_only=True):
    id: UUID
    """Go on after this one."""
    number: int
    """Our ticket; 0 where there is none."""
    external_id: str
    remote_state: str
    learned: Learned | None
    """How we came to know that; None where the partner never said any."""
    messages: int
    """That got an outcome."""
    erased: int
    """Messages among them whose content is gone."""
    told: list[Told[T]]
    ticket: Ticket | None
    """As it is now."""
    changes: Mapping[str, Recorded]
    """What changed each of its fields last."""


class _Seen(Struct):
    """A message with an outcome, before contents and ticket are at hand."""

    reference: int
    message_id: str
    mapping: str
    recorded: Recorded
    raw: Sealed
    heard: Sealed | None
    told: Sealed | None
    state: str
    known: bool
    """There was a ticket."""


async def retranslate(
    ask: Ask, helpdesk: str, judge: Judge[T], *, after: UUID = BEGINNING
) -> AsyncIterator[Conversation[T]]:
    """Every conversation in which the partner said something, whether or not there is anything to tell."""
    while listed := await ask(CONVERSATIONS, [f"message:{helpdesk}", after, _LISTED]):
        first, *others = _pages(listed)
        coming = asyncio.create_task(_fetch(ask, first))
        try:
            for following in [*others, None]:
                page = await coming
                if following is not None:  # the database works on it while this one is judged
                    coming = asyncio.create_task(_fetch(ask, following))
                async for conversation in _judged(page, judge):
                    yield conversation
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        after = listed[-1][0]


def _pages(listed: Sequence[tuple[Any, ...]]) -> list[list[UUID]]:
    """Conversations with about so many messages together; a longer one stands alone."""
    pages: list[list[UUID]] = [[]]
    held = 0
    for stream, count in listed:
        if pages[-1] and held + count > _PAGE_MESSAGES:
            pages.append([])
            held = 0
        pages[-1].append(stream)
        held += count
    return pages


async def _fetch(ask: Ask, streams: list[UUID]) -> "_Page":
    exchanges = await _events(ask, streams)
    walked = {stream: _walk(stream, exchanges[stream]) for stream in streams}
    numbers = {each.exchange.number for each in walked.values() if each.exchange.number}
    tickets = await _events(ask, [ticket_id(number) for number in numbers])
    bodies = Bodies(ask, _needed(walked))
    await bodies.ahead()
    return _Page(walked, tickets, bodies)


async def _judged(page: "_Page", judge: Judge[T]) -> AsyncIterator[Conversation[T]]:
    rested_at = monotonic()
    for stream, walked in page.walked.items():
        exchange, all_seen = walked.exchange, walked.seen
        if monotonic() - rested_at > _AT_A_TIME_S:
            await asyncio.sleep(0)
            rested_at = monotonic()
        history = History(exchange.number, page.tickets)
        told, erased = [], 0
        for seen in all_seen:
            case = await _case(seen, history, page.bodies)
            if case is None:
                erased += 1
            elif (what := judge(case)) is not None:
                told.append(
                    Told(case.reference, case.message_id, case.outcome, case.position, what)
                )
        yield Conversation(
            id=stream,
            number=exchange.number,
            external_id=exchange.external_id,
            remote_state=exchange.remote_state,
            learned=walked.learned,
            messages=len(all_seen),
            erased=erased,
            told=told,
            ticket=history.whole(),
            changes=history.changes,
        )


async def _events(ask: Ask, streams: Sequence[UUID]) -> dict[UUID, list[Recorded]]:
    found: defaultdict[UUID, list[Recorded]] = defaultdict(list)
    rows = await ask(EVENTS, [list(streams)]) if streams else []
    for stream, position, recorded_at, state in rows:
        found[stream].append(Recorded(position, recorded_at, decode(state)))
    return found


_OUTCOMES: Final = {
    Exchange.Applied: "applied", Exchange.Ignored: "ignored",
    Exchange.MessageRefused: "refused", Exchange.Parked: "parked",
}  # fmt: skip


class _Walked(Struct):
    exchange: Exchange
    """As it is now."""
    seen: list[_Seen]
    """Its incoming messages at their last outcome, in that order."""
    learned: Learned | None


def _walk(stream: UUID, history: Sequence[Recorded]) -> _Walked:
    exchange = Exchange(stream)
    received: dict[int, Exchange.MessageReceived] = {}
    seen: dict[int, _Seen] = {}
    learned, word = None, ""
    for recorded in history:
        event = recorded.event
        if isinstance(event, Exchange.MessageReceived):
            received[event.originator_version] = event
        elif isinstance(event, Outcome) and (message := received.get(event.reference)):
            seen.pop(event.reference, None)  # tried again: it stands where it was decided at last
            seen[event.reference] = _Seen(
                event.reference, message.message_id, message.mapping, recorded, message.raw,
                exchange.heard, exchange.told, exchange.remote_state, bool(exchange.number),
            )  # fmt: skip
        exchange.apply(event)
        if exchange.remote_state != word:
            word = exchange.remote_state
            learned = _learned(recorded, received) if word else None
    return _Walked(exchange, list(seen.values()), learned)


def _learned(recorded: Recorded, received: Mapping[int, Exchange.MessageReceived]) -> Learned:
    event = recorded.event
    assert isinstance(event, Outcome)
    message = received[event.reference]
    return Learned(
        event.reference, message.message_id, recorded.position, event.provenance.command_id
    )


async def _case(seen: _Seen, history: History, bodies: Bodies) -> Case | None:
    raw, heard, told = await bodies.kept(seen.raw, seen.heard, seen.told)
    ticket = history.before(seen.recorded) if seen.known else None
    if raw is None:
        return None
    return Case(
        reference=seen.reference,
        message_id=seen.message_id,
        mapping=seen.mapping,
        outcome=_OUTCOMES[type(seen.recorded.event)],
        position=seen.recorded.position,
        command=seen.recorded.event.provenance.command_id,
        withheld=getattr(seen.recorded.event, "withheld", ()),
        raw=raw,
        heard=heard,
        told=told,
        state=seen.state,
        ticket=ticket,
    )


class _Page(Struct):
    """Some conversations, with all that is needed to judge them."""

    walked: dict[UUID, _Walked]
    tickets: dict[UUID, list[Recorded]]
    bodies: Bodies


def _needed(walked: dict[UUID, _Walked]) -> list[list[Sealed]]:
    """The contents that each case refers to, in order."""
    return [
        [sealed for sealed in (seen.raw, seen.heard, seen.told) if sealed]
        for each in walked.values()
        for seen in each.seen
    ]
