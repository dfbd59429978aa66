"""A conformance run: a partner proves, case by case, that its interface does what was agreed on.

Everything that a report says stands in these events, with the places in the log that show it.
"""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from domain.aggregate import BEGINNING, Aggregate, Event, mutates
from domain.conformance_terms import (
    CLAIM,
    UNPROVED,
    Case,
    Finding,
    Request,
    Result,
    Signal,
    Terms,
    Verdict,
    not_permitted,
    run_key,
)
from domain.content import Sealed
from domain.errors import Invalid, NotNow, UnknownValue
from domain.helpdesk import Helpdesk, InterfaceState


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
        case.ready_at = None

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
        """``not-applicable``; or ``asked`` or ``interrupted``: nothing is proved then."""
        detail: Sealed

    def pass_case(self, case: str, found: Finding) -> None:
        self._must_run(case)
        assert not found.code
        self.trigger(ConformanceRun.CasePassed, case=case, **self._shown_by(found))

    def fail_case(self, case: str, found: Finding) -> None:
        self._must_run(case)
        self.trigger(ConformanceRun.CaseFailed, case=case, code=found.code, **self._shown_by(found))

    def skip_case(self, case: str, code: str, detail: str) -> None:
        self._must_run()
        self.trigger(ConformanceRun.CaseSkipped, case=case, code=code, detail=self.seal(detail))

    def _shown_by(self, found: Finding) -> dict[str, Any]:
        return {
            "positions": found.positions,
            "exchanges": found.exchanges,
            "detail": self.seal(found.detail),
        }

    @mutates(CasePassed)
    def _case_passed(self, event: CasePassed) -> None:
        self._judged(event, Verdict.PASSED)

    @mutates(CaseFailed)
    def _case_failed(self, event: CaseFailed) -> None:
        self._judged(event, Verdict.FAILED).code = event.code

    @mutates(CaseSkipped)
    def _case_skipped(self, event: CaseSkipped) -> None:
        self._ended(event.case, Verdict.SKIPPED, event.detail).code = event.code

    def _judged(self, event: CasePassed | CaseFailed, verdict: Verdict) -> Case:
        case = self._ended(event.case, verdict, event.detail)
        case.positions, case.exchanges = event.positions, event.exchanges
        return case

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
        elif not self.whole or any(case.code in UNPROVED for case in cases):
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
