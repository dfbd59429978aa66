"""``ticketledger erase``: texts and files of a ticket are deleted for ever, and the log says that and why."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    Json,
    as_operator,
    harmless,
    operator,
    print_json,
    run,
    settings_of,
    shown,
)
from api.cli.reading import NumberArgument

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.erasing import Found


def install(app: typer.Typer) -> None:
    app.command()(erase)


def erase(
    context: typer.Context,
    number: NumberArgument,
    version: Annotated[
        list[int] | None,
        typer.Option(min=1, help="An entry, as ``history --json`` counts them; may be repeated."),
    ] = None,
    containing: Annotated[
        list[str] | None,
        typer.Option(help="All texts, messages and files with these words; may be repeated."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the log for ever.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be erased.")
    ] = False,
    json: Json = False,
) -> None:
    """Erase texts and files of a ticket, with the messages that brought or told them. Nothing brings them back.

    What partners, their mails and our backups hold is not erased by this.
    """
    from api import erasing  # noqa: PLC0415

    if not version and not containing:
        raise typer.BadParameter("what is to be erased? give --version or --containing")
    if not dry_run and not reason.strip():
        raise typer.BadParameter("why is it to be erased? give --reason, or --dry-run")

    async def do(services: "Services") -> "tuple[list[Found], int]":
        found = await erasing.found(services, number, version or (), containing or ())
        if dry_run or not found:
            return found, 0
        with as_operator():
            return found, await erasing.erase(services, operator(), number, found, reason)

    found, erased = run(context, do, work=True)
    if json:
        print_json({"number": number, "found": found, "erased": erased})
        return
    zone = settings_of(context).zone
    for each in found:
        at = shown(each.occurred_at, zone)
        print(
            harmless(
                f"{at}  {each.topic} {each.field}, {each.size} bytes ({each.why}), version {each.version}"
            )
        )
    print(f"{len(found)} would be erased." if dry_run else f"{erased} erased.")
