"""``ticketledger status``: how far the projections are, without starting anything."""

from typing import TYPE_CHECKING, Any

import typer

from api.cli.common import Json, console, print_json, run

if TYPE_CHECKING:
    from api.bootstrap import Services
    from projections.health import Health


def install(app: typer.Typer) -> None:
    app.command()(status)


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
