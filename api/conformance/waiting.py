"""The patience of a conformance case: it waits for what the log tells, and hears what is said about it meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, TypeVar
from uuid import UUID

from msgspec import Struct

from api.bootstrap import Services
from api.conformance.tape import Entry, Tape
from domain.conformance import ConformanceRun
from domain.conformance_terms import ASKED, Case, Result
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.rights import Actor

T = TypeVar("T")

RULE: Final = Actor.rule("conformance@1")
_LOOK_S: Final = 1.0
_PAUSE_S: Final = 0.1


class Failed(Exception):
    """The case is failed. ``code`` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Left(Exception):
    """The case is left out, for a reason of its own or because somebody asked for it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Over(Exception):
    """The run was ended from outside."""


class Evidence(Struct):
    """What a case was judged by."""

    positions: list[int]
    exchanges: list[UUID]

    def see(self, *entries: Entry) -> None:
        for each in entries:
            if each.position not in self.positions:
                self.positions.append(each.position)
            stream = each.event.originator_id
            if type(each.event) in Exchange.mutators and stream not in self.exchanges:
                self.exchanges.append(stream)


def step_tag(run: ConformanceRun) -> str:
    """How the names of all steps of a run begin."""
    return f"conformance:{run.helpdesk}/{run.number}/"


class Waiting:
    """Of one case."""

    def __init__(
        self, services: Services, run: ConformanceRun, partner: Helpdesk, tape: Tape, case: str
    ) -> None:
        self.services, self.parts = services, services.exchange
        self.run, self.partner, self.tape = run, partner, tape
        self.name = case
        self.terms, self.doors = run.terms, services.doors
        self.evidence = Evidence([], [])
        self._grace_s = 0
        """What our own door adds to the time that a partner needs."""

    @property
    def case(self) -> Case:
        return self.run.cases[self.name]

    # -- waiting -------------------------------------------------------------------------------------

    async def until(
        self,
        what: str,
        found: Callable[[], T | None],
        *,
        code: str = "no-answer",
        ours: bool = False,
    ) -> T:
        """Wait for something on the tape.

        ``ours``: machines are to do it. Otherwise it is the partner's people, who may say that they are
        ready or want to leave the case out. Raises ``Failed`` with ``code``, ``Left``, ``Over``.
        """

        async def ask() -> T | None:
            return found()

        return await self.until_known(what, ask, code=code, ours=ours)

    async def until_known(
        self, what: str, ask: Callable[[], Awaitable[T | None]], *, code: str, ours: bool = False
    ) -> T:
        """The same for what has to be asked for."""
        began = monotonic()
        limit_s = self.terms.answer_s if ours else self.terms.wait_s
        ready_s: float | None = None
        while True:
            await self.tape.forward()
            answer = await ask()
            if answer is not None:
                return answer
            await self._listen()
            now = monotonic()
            if self.case.ready_at is not None and ready_s is None:
                ready_s = now - began + self.terms.answer_s + self._grace_s
            waited_s = now - began
            if waited_s >= min(limit_s, limit_s if ready_s is None else ready_s):
                raise Failed(code, f"not seen within {round(waited_s)} s: {what}")
            await self.tape.forward(_LOOK_S)
            await asyncio.sleep(_PAUSE_S)  # the log may never rest

    async def quiet(self) -> None:
        """Wait for what must not come."""
        until = monotonic() + self.terms.quiet_s
        while (left_s := until - monotonic()) > 0:
            await self.tape.forward(min(left_s, _LOOK_S))
        await self.tape.forward()

    async def _listen(self) -> None:
        """Hear what was said about the run meanwhile."""
        run = await self.services.ledger.load(ConformanceRun, self.run.id)
        assert run is not None
        self.run = run
        if run.result is not Result.RUNNING:
            raise Over
        if self.case.skipping:
            raise Left(ASKED, "the partner wished to leave it out")
