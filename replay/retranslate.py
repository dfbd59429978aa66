"""Run everything ever received from a partner through other eyes: each message as it came, the ticket as it was then.

What the eyes are is the caller's: this module reads the log and knows nothing of formats. It goes conversation by
conversation, in order of their identifiers, so that it can stop anywhere and go on from there; memory holds
two pages of conversations without their messages, and of those some megabytes at a time.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, Generic, LiteralString, TypeVar
from uuid import UUID

from msgspec import Struct

from domain.content import Sealed
from domain.exchange import Exchange
from domain.formats import decode
from domain.identifiers import ticket_id
from domain.store import Recorded
from domain.ticket import Ticket

T = TypeVar("T")
Ask = Callable[[LiteralString, Sequence[Any]], Awaitable[list[tuple[Any, ...]]]]
"""Puts one statement to the database."""

CONVERSATIONS: Final = """
    SELECT originator_id, count(*) FROM ledger.claim
     WHERE kind = %b AND originator_id > %b GROUP BY originator_id ORDER BY originator_id LIMIT %b
"""
EVENTS: Final = """
    SELECT originator_id, position, recorded_at, state FROM ledger.event
     WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version
"""
BODIES: Final = "SELECT id, body FROM ledger.content WHERE id = ANY(%b)"

BEGINNING: Final = UUID(int=0)
_LISTED: Final = 10_000
_PAGE_MESSAGES: Final = 1_000
_CHUNK_BYTES: Final = 8_000_000
_CHUNK_MESSAGES: Final = _PAGE_MESSAGES

Outcome = Exchange.Applied | Exchange.Ignored | Exchange.MessageRefused | Exchange.Parked


class Kept(Struct, frozen=True):
    """A message of the conversation."""

    id: UUID
    body: bytes


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


class Conversation(Struct, Generic[T], kw_only=True):
    id: UUID
    """Go on after this one."""
    number: int
    """Our ticket; 0 where there is none."""
    external_id: str
    remote_state: str
    state_position: int
    """Of the outcome with which that was learned; 0 where there is none."""
    messages: int
    """That got an outcome."""
    erased: int
    """Messages among them whose content is gone."""
    told: list[Told[T]]
    ticket: Ticket | None
    """As it is now."""


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
    numbers = {exchange.number for exchange, _ in walked.values() if exchange.number}
    tickets = await _events(ask, [ticket_id(number) for number in numbers])
    bodies = _Bodies(ask, [seen for _, all_seen in walked.values() for seen in all_seen])
    await bodies.ahead()
    return _Page(exchanges, walked, tickets, bodies)


async def _judged(page: "_Page", judge: Judge[T]) -> AsyncIterator[Conversation[T]]:
    for stream, (exchange, all_seen) in page.walked.items():
        await asyncio.sleep(0)
        history = _History(exchange.number, page.tickets)
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
            state_position=_state_position(page.exchanges[stream]),
            messages=len(all_seen),
            erased=erased,
            told=told,
            ticket=history.whole(),
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


def _walk(stream: UUID, history: Sequence[Recorded]) -> tuple[Exchange, list[_Seen]]:
    """The conversation as it is now, and its incoming messages at their last outcome, in that order."""
    exchange = Exchange(stream)
    received: dict[int, Exchange.MessageReceived] = {}
    seen: dict[int, _Seen] = {}
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
    return exchange, list(seen.values())


def _state_position(history: Sequence[Recorded]) -> int:
    return next(
        (
            recorded.position
            for recorded in reversed(history)
            if isinstance(recorded.event, Exchange.Applied | Exchange.Ignored)
            and recorded.event.remote_state
        ),
        0,
    )


async def _case(seen: _Seen, history: "_History", bodies: "_Bodies") -> Case | None:
    raw = await bodies.kept(seen.raw)
    ticket = history.before(seen.recorded) if seen.known else None
    if raw is None:
        return None
    return Case(
        reference=seen.reference,
        message_id=seen.message_id,
        mapping=seen.mapping,
        outcome=_OUTCOMES[type(seen.recorded.event)],
        position=seen.recorded.position,
        raw=raw,
        heard=await bodies.kept(seen.heard),
        told=await bodies.kept(seen.told),
        state=seen.state,
        ticket=ticket,
    )


class _Page(Struct):
    """Some conversations, with all that is needed to judge them."""

    exchanges: dict[UUID, list[Recorded]]
    walked: dict[UUID, tuple[Exchange, list[_Seen]]]
    tickets: dict[UUID, list[Recorded]]
    bodies: "_Bodies"


class _History:
    """A ticket that moves on from case to case."""

    def __init__(self, number: int, histories: dict[UUID, list[Recorded]]) -> None:
        stream = ticket_id(number) if number else BEGINNING
        self._events = histories.get(stream, []) if number else []
        self._ticket = Ticket(stream)
        self._next = 0

    def before(self, outcome: Recorded) -> Ticket | None:
        """The ticket without what the message itself brought about: that was recorded together with the outcome."""
        command = outcome.event.provenance.command_id
        while self._next < len(self._events):
            recorded = self._events[self._next]
            own = recorded.event.provenance.command_id == command
            if recorded.position > outcome.position or own:
                break
            self._ticket.apply(recorded.event)
            self._next += 1
        return self._ticket if self._ticket.version else None

    def whole(self) -> Ticket | None:
        for recorded in self._events[self._next :]:
            self._ticket.apply(recorded.event)
        self._next = len(self._events)
        return self._ticket if self._ticket.version else None


class _Bodies:
    """The contents of messages in the order in which they are needed, some megabytes ahead."""

    def __init__(self, ask: Ask, needed: Sequence[_Seen]) -> None:
        self._ask = ask
        self._needed = [
            [sealed for sealed in (seen.raw, seen.heard, seen.told) if sealed] for seen in needed
        ]
        self._at = 0
        self._held: dict[UUID, bytes] = {}
        self._asked: set[UUID] = set()

    async def kept(self, sealed: Sealed | None) -> Kept | None:
        """None for what was erased."""
        if sealed is None:
            return None
        if sealed.id not in self._asked:
            await self.ahead()
        assert sealed.id in self._asked, "contents are asked for in the order of the cases"
        body = self._held.get(sealed.id)
        return None if body is None else Kept(sealed.id, body)

    async def ahead(self) -> None:
        """Fetch what comes next."""
        size, ids = 0, set[UUID]()
        first = self._at
        while self._at < len(self._needed) and (
            self._at == first or (size < _CHUNK_BYTES and self._at < first + _CHUNK_MESSAGES)
        ):
            for sealed in self._needed[self._at]:
                if sealed.id not in ids:
                    ids.add(sealed.id)
                    size += sealed.size
            self._at += 1
        self._held = dict(await self._ask(BODIES, [list(ids)]))
        self._asked = ids
