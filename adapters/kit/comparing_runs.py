"""Compares the tickets exchanged with a partner, page by page: what diverges is recorded, and put right if wanted.

One look may come between a change and its message. So what differs is looked at again some seconds later,
and counts only when nothing happened in the conversation meanwhile.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct, structs

from adapters.kit.carriers import Carriers, Observer, Seen
from adapters.kit.comparing import Difference, Ours, Repair, differences
from adapters.kit.conversations import CONNECTED, Conversations
from adapters.kit.polling import Checkpoints
from adapters.kit.repairing import Effect, Repairing, last_change, sent_messages
from adapters.kit.retry import Undelivered
from domain import clock, disclosure
from domain.errors import NothingToDo, NotNow
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import random_id
from domain.provenance import Provenance, acting
from domain.store import Recorded
from domain.ticket import Ticket

log = structlog.get_logger()

COMPARED: Final = "compared:"
"""Before the partner's name: under which the state of its comparison is kept."""
PAGE: Final = 50
"""What an observer is asked for at once."""
BEGINNING: Final = UUID(int=0)
_RULE: Final = "rule:comparison@1"
CONFIRM_S: Final = 15.0
"""A few times as long as it takes to hear of a partner's change."""
_PACE_S: Final = 1.0
_AWAY_S: Final = 60.0
_MESSAGES: Final = timedelta(days=30)
"""Older ones are not asked for."""


class Linked(Protocol):
    """Where the linked tickets are listed."""

    async def page(self, helpdesk: str, after: UUID, limit: int) -> Sequence[UUID]:
        """Conversations in order of their identifiers whose ticket is not long final."""
        ...

    async def helpdesks(self) -> Sequence[str]: ...


class Nothing:
    """For an exchange that nobody compares."""

    async def page(self, helpdesk: str, after: UUID, limit: int) -> Sequence[UUID]:  # noqa: ARG002
        return []

    async def helpdesks(self) -> Sequence[str]:
        return []


class Diverging(Struct, frozen=True):
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


class Progress(Struct, kw_only=True):
    """How a comparison of all tickets goes. Kept, so that it goes on after a crash."""

    begun_at: datetime
    ended_at: datetime | None = None
    after: UUID = BEGINNING
    compared: int = 0
    diverging: int = 0
    repaired: int = 0
    error: str = ""
    """Of the last attempt to ask the partner; empty when it went well."""

    def add(self, page: Compared) -> None:
        self.compared += page.compared
        self.diverging += len(page.diverging)
        self.repaired += sum(1 for each in page.diverging if each.repair)
        self.error = ""
        if page.next is None:
            self.ended_at = clock.now()
        else:
            self.after = page.next


class _Judged(Struct, frozen=True):
    exchange: Exchange
    ours: Ours
    found: list[Difference]


