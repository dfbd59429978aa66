"""Drives conformance runs, one of each partner at a time, in one process; another one goes on after a crash.

All that it must know after a crash stands in the events: the case that runs is tried again from its
beginning, where every step that was taken is found on the tape.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from adapters.kit.retry import Undelivered
from adapters.tasks import end
from api.bootstrap import Services
from api.conformance.bench import Bench
from api.conformance.cases import CASES
from api.conformance.changing import changed
from api.conformance.tape import Flooded, Tape
from api.conformance.waiting import RULE, Failed, Left, Over, step_tag
from domain import clock
from domain.conformance import ConformanceRun
from domain.conformance_terms import (
    ASKED,
    INTERRUPTED,
    NOT_APPLICABLE,
    Case,
    Finding,
    Result,
    Verdict,
    not_permitted,
)
from domain.errors import NotNow, Refused, StaleVersion, StoreUnavailable
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id, random_id
from domain.provenance import Provenance, acting
from projections.conformance_runs import Place, last_runs

log = structlog.get_logger()

_LOOK_S: Final = 1.0
_AGAIN_S: Final = 2.0
"""After the database was away."""


class Driver:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._over: set[UUID] = set()
        self._since = clock.now()
        """What was begun before was interrupted."""

    async def run(self, stop: asyncio.Event) -> None:
        """Go on with every run that is not over, and with new ones, until ``stop`` is set."""
        try:
            while not stop.is_set():
                places = await self._services.ask(last_runs)
                self._over &= {place.stream for place in places}
                for place in places:
                    self._attend(place)
                # Not woken by the log: it may never rest.
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK_S)
        finally:
            await end(*self._tasks.values())
            self._tasks.clear()

    def _attend(self, place: Place) -> None:
        task = self._tasks.get(place.stream)
        if place.stream not in self._over and (task is None or task.done()):
            self._tasks[place.stream] = asyncio.create_task(
                self._drive(place), name=f"conformance {place.helpdesk}/{place.number}"
            )

    async def _drive(self, place: Place) -> None:
        while True:
            try:
                await self._to_its_end(place)
                break
            except (StoreUnavailable, StaleVersion) as error:
                log.warning("conformance run waits", helpdesk=place.helpdesk, reason=str(error))
                await asyncio.sleep(_AGAIN_S)
        self._over.add(place.stream)

    async def _to_its_end(self, place: Place) -> None:
        history = await self._services.store.stream(place.stream)
        run = ConformanceRun.replay(place.stream, [each.event for each in history])
        partner = await self._partner(run)
        tape = Tape(self._services, run.helpdesk, step_tag(run), history[0].position)
        while (case := run.next_case()) and run.result is Result.RUNNING:
            bench = Bench(self._services, run, partner, tape, case.name)
            await bench.release()  # what a crash left
            partner = await self._partner(run)
            if why := self._not_permitted(run, partner):
                log.warning("conformance run is abandoned", helpdesk=run.helpdesk, why=why)
                run = await self._record(run, lambda found: found.abandon("not-permitted"))
                break
            bench.partner = partner
            run = await self._case(run, bench, case)
        else:
            if run.result is Result.RUNNING:
                run = await self._record(run, lambda found: found.finish())
        await Bench(self._services, run, partner, tape, "").release()

    async def _case(self, run: ConformanceRun, bench: Bench, case: Case) -> ConformanceRun:
        """Give one case its verdict."""
        name = case.name
        if case.skipping:
            return await self._record(run, lambda found: found.skip_case(name, ASKED, _WISH))
        if name not in CASES:  # a later version of this program took the run over
            return await self._record(run, lambda found: found.skip_case(name, ASKED, _UNKNOWN))
        if why := CASES[name].why_not(bench.manner, bench.partner.policy):
            return await self._record(run, lambda found: found.skip_case(name, NOT_APPLICABLE, why))
        if case.verdict is Verdict.WAITING:
            run = await self._record(run, lambda found: found.begin_case(name))
            bench.run = run
        return await self._record(run, await self._verdict(bench, name))

    async def _verdict(self, bench: Bench, name: str) -> Callable[[ConformanceRun], None]:
        begun_at, limit_s = bench.case.begun_at, bench.terms.case_s()
        assert begun_at is not None
        left_s = limit_s - (clock.now() - begun_at).total_seconds()
        deadline = asyncio.timeout(left_s)
        try:
            async with deadline:
                said = await CASES[name].run(bench)
            found = _finding(bench, said)
            return lambda run: run.pass_case(name, found)
        except Left as left:
            code, detail = left.code, str(left)
            return lambda run: run.skip_case(name, code, detail)
        except Over:
            return lambda _: None
        except (StoreUnavailable, StaleVersion):
            raise
        except TimeoutError as error:
            if deadline.expired() and begun_at < self._since:
                return lambda run: run.skip_case(name, INTERRUPTED, _AWAY)
            code, detail = "deadline", f"no end within {limit_s} s {error}".rstrip()
        except (Failed, Undelivered, Refused) as failure:
            code, detail = failure.code, str(failure)
        except Flooded:
            code, detail = "flooded", "the partner brought more messages than a run can lead to"
        except Exception as error:  # the edge: a defect of ours ends the case, not the worker
            log.exception("conformance case failed", helpdesk=bench.partner.name, case=name)
            code, detail = "our-defect", f"{type(error).__name__}: {error}"
        finally:
            await bench.release()
        found = _finding(bench, detail[:1000], code)
        return lambda run: run.fail_case(name, found)

    async def _record(
        self, run: ConformanceRun, decide: Callable[[ConformanceRun], None]
    ) -> ConformanceRun:
        """Store a decision, unless the run was ended meanwhile; the run as it is then."""
        tag = step_tag(run)
        with acting(Provenance(RULE.name, random_id(), tag.rstrip("/"))):
            try:
                await changed(self._services, run.id, decide)
            except NotNow:
                log.info("conformance run was ended by somebody", helpdesk=run.helpdesk)
        found = await self._services.ledger.load(ConformanceRun, run.id)
        assert found is not None
        return found

    async def _partner(self, run: ConformanceRun) -> Helpdesk:
        partner = await self._services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, run.helpdesk))
        assert partner is not None
        return partner

    def _not_permitted(self, run: ConformanceRun, partner: Helpdesk) -> str:
        if partner.adapter != run.adapter:
            return f"{partner.name} has the adapter {partner.adapter} now"
        if partner.adapter not in self._services.exchange.conversations.adapters:
            return f"there is no adapter {partner.adapter}"
        mapping = self._services.exchange.conversations.place(partner).mapping
        if mapping != run.mapping:
            return f"the mapping is {mapping} now"
        if partner.interface is InterfaceState.PAUSED:
            return f"the interface to {partner.name} is paused"
        return not_permitted(partner, run.environment)


def _finding(bench: Bench, detail: str, code: str = "") -> Finding:
    evidence = bench.evidence
    return Finding(
        detail=detail,
        code=code,
        positions=tuple(sorted(evidence.positions)),
        exchanges=tuple(evidence.exchanges),
    )


_AWAY: Final = (
    "our service was away in the middle of this case, for too long to go on: try it again"
)
_WISH: Final = "the partner wished to leave it out"
_UNKNOWN: Final = "this version of the program does not know it"
