"""Conformance runs of the past and the present, made up for pages and pictures."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from api.conformance.cases import CASES
from domain.conformance import ConformanceRun
from domain.conformance_terms import NOT_APPLICABLE, Finding, Request, Terms
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.rights import Actor
from tests.scenarios import attributed

RULE = Actor.rule("conformance@1")


async def begun(
    ledger: Ledger,
    name: str,
    number: int,
    mapping: str,
    at: datetime,
    cases: Iterable[str] = tuple(CASES),
) -> ConformanceRun:
    """A run of a registered partner that has just begun."""
    partner = await ledger.load(Helpdesk, named_id(Helpdesk.KIND, name))
    assert partner is not None
    run = ConformanceRun(random_id())
    with attributed(RULE, at):
        run.start(
            partner,
            number,
            mapping=mapping,
            environment="test",
            cases=cases,
            whole=True,
            terms=Terms(),
        )
    return run


async def told_of(
    ledger: Ledger, name: str, mapping: str, at: datetime, positions: tuple[int, ...]
) -> ConformanceRun:
    """A run that is over: one case failed, some say nothing about the partner."""
    run = await begun(ledger, name, 1, mapping, at)
    for minute, case in enumerate(CASES):
        with attributed(RULE, at + timedelta(minutes=minute)):
            if case in {"reorder", "garbage"}:
                run.skip_case(
                    case, NOT_APPLICABLE, "mail keeps no order, and people read each one for itself"
                )
                continue
            run.begin_case(case)
            if case == "down":
                run.fail_case(
                    case,
                    Finding(
                        detail="not seen within 3600 s: the word CWQ5TX6B2A in what you did",
                        code="no-answer", positions=positions[:1],
                    ),
                )  # fmt: skip
            else:
                run.pass_case(
                    case, Finding(detail=f"ticket {minute + 1} is there", positions=positions)
                )
    with attributed(RULE, at + timedelta(minutes=len(CASES))):
        run.finish()
    await ledger.save(run)
    return run


async def asking(
    ledger: Ledger,
    name: str,
    number: int,
    mapping: str,
    at: datetime,
    cases: Iterable[str] = tuple(CASES),
) -> ConformanceRun:
    """A run that waits for the partner in its first case."""
    run = await begun(ledger, name, number, mapping, at, cases)
    with attributed(RULE, at + timedelta(seconds=5)):
        run.begin_case("open")
        run.ask_partner("open", Request(7, "", "CWQ5TX6B2A"))
    await ledger.save(run)
    return run