class Comparison:
    def __init__(
        self,
        conversations: Conversations,
        carriers: Carriers,
        repairing: Repairing,
        linked: Linked,
        checkpoints: Checkpoints,
        *,
        every_s: float = 0,
        confirm_s: float = CONFIRM_S,
    ) -> None:
        """``every_s``: how often all partners are compared by themselves; 0 for never."""
        self._conversations, self._carriers, self._repairing = conversations, carriers, repairing
        self._linked, self._checkpoints = linked, checkpoints
        self._every_s, self._confirm_s = every_s, confirm_s

    async def page(
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
        sides = [
            side for stream in streams if (side := await self._ours(stream, partner)) is not None
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

    async def _ours(self, stream: UUID, partner: Helpdesk) -> tuple[Exchange, Ours] | None:
        ledger = self._conversations.ledger
        history = await ledger.store.stream(stream)
        exchange = Exchange.replay(stream, [each.event for each in history])
        if not exchange.external_id or not exchange.number:
            return None
        about = await ledger.history(exchange.number)
        ticket = Ticket.replay(about[0].event.originator_id, [each.event for each in about])
        place = self._conversations.place(partner)
        domain = place.our_address.rpartition("@")[2]
        recent = _positions_since(history, clock.now() - _MESSAGES)
        told = {
            f"<{stream.hex}.{position}@{domain}>": position
            for position, rule, _ in sent_messages(history)
            if rule != disclosure.OPENING.rule and position in recent
        }
        heard = {
            field for field in ("priority", "unit") if _by(last_change(about, field), partner.name)
        }
        return exchange, Ours(
            number=exchange.number,
            external_id=exchange.external_id,
            linked_at=exchange.linked_at,
            status=ticket.status,
            priority=ticket.priority,
            unit=ticket.unit,
            remote_state=exchange.remote_state,
            told=told,
            heard=frozenset(heard),
            units=partner.units,
            everything=partner.policy is Policy.FULL,
            quiet=not exchange.messages and exchange.decided_until >= about[-1].position,
        )

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

    # -- all of them ---------------------------------------------------------------------------------

    async def progress(self, helpdesk: str) -> Progress | None:
        """How the last comparison of all tickets went, or goes; None where there was none."""
        _, memory = await self._checkpoints.load(COMPARED + helpdesk)
        return msgspec.json.decode(memory, type=Progress) if memory else None

    async def whole(
        self, helpdesk: str, *, repair: bool, anew: bool = False, confirm: bool = True
    ) -> Progress:
        """Compare all tickets, going on where a comparison that did not end left off unless ``anew``.

        Raises as ``page``.
        """
        progress = await self.progress(helpdesk)
        if anew or progress is None or progress.ended_at is not None:
            progress = Progress(begun_at=clock.now())
        while progress.ended_at is None:
            with acting(Provenance(_RULE, random_id(), f"comparison:{helpdesk}")):
                try:
                    page = await self.page(helpdesk, progress.after, repair=repair, confirm=confirm)
                except Undelivered as failure:
                    progress.error = f"{failure.code}: {failure}"[:500]
                    await self._keep(helpdesk, progress)
                    raise
            progress.add(page)
            await self._keep(helpdesk, progress)
            if progress.ended_at is None:
                await asyncio.sleep(_PACE_S)
        return progress

    async def _keep(self, helpdesk: str, progress: Progress) -> None:
        await self._checkpoints.save(COMPARED + helpdesk, 0, msgspec.json.encode(progress))

    async def run(self, stop: asyncio.Event) -> None:
        """Compare all partners now and then until ``stop`` is set. Nothing is put right by that."""
        while not stop.is_set() and self._every_s:
            pause_s = self._every_s
            for helpdesk in await self._linked.helpdesks():
                progress = await self.progress(helpdesk)
                if progress is None or progress.ended_at is None or self._due(progress):
                    try:
                        await self.whole(helpdesk, repair=False)
                    except NotNow:
                        continue  # nothing to compare with, or not now
                    except Undelivered as failure:
                        log.warning("cannot compare", helpdesk=helpdesk, code=failure.code)
                        pause_s = min(pause_s, _AWAY_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(pause_s, _AWAY_S))

    def _due(self, progress: Progress) -> bool:
        return clock.now() - progress.begun_at >= timedelta(seconds=self._every_s)

    async def after_restore(self, partner: Helpdesk) -> None:
        """Put right what a rule can, before anything that the partner says now is believed.

        Raises ``Undelivered``, ``StoreUnavailable``.
        """
        log.error("partner was restored from a backup", helpdesk=partner.name)
        with suppress(NotNow):
            progress = await self.whole(partner.name, repair=True, anew=True, confirm=False)
            log.warning(
                "compared after the restore", helpdesk=partner.name,
                compared=progress.compared, diverging=progress.diverging,
            )  # fmt: skip


def _both(first: _Judged, second: _Judged) -> _Judged:
    """What differs in both looks; nothing is judged where that is nothing."""
    found = [each for each in second.found if each in first.found]
    return _Judged(second.exchange, second.ours, found)


def _positions_since(history: Sequence[Recorded], since: datetime) -> set[int]:
    """The events of which the partner was told since then."""
    decided: dict[int, int] = {}
    found: set[int] = set()
    for each in history:
        event = each.event
        if isinstance(event, Exchange.DispatchDecided | Exchange.Repeated):
            decided[event.originator_version] = event.event_position
        elif isinstance(event, Exchange.Dispatched) and each.recorded_at >= since:
            found.add(decided.get(event.reference, 0))
    return found


def _by(change: Recorded | None, helpdesk: str) -> bool:
    return change is not None and change.event.provenance.actor == f"helpdesk:{helpdesk}"
