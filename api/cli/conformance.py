"""``ticketledger conformance``: let a partner prove its interface, follow a run, read reports."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    Json,
    as_operator,
    console,
    harmless,
    print_json,
    settings_of,
    shown,
)
from api.cli.common import run as run_command

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.conformance.report import CaseReport, RunReport, RunSummary

app = typer.Typer(help="Let partners prove their interfaces, case by case.", no_args_is_help=True)

HelpdeskArgument = Annotated[str, typer.Argument(help="Name of the partner.")]
NumberArgument = Annotated[
    int, typer.Argument(help="Of the run; the last one without it.", min=0, max=999_999)
]
_LOOK_S = 1.0
_PAGE = 200


@app.command()
def run(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    case: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given several times.")
    ] = None,
    answer_s: Annotated[int, typer.Option(help="Patience with machines, in seconds.")] = 120,
    wait_s: Annotated[int, typer.Option(help="Patience with people, in seconds.")] = 3600,
    quiet_s: Annotated[int, typer.Option(help="So long nothing may come any more.")] = 10,
    slow_s: Annotated[int, typer.Option(help="So late our doors answer in one case.")] = 20,
    down_s: Annotated[int, typer.Option(help="So long our doors are shut in one case.")] = 60,
    follow: Annotated[
        bool, typer.Option(help="Show what happens until the run is over; it goes on without.")
    ] = True,
    json: Json = False,
) -> None:
    """Start a run; the running service goes on with it. Exit code 1 unless it is passed."""
    from api.conformance.report import report, summary  # noqa: PLC0415
    from api.conformance.runs import ConformanceRuns  # noqa: PLC0415
    from domain.conformance_terms import Result, Terms  # noqa: PLC0415

    terms = Terms(answer_s=answer_s, wait_s=wait_s, quiet_s=quiet_s, slow_s=slow_s, down_s=down_s)

    async def do(services: "Services") -> "RunSummary | RunReport":
        runs = ConformanceRuns(services)
        with as_operator():
            started, _ = await runs.start(helpdesk, case or (), terms)
        if not json:
            print(f"conformance run {started.number} of {helpdesk} is started")
        if not follow:
            return summary(started)
        progress = _Progress(quiet=json)
        while True:
            found = await report(services, await runs.run(helpdesk, started.number))
            progress.show(found.cases)
            if found.result != Result.RUNNING.value:
                return found
            await asyncio.sleep(_LOOK_S)

    found = run_command(context, do)
    if json:
        print_json(found)
    elif follow:
        print(
            f"{found.result}: {found.passed} passed, {found.failed} failed, {found.skipped} left out"
        )
    if follow and found.result != Result.PASSED.value:
        raise typer.Exit(1)


class _Progress:
    """Prints each case as it gets its verdict, and what the partner is to do."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._told: set[tuple[str, str]] = set()

    def show(self, cases: "Sequence[CaseReport]") -> None:
        from api.conformance.report import case_line  # noqa: PLC0415

        for each in cases:
            ended = each.verdict in {"passed", "failed", "skipped"}
            key = each.case, each.verdict if ended else "asked"
            if self._quiet or key in self._told or not (ended or each.asked):
                continue
            self._told.add(key)
            print(harmless(case_line(each) if ended else f"  your turn {each.case}: {each.do}"))


@app.command()
def show(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    number: NumberArgument = 0,
    json: Json = False,
) -> None:
    """Show the report of a run: what was checked, what was seen and where in the log."""
    from api.conformance.report import lines, report  # noqa: PLC0415
    from api.conformance.runs import ConformanceRuns  # noqa: PLC0415
    from domain.errors import EntryNotFound  # noqa: PLC0415

    async def read(services: "Services") -> "RunReport":
        runs = ConformanceRuns(services)
        found = await runs.run(helpdesk, number) if number else await runs.last(helpdesk)
        if found is None:
            raise EntryNotFound("conformance run", helpdesk)
        return await report(services, found)

    found = run_command(context, read)
    if json:
        print_json(found)
        return
    for line in lines(found):
        print(harmless(line))


@app.command("list")
def list_(context: typer.Context, helpdesk: HelpdeskArgument, json: Json = False) -> None:
    """All runs with a partner: when, with which adapter and mapping, and how each ended."""
    from api.conformance.report import summary  # noqa: PLC0415
    from api.conformance.runs import ConformanceRuns  # noqa: PLC0415

    async def read(services: "Services") -> "list[RunSummary]":
        found: list[RunSummary] = []
        cursor: str | None = None
        while True:
            page = await ConformanceRuns(services).page(helpdesk, cursor=cursor, limit=_PAGE)
            found += [summary(each) for each in page.items]
            cursor = page.next
            if cursor is None:
                return found

    found = run_command(context, read)
    if json:
        print_json(found)
        return
    if not found:
        print(f"No conformance run with {helpdesk} yet.")
        return
    from rich.table import Table  # noqa: PLC0415

    zone = settings_of(context).zone
    table = Table(
        "run", "result", "adapter", "mapping", "environment", "begun", "ended", "passed", "failed", "left out",
        box=None,
    )  # fmt: skip
    for each in found:
        table.add_row(
            str(each.number),
            each.result,
            each.adapter,
            each.mapping,
            each.environment,
            shown(each.started_at, zone),
            shown(each.ended_at, zone),
            str(each.passed),
            str(each.failed),
            str(each.skipped),
        )
    console().print(table, markup=False)


@app.command()
def say(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    signal: Annotated[str, typer.Argument(help="ready, skip or abandon")],
    case: Annotated[str, typer.Option(help="The case; without it the one that runs.")] = "",
    json: Json = False,
) -> None:
    """Say for the partner that it did its part, leave a case out, or end the last run."""
    from api.conformance.report import report  # noqa: PLC0415
    from api.conformance.runs import ConformanceRuns  # noqa: PLC0415
    from domain.conformance_terms import Signal  # noqa: PLC0415
    from domain.errors import EntryNotFound, NotNow, UnknownValue  # noqa: PLC0415

    possible = [*(each.value for each in Signal), "abandon"]
    if signal not in possible:
        raise UnknownValue("signal", signal, possible)

    async def do(services: "Services") -> int:
        runs = ConformanceRuns(services)
        last = await runs.last(helpdesk)
        if last is None:
            raise EntryNotFound("conformance run", helpdesk)
        with as_operator():
            if signal == "abandon":
                return (await runs.abandon(helpdesk, last.number)).position
            about = case or (await report(services, last)).current
            if not about:
                raise NotNow(f"no case of run {last.number} is running: name one with --case")
            return (await runs.signal(helpdesk, last.number, about, Signal(signal))).position

    position = run_command(context, do)
    if json:
        print_json({"position": position})
    else:
        print(f"heard, recorded at position {position}")
