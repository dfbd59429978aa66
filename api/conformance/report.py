"""The report of a conformance run, for machines and people: made from its events whenever it is read."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from api.bootstrap import Services
from api.conformance.cases import CASES
from api.conformance.manners import BY_HAND, Manner, manner_of
from domain.aggregate import BEGINNING
from domain.conformance import ConformanceRun
from domain.conformance_terms import NOT_APPLICABLE, Case, Request, Result, Terms, Verdict
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import named_id


class CaseReport(Struct, frozen=True, kw_only=True):
    case: str
    title: str
    verdict: str
    """``waiting``, ``running``, ``passed``, ``failed`` or ``skipped``."""
    do: str
    """What the partner must do; while the case runs, with the tickets and the code word to use."""
    checked: str
    """What we look at."""
    why: str
    left_out: str
    """Why the case says nothing about this interface; empty where it does."""
    code: str
    """Why it is not passed: a stable code."""
    detail: str
    """What was seen; empty when it was erased."""
    positions: list[int]
    """In the log, of the events that show it."""
    exchanges: list[UUID]
    """The conversations that it was seen in."""
    begun_at: datetime | None
    ended_at: datetime | None
    asked: bool
    """It is the partner's turn."""
    word: str
    """The code word, once it is the partner's turn."""
    number: int
    """Our ticket that the case is about; 0 for none, or before the partner's turn."""
    external_id: str
    """The partner's."""


class RunSummary(Struct, frozen=True, kw_only=True):
    helpdesk: str
    number: int
    result: str
    """``running``, ``passed``, ``failed``, ``incomplete`` or ``abandoned``."""
    adapter: str
    mapping: str
    """Name and version of the mapping that was tried."""
    environment: str
    started_at: datetime
    ended_at: datetime | None
    passed: int
    failed: int
    skipped: int
    left: int
    """Cases without a verdict yet."""


class RunReport(RunSummary, frozen=True, kw_only=True):
    interface: str
    """The state of the partner's interface when the run began."""
    terms: Terms
    manner: str
    """How the interface works; empty where its adapter is not known any more."""
    by_hand: str
    """Who does what on the partner's side."""
    current: str
    """The case that runs; empty when none does."""
    code: str
    """Why the run was abandoned."""
    cases: list[CaseReport]


def summary(run: ConformanceRun) -> RunSummary:
    verdicts = [case.verdict for case in run.cases.values()]
    return RunSummary(
        helpdesk=run.helpdesk,
        number=run.number,
        result=run.result.value,
        adapter=run.adapter,
        mapping=run.mapping,
        environment=run.environment,
        started_at=run.started_at,
        ended_at=None if run.ended_at == BEGINNING else run.ended_at,
        passed=verdicts.count(Verdict.PASSED),
        failed=verdicts.count(Verdict.FAILED),
        skipped=verdicts.count(Verdict.SKIPPED),
        left=verdicts.count(Verdict.WAITING) + verdicts.count(Verdict.RUNNING),
    )


async def report(services: Services, run: ConformanceRun) -> RunReport:
    """The whole report, with its texts. Raises ``StoreUnavailable``."""
    sealed = [case.detail.id for case in run.cases.values() if case.detail]
    found = await services.store.contents(sealed) if sealed else {}
    texts = {id_: content.text() for id_, content in found.items()}
    short = summary(run)
    partner = await services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, run.helpdesk))
    assert partner is not None
    manner = manner_of(services.exchange, partner) if partner.adapter == run.adapter else None
    running = [case.name for case in run.cases.values() if case.verdict is Verdict.RUNNING]
    return RunReport(
        **{name: getattr(short, name) for name in RunSummary.__struct_fields__},
        interface=run.interface.value,
        terms=run.terms,
        manner=manner.value if manner else "",
        by_hand=BY_HAND[manner] if manner else "",
        current=running[0] if running and run.result is Result.RUNNING else "",
        code=run.code,
        cases=[
            _case(case, run, texts, services.settings.prefix, (manner, partner.policy))
            for case in run.cases.values()
        ],
    )


def _case(
    case: Case,
    run: ConformanceRun,
    texts: dict[UUID, str],
    prefix: str,
    kind: tuple[Manner | None, Policy],
) -> CaseReport:
    known, (manner, policy) = CASES.get(case.name), kind
    request = case.request
    if case.code == NOT_APPLICABLE:
        left_out = texts.get(case.detail.id, "") if case.detail else ""
    else:
        open_ = case.verdict in {Verdict.WAITING, Verdict.RUNNING}
        left_out = known.why_not(manner, policy) if known and manner and open_ else ""
    return CaseReport(
        case=case.name,
        title=known.title if known else case.name,
        verdict=case.verdict.value,
        do=filled(known.wish(manner), run.terms, prefix, request) if known else "",
        checked=known.checked if known else "",
        why=known.why if known else "",
        left_out=left_out,
        code=case.code,
        detail=texts.get(case.detail.id, "") if case.detail else "",
        positions=list(case.positions),
        exchanges=list(case.exchanges),
        begun_at=case.begun_at,
        ended_at=case.ended_at,
        asked=request is not None and case.verdict is Verdict.RUNNING,
        word=request.word if request else "",
        number=request.number if request else 0,
        external_id=request.external_id if request else "",
    )


def filled(text: str, terms: Terms, prefix: str, request: Request | None) -> str:
    """What the partner must do, with the words of a request; without one it is plain what will stand there."""
    return text.format(
        word=request.word if request else "CW…",
        ours=f"{prefix}-{request.number}" if request and request.number else f"{prefix}-…",
        theirs=request.external_id if request and request.external_id else "…",
        slow_s=terms.slow_s,
        down_s=terms.down_s,
    )


def lines(found: RunReport) -> Iterator[str]:
    """The report as text, for a terminal or a mail."""
    when = found.started_at.isoformat(sep=" ", timespec="seconds")
    yield f"Conformance run {found.number} of {found.helpdesk}: {found.result}"
    yield f"  adapter {found.adapter}, mapping {found.mapping}, environment {found.environment}, begun {when}"
    if found.manner:
        yield f"  {found.manner}: {found.by_hand}"
    yield f"  {found.passed} passed, {found.failed} failed, {found.skipped} left out, {found.left} to go"
    for each in found.cases:
        yield case_line(each)
        if each.verdict == Verdict.FAILED.value:
            yield f"            checked: {each.checked}"
            yield f"            why:     {each.why}"


def case_line(each: CaseReport) -> str:
    """One case in one line: its verdict and what was seen."""
    code = f" [{each.code}]" if each.code else ""
    seen = f" - {' '.join(each.detail.split())}" if each.detail else ""
    at = f" (positions {', '.join(map(str, each.positions))})" if each.positions else ""
    return f"  {each.verdict:<8}  {each.case}: {each.title}{code}{seen}{at}"
