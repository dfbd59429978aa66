"""``ticketledger status``, ``rebuild`` and ``verify``: whether all is as it should be, and making it so."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import Json, console, print_json, run

if TYPE_CHECKING:
    from api.bootstrap import Services
    from projections.building import Progress
    from projections.health import Health
    from projections.rebuild import Rebuilt
    from replay.findings import Verification


def install(app: typer.Typer) -> None:
    app.command()(status)
    app.command()(rebuild)
    app.command()(verify)


def status(context: typer.Context, json: Json = False) -> None:
    """Each projection's position against the head of the log, and its speed."""
    from projections import health  # noqa: PLC0415

    async def read(services: "Services") -> "tuple[int, list[Health]]":
        return await services.store.head(), await services.ask(health.status)

    head, found = run(context, read)
    if json:
        rows: list[dict[str, Any]] = [
            {
                "name": each.name,
                "position": each.position,
                "head": each.head,
                "events_per_s": each.events_per_s,
                "state": each.state,
                "error": each.error,
            }
            for each in found
        ]
        print_json({"head": head, "projections": rows})
        return
    from rich.table import Table  # noqa: PLC0415

    print(f"head of the log: {head}")
    table = Table("projection", "position", "behind", "events/s", "state", "error", box=None)
    for each in found:
        table.add_row(
            each.name,
            str(each.position),
            str(each.behind),
            f"{each.events_per_s:.0f}",
            each.state,
            each.error,
        )
    console().print(table, markup=False)


def rebuild(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Projections; all if none.")] = None,
    compare_only: Annotated[
        bool, typer.Option("--compare-only", help="Change nothing, only tell differences.")
    ] = False,
    json: Json = False,
) -> None:
    """Fold projections afresh beside the live ones, compare, switch. Service goes on meanwhile.

    Exit code 1 when a live projection was not as the log says.
    """
    from domain.errors import UnknownValue  # noqa: PLC0415
    from projections import rebuild as rebuilding  # noqa: PLC0415
    from projections.registry import ALL  # noqa: PLC0415

    known = [each.name for each in ALL]
    for name in names or []:
        if name not in known:
            raise UnknownValue("projection", name, known)

    async def make(services: "Services") -> "list[Rebuilt]":
        from adapters.store.connection import service_conninfo  # noqa: PLC0415

        with _progress_bar() as tell:
            return await rebuilding.rebuild(
                service_conninfo(services.conninfo, "rebuild"),
                names or None,
                progress=tell,
                switch=not compare_only,
            )

    done = run(context, make)
    if json:
        print_json({"ok": all(each.ok for each in done), "projections": done})
    else:
        for each in done:
            said = "as the log says" if each.ok else each.not_compared or "was different"
            print(f"{each.name}: {each.rows} rows at position {each.position}; {said}")
            for difference in each.differences:
                print(f"  {difference}")
    if not all(each.ok for each in done):
        raise typer.Exit(1)


def verify(context: typer.Context, json: Json = False) -> None:
    """Check the whole log, what stands beside it, and the projections. Exit code 1 if anything is wrong."""

    async def check(services: "Services") -> "Verification":
        from replay.verify import verify as check_all  # noqa: PLC0415

        with _progress_bar() as tell:
            return await check_all(services.conninfo, progress=tell)

    found = run(context, check)
    if json:
        print_json(
            {
                "ok": found.ok,
                "events": found.events,
                "restored": found.restored,
                "contents": found.contents,
                "erased": found.erased,
                "claims": found.claims,
                "findings": found.findings,
                "counts": found.counts,
            }
        )
    else:
        for finding in found.findings:
            print(finding)
        for restored in found.restored:
            print(restored)
        said = "all is as it should be" if found.ok else f"{found.counts.total()} findings"
        print(f"{found.events} events, {found.contents} contents, {found.claims} claims: {said}")
    if not found.ok:
        raise typer.Exit(1)


@contextmanager
def _progress_bar() -> "Generator[Callable[[Progress], None]]":
    """On a terminal only, and gone when it is done."""
    from rich import progress as bars  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    with bars.Progress(
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None)

        def tell(at: "Progress") -> None:
            bar.update(task, description=at.step, completed=at.done, total=at.total)

        yield tell
