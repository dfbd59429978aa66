"""``ticketledger backup`` and ``restore``: the whole ledger in one file, and back from it."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import log
from api.cli.common import Json, note, settings_of

if TYPE_CHECKING:
    from api.settings import Settings


def install(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Is made; must not be there yet.")],
) -> None:
    """Write everything into one file, secrets too, as it is now. The service may go on meanwhile."""
    from adapters.store.dumping import back_up  # noqa: PLC0415

    with ExitStack() as stack:
        back_up(_database(settings_of(context), stack, shared=True), file)
    print(f"{file}: {file.stat().st_size:,} bytes")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `backup` or `pg_dump -Fc` wrote.")],
    nothing_lost: Annotated[
        bool,
        typer.Option(
            "--nothing-lost", help="Nothing was written since the backup: it was made when the service had ended."
        ),
    ] = False,
    until_position: log.UntilPosition = None,
    until_number: log.UntilNumber = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Bring back what is in the file, into an empty data directory or database.

    Then `log restored` is said: what was given out since the backup is left out, partners are compared.
    """
    from adapters.store.dumping import restore as bring_back  # noqa: PLC0415

    if not file.is_file():  # before a server is made for it
        raise FileNotFoundError(f"there is no file {file}")
    with ExitStack() as stack:
        bring_back(_database(settings_of(context), stack, shared=False), file)
    if nothing_lost:
        note("restored; nothing is left out")
        return
    log.restored(context, until_position, until_number, again=True, json=json)


def _database(settings: "Settings", stack: ExitStack, *, shared: bool) -> str:
    from api.bootstrap import database  # noqa: PLC0415

    return database(settings, stack, shared=shared)
