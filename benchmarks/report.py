"""Results for people."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from benchmarks.common import Result, machine

_PAGE = """# Benchmarks

Measured {when} on {machine}, with PostgreSQL as the program starts it (every commit flushed).
Each line compares two sides in turn in one run; figures are medians. `make bench` writes this page.{quick}

Processor time is microseconds per unit of work, of the client's process and of all server processes.

| name | ours | baseline | ratio | target | processor ours | processor baseline | baseline is |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

{gates}

## What is measured

{texts}
"""


def line(result: Result) -> str:
    """One result on one line of a terminal, and its note on another."""
    mark = "" if result.met else "  MISSED"
    broken = "".join(f"  BROKEN: {gate}" for gate, holds in result.gates.items() if not holds)
    return (
        f"{result.name:18} {result.ours:>11,.10g} {result.unit:11} against {result.baseline:>11,.10g}"
        f" = {result.ratio:8.4g}  (target {result.target:g}){mark}{broken}"
        + (f"\n    {result.note}" if result.note else "")
    )


def markdown(results: Iterable[Result], measured: Mapping[str, str], *, quick: bool) -> str:
    """The page that is kept. ``measured``: what each benchmark measures, by its name."""
    results = list(results)
    rows = "\n".join(
        f"| {each.name} | {each.ours:,.10g} {each.unit} | {each.baseline:,.10g} | {each.ratio:.4g}"
        f" | {'' if each.met else '**missed:** '}{each.target:g} | {_cpu(each.ours_cpu_us)}"
        f" | {_cpu(each.baseline_cpu_us)} | {each.baseline_is} |"
        for each in results
    )
    gates = "\n".join(
        f"* {each.name}: {gate}: {'yes' if holds else '**no**'}"
        for each in results
        for gate, holds in each.gates.items()
    )
    texts = "\n".join(f"* {name}: {text}" for name, text in measured.items())
    gates += "".join(f"\n* {each.name}: {each.note}" for each in results if each.note)
    return _PAGE.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}", machine=machine(), rows=rows, gates=gates, texts=texts,
        quick="\n\n**A quick run: it proves that the benchmarks run, not how fast the program is.**" if quick else "",
    )  # fmt: skip


def _cpu(us: tuple[float, float]) -> str:
    return f"{us[0]:.4g} + {us[1]:.4g}"
