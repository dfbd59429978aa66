"""``python -m benchmarks NAME... | --all [--quick] [--json] [--write FILE]``.

Prints one line per result; with ``--json`` one JSON object a line. Exit code 1 when a hard gate does not hold;
a target that was missed is marked, since it says as much about the machine's mood.
"""

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

import msgspec

from api.cli.serving import run_fast
from benchmarks.common import Result, Skipped, bench
from benchmarks.report import line, markdown

BENCHMARKS = (
    "append", "append-concurrent", "command", "load", "scan", "project", "rebuild", "import", "sla", "api", "feed", "deliver",
    "receive", "latency", "retranslate",
)  # fmt: skip
_MODULES = {"import": "importing"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--quick", action="store_true", help="only prove that it runs")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--write", type=Path, help="a page with the results, such as docs/benchmarks.md"
    )
    options = parser.parse_args()
    names = BENCHMARKS if options.all else tuple(options.names)
    if not names or set(names) - set(BENCHMARKS):
        parser.error(f"name some of: {', '.join(BENCHMARKS)}; or --all")
    results: list[Result] = []
    for name in names:
        for result in measure(name, quick=options.quick):
            results.append(result)
            print(
                msgspec.json.encode(result).decode() if options.json else line(result), flush=True
            )
    if options.write:
        measured = {name: described(name) for name in names}
        options.write.write_text(markdown(results, measured, quick=options.quick))
    return 0 if all(all(result.gates.values()) for result in results) else 1


def described(name: str) -> str:
    """What a benchmark says of itself, as one line."""
    text = (_module(name).__doc__ or "").partition(": ")[2]
    return " ".join(text.split())


def measure(name: str, *, quick: bool) -> list[Result]:
    """Run one benchmark on a server of its own."""
    module = _module(name)
    try:
        with bench(quick=quick) as running:
            results: list[Result] = run_fast(module.run(running))
            return results
    except Skipped as why:
        print(f"{name}: skipped, {why}", file=sys.stderr)
        return []


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{_MODULES.get(name, name.replace('-', '_'))}")


if __name__ == "__main__":
    sys.exit(main())
