"""Carries runs of partners' pasts through mappings on, in one process; another one goes on after a crash.

How far a run came is kept about once a second. What lies behind that is judged again: a correction that was made
is not made a second time, because then nothing is wrong any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from typing import Final

import psycopg
import structlog

from adapters.store.retranslations import Kept, Retranslations
from adapters.tasks import end
from api.bootstrap import Services
from api.correcting import Correcting, corrections
from api.retranslating import Differing, through_draft
from api.retranslation_progress import AT_ONCE, Run, changed, in_line, listable, run_of
from api.retranslation_views import RetranslatedTicket, ticket_view
from domain import clock
from domain.errors import Forbidden, NotNow, Refused, StoreUnavailable
from domain.rights import Actor

log = structlog.get_logger()

_LOOK_S: Final = 1.0
_SAVED_EVERY_S: Final = 0.5
_AGAIN_S: Final = 2.0
"""After the database was away."""


class Driver:
    def __init__(self, services: Services) -> None:
        self._services, self._kept = services, Retranslations(services.store)
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run(self, stop: asyncio.Event) -> None:
        """Go on with every run that is not over, and with new ones, until ``stop`` is set."""
        try:
            while not stop.is_set():
                for kept in in_line(await self._kept.running()):
                    key = kept.helpdesk, kept.number
                    if key not in self._tasks:
                        name = f"retranslation {kept.helpdesk}/{kept.number}"
                        self._tasks[key] = asyncio.create_task(self._drive(kept), name=name)
                self._tasks = {key: task for key, task in self._tasks.items() if not task.done()}
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK_S)
        finally:
            await end(*self._tasks.values())
            self._tasks.clear()

    async def _drive(self, kept: Kept) -> None:
        async with self._turns:
            over = False
            while not over:
                try:
                    await self._to_its_end(kept)
                    over = True
                except (StoreUnavailable, psycopg.OperationalError) as error:
                    log.warning("retranslation waits", helpdesk=kept.helpdesk, reason=str(error))
                    await asyncio.sleep(_AGAIN_S)

    async def _to_its_end(self, kept: Kept) -> None:
        fresh = await self._kept.last(kept.helpdesk)
        if fresh is None or not fresh.running or fresh.number != kept.number:
            return
        run = run_of(fresh)
        try:
            await self._work(fresh, run)
        except (StoreUnavailable, psycopg.OperationalError):
            raise
        except Refused as refusal:
            run.error = f"{refusal.code}: {refusal}"[:500]
        except Exception as error:  # the edge: a defect of ours ends the run, not the worker
            log.exception("retranslation failed", helpdesk=kept.helpdesk)
            run.error = f"{type(error).__name__}: {error}"[:500]
        run.ended_at = clock.now()
        await self._kept.save(changed(fresh, run, running=False))

    async def _work(self, kept: Kept, run: Run) -> None:
        """Until it is through, or somebody stopped it."""
        actor = await self._actor(run)
        waiting: list[RetranslatedTicket] = []
        since = saved = monotonic()
        async for found in self._found(kept, run, actor):
            if found is not None:
                waiting.append(found)
            now = monotonic()
            if now >= saved + _SAVED_EVERY_S:
                run.worked_s += now - since
                since = saved = now
                if not await self._save(kept, run, waiting, running=True):
                    return
                await self._must_hold(kept, run)
                waiting = []
        run.worked_s += monotonic() - since
        await self._save(kept, run, waiting, running=True)

    async def _save(
        self, kept: Kept, run: Run, waiting: list[RetranslatedTicket], *, running: bool
    ) -> bool:
        """The tickets first: what is counted can be read."""
        await self._kept.add(kept.helpdesk, kept.number, listable(run, waiting))
        return await self._kept.save(changed(kept, run, running=running))

    async def _found(
        self, kept: Kept, run: Run, actor: Actor
    ) -> AsyncIterator[RetranslatedTicket | None]:
        """Each conversation that is done with; None where there is nothing to tell of it."""
        if run.draft is not None:
            past = await through_draft(self._services, actor, kept.helpdesk, run.draft)
            work = None
        else:
            await self._must_hold(kept, run)
            work = await corrections(self._services, actor, kept.helpdesk)
            past = work.past
        past.summary = run.summary
        async for found in past.every(run.summary.cursor):
            if work is None:
                yield None if found is None else ticket_view(found)
            elif found is None or not found.corrections:
                yield None
            else:
                yield await self._corrected(work, run, actor, found)

    async def _corrected(
        self, work: Correcting, run: Run, actor: Actor, found: Differing
    ) -> RetranslatedTicket:
        done = await work.one(actor, found, dry_run=not run.apply)
        run.corrected += bool(done.position)
        run.refused += bool(done.refused)
        return ticket_view(found, done)

    async def _must_hold(self, kept: Kept, run: Run) -> None:
        """Corrections are those of one publication. Raises ``NotNow``."""
        partner = await self._services.exchange.conversations.known_partner(kept.helpdesk)
        if run.draft is None and partner.mapping_version != run.version:
            raise NotNow(f"{run.mapping} is not in force any more: begin again")

    async def _actor(self, run: Run) -> Actor:
        """Whoever began it, with the roles of now. Raises ``Forbidden``."""
        if run.person is None:
            raise Forbidden("only a person can begin it")
        person = await self._services.ledger.directory.person(run.person)
        if person is None:
            raise Forbidden(f"{run.actor} is not known any more")
        return Actor(run.actor, run.person, person.grants)
