"""A conformance run: a partner proves, case by case, that its interface does what was agreed on.

Everything that a report says stands in these events, with the places in the log that show it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import BEGINNING, Aggregate, Event, mutates
from domain.content import Sealed
from domain.errors import Invalid, NotNow, UnknownValue
from domain.helpdesk import PRODUCTION, Helpdesk, InterfaceState

ASKED: Final = "asked"
"""Code of a case that was left out because somebody wished so: nothing is proved."""

CLAIM: Final = "conformance-run"
"""Kind of claim: of each number there is one run with a helpdesk."""


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """How patient a run is, in whole seconds."""

    answer_s: int = 120
    """For what a machine does by itself."""
    wait_s: int = 3600
    """For what the partner's people have to do."""
    quiet_s: int = 10
    """Afterwards, for what must not come."""
    slow_s: int = 20
    """So late our doors answer in the case about that."""
    down_s: int = 60
    """So long they answer nothing else than "later", from the first attempt on."""

    def must_be_sensible(self) -> None:
        """Raises ``Invalid``."""
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise Invalid(f"{name} must be from 1 to {most} seconds")


_MOST: Final[Mapping[str, int]] = MappingProxyType({
    "answer_s": 3_600, "wait_s": 7 * 86_400, "quiet_s": 600, "slow_s": 300, "down_s": 3_600,
})  # fmt: skip

assert set(_MOST) == set(Terms.__struct_fields__), "every patience has an end"


class Signal(Enum):
    """What a partner may say about a case."""

    READY = "ready"
    """It did its part: what has not come within ``answer_s`` from now does not come."""
    SKIP = "skip"


