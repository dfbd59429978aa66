"""Compares the tickets exchanged with a partner, a page at a time: what diverges is recorded, and put right if wanted.

One look may come between a change and its message. So what differs is looked at again some seconds later,
and counts only when nothing happened in the conversation meanwhile.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.carriers import Carriers
from adapters.kit.comparing import Difference, Ours, Repair, differences
from adapters.kit.comparing_sides import our_side
from adapters.kit.conversations import CONNECTED, Conversations
from adapters.kit.interface import Observer, Seen
from adapters.kit.repairing import Effect, Repairing
from domain.errors import NothingToDo, NotNow
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.log import LOG_ID, Log

PAGE: Final = 50
"""What an observer is asked for at once."""
BEGINNING: Final = UUID(int=0)
CONFIRM_S: Final = 15.0
"""A few times as long as it takes to hear of a partner's change."""


class Linked(Protocol):
    """Where the linked tickets are listed."""

    async def page(self, helpdesk: str, after: UUID, limit: int) -> Sequence[UUID]:
        """Conversations in order of their identifiers whose ticket is not long final."""
        ...

    async def helpdesks(self) -> Sequence[str]:
        """Names of the partners that such tickets are linked with."""
        ...


class Nothing:
    """For an exchange that nobody compares."""

    async def page(self, helpdesk: str, after: UUID, limit: int) -> Sequence[UUID]:  # noqa: ARG002
        return []

    async def helpdesks(self) -> Sequence[str]:
        return []


class Diverging(Struct, frozen=True):
    """A difference, and the ticket that it was found at."""

    exchange: UUID
    number: int
    external_id: str
    field: str
    ours: str
    theirs: str
    repair: str
    """What is done about it; empty: an operator decides."""


class Compared(Struct, frozen=True, kw_only=True):
    """A page of a comparison."""

    compared: int
    diverging: list[Diverging]
    recorded: int
    """So many of them are new, or are put right now."""
    converged: int
    next: UUID | None
    """To go on."""


class _Judged(Struct, frozen=True):
    exchange: Exchange
    ours: Ours
    found: list[Difference]


class Pages:
    """Compares a page of the tickets that are exchanged with a partner, records what differs, and puts it right where asked to."""

    def __init__(
        self,
        conversations: Conversations,
        carriers: Carriers,
        repairing: Repairing,
        linked: Linked,
        *,
        confirm_s: float = CONFIRM_S,
    ) -> None:
        self._conversations, self._carriers, self._repairing = conversations, carriers, repairing
        self._linked, self._confirm_s = linked, confirm_s

    async def compare(
        self,
        helpdesk: str,
        after: UUID = BEGINNING,
        *,
        repair: bool,
        limit: int = PAGE,
        confirm: bool = True,
    ) -> Compared:
        """Compare the next conversations. Needs an ``acting`` block. ``confirm``: look twice.

        Raises ``EntryNotFound``, ``NotNow`` where the partner's tickets cannot be read, ``Undelivered``.
        """
        partner = await self._conversations.known_partner(helpdesk)
        if partner.interface not in CONNECTED:
            raise NotNow(f"the interface to {helpdesk} is {partner.interface.value}")
        observer = await self._carriers.observer(partner)
        if observer is None:
            raise NotNow(f"the tickets of {helpdesk} cannot be read")
        streams = await self._linked.page(helpdesk, after, min(limit, PAGE))
        judged = await self._judge(observer, partner, streams)
        suspects = [each.exchange.id for each in judged if each.found]
        if suspects and confirm:
            await asyncio.sleep(self._confirm_s)
            before = {each.exchange.id: each for each in judged}
            again = await self._judge(observer, partner, suspects)
            confirmed = {
                each.exchange.id: _both(before[each.exchange.id], each)
                for each in again
                if each.exchange.version == before[each.exchange.id].exchange.version
            }
            judged = [each for each in judged if not each.found] + list(confirmed.values())
        return await self._recorded(partner, streams, judged, repair=repair, limit=limit)

    async def _judge(
        self, observer: Observer, partner: Helpdesk, streams: Sequence[UUID]
    ) -> list[_Judged]:
        log = await self._conversations.ledger.load(Log, LOG_ID)
        lost = log.positions if log else ()
        sides = [
            side
            for stream in streams
            if (side := await our_side(self._conversations, stream, partner, lost)) is not None
        ]
        if not sides:
            return []
        seen: dict[str, Seen] = {
            each.external_id: each
            for each in await observer.look([ours.external_id for _, ours in sides])
        }
        words = self._conversations.place(partner).words
        return [
            _Judged(exchange, ours, differences(ours, seen[ours.external_id], words))
            for exchange, ours in sides
            if ours.external_id in seen
        ]

    async def _recorded(
        self,
        partner: Helpdesk,
        streams: Sequence[UUID],
        judged: Sequence[_Judged],
        *,
        repair: bool,
        limit: int,
    ) -> Compared:
        diverging: list[Diverging] = []
        recorded = converged = 0
        for each in judged:
            effects: list[tuple[Difference, Effect | None]] = []
            for found in each.found:
                effect = await self._effect(each.exchange, partner, found) if repair else None
                kind = found.repair if effect else Repair.NONE
                if found.repair is Repair.FOLLOW and repair and effect is None:
                    continue  # merged with the ticket of another of ours: each keeps its own
                effects.append((structs.replace(found, repair=kind), effect))
            new, gone, shown = await self._record(each, effects)
            recorded, converged = recorded + new, converged + gone
            diverging += shown
        whole = len(streams) < min(limit, PAGE)
        return Compared(
            compared=len(judged),
            diverging=diverging,
            recorded=recorded,
            converged=converged,
            next=None if whole else streams[-1],
        )

    async def _effect(
        self, exchange: Exchange, partner: Helpdesk, found: Difference
    ) -> Effect | None:
        known = exchange.diverged.get(found.field)
        if known and known.repair and (known.ours, known.theirs) == (found.ours, found.theirs):
            return None  # it was tried, and did not help
        if exchange.accepted.get(found.field) == (found.ours, found.theirs):
            return None
        return await self._repairing.effect(exchange, partner, found)

    async def _record(
        self, judged: _Judged, effects: Sequence[tuple[Difference, Effect | None]]
    ) -> tuple[int, int, list[Diverging]]:
        """How many are new, how many are over, and all that diverge."""
        exchange = judged.exchange
        fields = {found.field for found, _ in effects}
        link_only = bool(fields & {"ticket"}) or not judged.ours.quiet
        over = [] if link_only else [each for each in exchange.diverged if each not in fields]
        recorded = 0

        def decide(fresh: Exchange) -> None:
            nonlocal recorded
            recorded = 0
            if fresh.version != exchange.version:
                return  # it went on meanwhile: the next comparison will see
            for field in over:
                fresh.converge(field)
            for found, effect in effects:
                with suppress(NothingToDo):
                    fresh.diverge(found.field, found.ours, found.theirs, found.repair.value)
                    recorded += 1
                    if effect:
                        effect(fresh)

        if over or effects:
            await self._conversations.change(exchange.id, decide)
        accepted = exchange.accepted
        shown = [
            Diverging(
                exchange.id, exchange.number, exchange.external_id,
                found.field, found.ours, found.theirs, found.repair.value,
            )
            for found, _ in effects
            if accepted.get(found.field) != (found.ours, found.theirs)
        ]  # fmt: skip
        return recorded, len(over), shown


def _both(first: _Judged, second: _Judged) -> _Judged:
    """What differs in both looks; nothing is judged where that is nothing."""
    found = [each for each in second.found if each in first.found]
    return _Judged(second.exchange, second.ours, found)
