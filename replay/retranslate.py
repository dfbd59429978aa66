"""Run everything ever received from a partner through other eyes: each message as it came, the ticket as it was then.

What the eyes are is the caller's: this module reads the log and knows nothing of formats. It goes conversation by
conversation, in order of their identifiers, so that it can stop anywhere and go on from there; memory holds
two pages of conversations without their messages, and of those some megabytes at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from msgspec import Struct

from domain.identifiers import ticket_id
from domain.ticket import Ticket
from replay.outcomes import Decided, Learned, Walked, walk
from replay.slices import Slices
from replay.streams import Ask, Placed, Row, streams
from replay.walking import Bodies, History, Kept

T = TypeVar("T")

CONVERSATIONS: Final = """
    SELECT originator_id, count(*) FROM ledger.claim
     WHERE kind = %b AND originator_id > %b GROUP BY originator_id ORDER BY originator_id LIMIT %b
"""

BEGINNING: Final = UUID(int=0)
_LISTED: Final = 50_000
_PAGE_MESSAGES: Final = 1_000


class Case(Struct, frozen=True, gc=False):
    """A message in the light in which it got its outcome."""

    message: Decided
    raw: Kept
    heard: Kept | None
    """The last message before it that was understood."""
    told: Kept | None
    ticket: Ticket | None
    """As it was just before. It moves on with the next case: keep no reference to it."""


Judge = Callable[[Case], T | None]
"""What is to be told of a message; None for nothing."""


class Told(Struct, Generic[T], frozen=True):
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
    learned: Learned | None
    """How we came to know that; None where the partner never said any."""
    messages: int
    """That got an outcome."""
    erased: int
    """Messages among them whose content is gone."""
    told: list[Told[T]]
    ticket: Ticket | None
    """As it is now."""
    changes: Mapping[str, Placed]
    """What changed each of its fields last."""


class _Page(Struct):
    """Some conversations, with all that is needed to judge them."""

    walked: list[Walked]
    tickets: Mapping[int, Sequence[Row]]
    """By number."""
    bodies: Bodies


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


async def _fetch(ask: Ask, wanted: list[UUID]) -> _Page:
    exchanges = await streams(ask, wanted)
    slices, walked = Slices(), list[Walked]()
    for stream, rows in zip(wanted, exchanges, strict=True):
        await slices.rest()
        walked.append(walk(stream, rows))
    numbers = sorted({each.number for each in walked if each.number})
    tickets = await streams(ask, [ticket_id(number) for number in numbers])
    bodies = Bodies(ask, [message for each in walked for message in each.messages])
    await bodies.ahead()
    return _Page(walked, dict(zip(numbers, tickets, strict=True)), bodies)


async def _judged(page: _Page, judge: Judge[T]) -> AsyncIterator[Conversation[T]]:
    slices = Slices()
    for walked in page.walked:
        await slices.rest()
        history = History(walked.number, page.tickets.get(walked.number, ()))
        told: list[Told[T]] = []
        erased = 0
        for message in walked.messages:
            raw, heard, told_before = await page.bodies.next()
            ticket = history.before(message) if message.known else None
            if raw is None:
                erased += 1
            elif (what := judge(Case(message, raw, heard, told_before, ticket))) is not None:
                told.append(_told(message, what))
        yield Conversation(
            id=walked.id,
            number=walked.number,
            external_id=walked.external_id,
            remote_state=walked.remote_state,
            learned=walked.learned,
            messages=len(walked.messages),
            erased=erased,
            told=told,
            ticket=history.whole(),
            changes=history.changes,
        )


def _told(message: Decided, what: T) -> Told[T]:
    return Told(message.reference, message.message_id, message.outcome, message.position, what)