class Verdict(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Result(Enum):
    """Of a whole run."""

    RUNNING = "running"
    PASSED = "passed"
    """No case failed, and none was left out that concerns the partner."""
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    """Nothing failed, and not everything was tried."""
    ABANDONED = "abandoned"


class Request(Struct, frozen=True, gc=False):
    """What the partner is asked to do just now."""

    number: int
    """Our ticket that it is about; 0 for none."""
    external_id: str
    word: str
    """The code word by which we know that it was done."""


class Case(Struct, gc=False):
    """The present state of a case in a run."""

    name: str
    verdict: Verdict = Verdict.WAITING
    code: str = ""
    detail: Sealed | None = None
    positions: tuple[int, ...] = ()
    exchanges: tuple[UUID, ...] = ()
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    request: Request | None = None
    ready_at: datetime | None = None
    skipping: bool = False


class ConformanceRun(Aggregate):
    KIND: Final = "conformance-run"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.helpdesk = self.adapter = self.mapping = self.environment = ""
        self.number = 0
        self.interface = InterfaceState.TESTING
        self.whole = False
        """All cases there are were chosen."""
        self.terms = Terms()
        self.cases: dict[str, Case] = {}
        self.result = Result.RUNNING
        self.started_at = self.ended_at = BEGINNING
        self.code = ""
        """Why it was abandoned."""

    class Started(Event, tag="conformance.started", frozen=True, kw_only=True, gc=False):
        """A partner begins to prove its interface, or somebody begins it for the partner."""

        helpdesk: str
        number: int
        """Of the run with this helpdesk: 1, 2, ..."""
        adapter: str
        mapping: str
        """Name and version of the mapping that is tried."""
        environment: str
        """Ours."""
        interface: str
        """The state of the partner's interface, which the run leaves as it was."""
        cases: tuple[str, ...]
        whole: bool
        """These are all cases there are."""
        terms: Terms

    def start(
        self,
        partner: Helpdesk,
        number: int,
        *,
        mapping: str,
        environment: str,
        cases: Iterable[str],
        whole: bool,
        terms: Terms,
    ) -> None:
        """Begin. Storing refuses a second run with this number. Raises ``NotNow``, ``Invalid``."""
        assert not self.version
        terms.must_be_sensible()
        if why := not_permitted(partner, environment):
            raise NotNow(why)
        chosen = tuple(dict.fromkeys(cases))
        if not chosen:
            raise Invalid("a run needs a case")
        self.claim(CLAIM, run_key(partner.name, number))
        self.trigger(
            ConformanceRun.Started,
            helpdesk=partner.name,
            number=number,
            adapter=partner.adapter,
            mapping=mapping,
            environment=environment,
            interface=partner.interface.value,
            cases=chosen,
            whole=whole,
            terms=terms,
        )

    @mutates(Started)
    def _started(self, event: Started) -> None:
        self.helpdesk, self.number = event.helpdesk, event.number
        self.adapter, self.mapping = event.adapter, event.mapping
        self.environment, self.interface = event.environment, InterfaceState(event.interface)
        self.whole, self.terms = event.whole, event.terms
        self.cases = {name: Case(name) for name in event.cases}
        self.started_at = self.at

    class CaseBegun(Event, tag="conformance.case-begun", frozen=True, kw_only=True, gc=False):
        """A case is tried from now on."""

        case: str

    def begin_case(self, case: str) -> None:
        self._must_run()
        assert self.cases[case].verdict is Verdict.WAITING
        self.trigger(ConformanceRun.CaseBegun, case=case)

    @mutates(CaseBegun)
    def _case_begun(self, event: CaseBegun) -> None:
        case = self.cases[event.case]
        case.verdict, case.begun_at = Verdict.RUNNING, self.at

    class PartnerAsked(Event, tag="conformance.partner-asked", frozen=True, kw_only=True, gc=False):
        """The run goes on when the partner has done its part of the case."""

        case: str
        number: int = 0
        """Our ticket that it is about."""
        external_id: str = ""
        word: str
        """The code word by which we know that it was done."""

    def ask_partner(self, case: str, request: Request) -> None:
        self._must_run()
        self.trigger(
            ConformanceRun.PartnerAsked,
            case=case,
            number=request.number,
            external_id=request.external_id,
            word=request.word,
        )

    @mutates(PartnerAsked)
    def _partner_asked(self, event: PartnerAsked) -> None:
        case = self.cases[event.case]
        case.request = Request(event.number, event.external_id, event.word)

    class Signalled(Event, tag="conformance.signalled", frozen=True, kw_only=True, gc=False):
        """The partner, or somebody for it, said how a case goes on."""

        case: str
        signal: str

    def take_signal(self, case: str, signal: Signal) -> None:
        """Raises ``NotNow``, ``UnknownValue``."""
        self._must_run()
        if case not in self.cases:
            raise UnknownValue("case", case, self.cases)
        verdict = self.cases[case].verdict
        possible = {Verdict.RUNNING} | ({Verdict.WAITING} if signal is Signal.SKIP else set())
        if verdict not in possible:
            raise NotNow(f"the case {case} is {verdict.value}")
        self.trigger(ConformanceRun.Signalled, case=case, signal=signal.value)

    @mutates(Signalled)
    def _signalled(self, event: Signalled) -> None:
        case = self.cases[event.case]
        if event.signal == Signal.SKIP.value:
            case.skipping = True
        else:
            case.ready_at = self.at

    class CasePassed(Event, tag="conformance.case-passed", frozen=True, kw_only=True, gc=False):
        """The partner did what was agreed on."""

        case: str
        positions: tuple[int, ...] = ()
        """Of the events that show it."""
        exchanges: tuple[UUID, ...] = ()
        """The conversations that it was seen in."""
        detail: Sealed

    class CaseFailed(Event, tag="conformance.case-failed", frozen=True, kw_only=True, gc=False):
        """The partner did something else, or nothing."""

        case: str
        code: str
        """What went wrong: a stable code."""
        positions: tuple[int, ...] = ()
        exchanges: tuple[UUID, ...] = ()
        detail: Sealed

    class CaseSkipped(Event, tag="conformance.case-skipped", frozen=True, kw_only=True, gc=False):
        """The case was left out."""

        case: str
        code: str
        """``not-applicable``, or ``asked``: nothing is proved then."""
        detail: Sealed

    def pass_case(
        self, case: str, detail: str, positions: Iterable[int], exchanges: Iterable[UUID]
    ) -> None:
        self._must_run(case)
        self.trigger(
            ConformanceRun.CasePassed,
            case=case,
            positions=tuple(positions),
            exchanges=tuple(exchanges),
            detail=self.seal(detail),
        )

    def fail_case(
        self,
        case: str,
        code: str,
        detail: str,
        positions: Iterable[int],
        exchanges: Iterable[UUID],
    ) -> None:
        self._must_run(case)
        self.trigger(
            ConformanceRun.CaseFailed,
            case=case,
            code=code,
            positions=tuple(positions),
            exchanges=tuple(exchanges),
            detail=self.seal(detail),
        )

    def skip_case(self, case: str, code: str, detail: str) -> None:
        self._must_run()
        self.trigger(ConformanceRun.CaseSkipped, case=case, code=code, detail=self.seal(detail))

    @mutates(CasePassed)
    def _case_passed(self, event: CasePassed) -> None:
        case = self._ended(event.case, Verdict.PASSED, event.detail)
        case.positions, case.exchanges = event.positions, event.exchanges

    @mutates(CaseFailed)
    def _case_failed(self, event: CaseFailed) -> None:
        case = self._ended(event.case, Verdict.FAILED, event.detail)
        case.code = event.code
        case.positions, case.exchanges = event.positions, event.exchanges

    @mutates(CaseSkipped)
    def _case_skipped(self, event: CaseSkipped) -> None:
        self._ended(event.case, Verdict.SKIPPED, event.detail).code = event.code

    def _ended(self, name: str, verdict: Verdict, detail: Sealed) -> Case:
        case = self.cases[name]
        case.verdict, case.ended_at, case.detail = verdict, self.at, detail
        return case

    class Finished(Event, tag="conformance.finished", frozen=True, kw_only=True, gc=False):
        """Every case has its verdict."""

        result: str
        """``passed``, ``failed`` or ``incomplete``."""

    def finish(self) -> None:
        """Every case has its verdict: say what that means."""
        self._must_run()
        assert not self.next_case(), "every case has its verdict"
        cases = self.cases.values()
        if any(case.verdict is Verdict.FAILED for case in cases):
            result = Result.FAILED
        elif not self.whole or any(case.code == ASKED for case in cases):
            result = Result.INCOMPLETE
        else:
            result = Result.PASSED
        self.trigger(ConformanceRun.Finished, result=result.value)

    @mutates(Finished)
    def _finished(self, event: Finished) -> None:
        self.result, self.ended_at = Result(event.result), self.at

    class Abandoned(Event, tag="conformance.abandoned", frozen=True, kw_only=True, gc=False):
        """It ended before every case had its verdict."""

        code: str
        """``asked``, or ``not-permitted`` where the terms of the partner changed meanwhile."""

    def abandon(self, code: str) -> None:
        self._must_run()
        self.trigger(ConformanceRun.Abandoned, code=code)

    @mutates(Abandoned)
    def _abandoned(self, event: Abandoned) -> None:
        self.result, self.ended_at, self.code = Result.ABANDONED, self.at, event.code

    # -- questions -----------------------------------------------------------------------------------

    def next_case(self) -> Case | None:
        """The one that runs, or else the first that waits."""
        left = [
            case
            for case in self.cases.values()
            if case.verdict in {Verdict.RUNNING, Verdict.WAITING}
        ]
        return min(left, key=lambda case: case.verdict is Verdict.WAITING, default=None)

    def _must_run(self, case: str = "") -> None:
        if self.result is not Result.RUNNING:
            raise NotNow(f"conformance run {self.number} of {self.helpdesk} is {self.result.value}")
        assert not case or self.cases[case].verdict is Verdict.RUNNING


def run_key(helpdesk: str, number: int) -> str:
    """The key of a run's claim: those of one helpdesk sort like their numbers."""
    return f"{helpdesk}/{number:06d}"


def not_permitted(partner: Helpdesk, environment: str) -> str:
    """Why nothing may be tried with this partner now; empty where it may.

    In production only an interface in state ``testing`` may be tried, and a live one never.
    """
    name, state = partner.name, partner.interface.value
    if partner.out_of_bounds(environment):
        return f"{name} is a real system, and this is a {environment} installation"
    if partner.interface not in {InterfaceState.TESTING, InterfaceState.LIVE}:
        return f"the interface to {name} is {state}: set it to testing first"
    if environment == PRODUCTION and partner.interface is InterfaceState.LIVE:
        return f"the interface to {name} is live, and this is no test: it works with real tickets"
    return ""
