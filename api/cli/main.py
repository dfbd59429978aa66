"""``ticketledger``: the command line. Heavy modules are imported by the commands that need them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli import (
    adapter,
    backups,
    conformance,
    demo,
    differences,
    directory,
    directory_helpdesk,
    erasing,
    exchange,
    feed,
    files,
    imports,
    levels,
    log,
    mapping,
    mapping_replay,
    operation,
    reading,
    serving,
    tokens,
    writing,
)
from api.cli.common import Options, plain_error

app = typer.Typer(
    name="ticketledger",
    help="One helpdesk for a federation of helpdesks, kept as an event log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    context: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of the own PostgreSQL. Environment: TICKETLEDGER_DATA_DIR."),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(help="Another PostgreSQL instead. Environment: TICKETLEDGER_DATABASE_URL."),
    ] = None,
) -> None:
    """Times are shown with their zone; most reading commands know ``--json``."""
    context.obj = Options(data_dir=data_dir, database_url=database_url)


serving.install(app)
writing.install(app)
reading.install(app)
differences.install(app)
files.install(app)
operation.install(app)
erasing.install(app)
backups.install(app)
demo.install(app)
app.add_typer(tokens.app, name="token")
app.add_typer(directory.app, name="directory")
app.add_typer(imports.app, name="import")
app.add_typer(exchange.app, name="exchange")
app.add_typer(adapter.app, name="adapter")
mapping_replay.install(mapping.app)
directory_helpdesk.install(directory.app)
app.add_typer(mapping.app, name="mapping")
app.add_typer(conformance.app, name="conformance")
app.add_typer(feed.app, name="feed")
app.add_typer(levels.app, name="levels")
app.add_typer(log.app, name="log")


def main() -> None:
    """Run it. What was to be expected ends with one line and exit code 1, wrong usage with 2."""
    try:
        _must_be_text(sys.argv)
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # the edge: what we know is told plainly, what we do not is ours
        message = plain_error(error)
        if message is None:
            raise
        print(f"ticketledger: {message}", file=sys.stderr)
        sys.exit(1)


def _must_be_text(arguments: list[str]) -> None:
    """Refuse what is not UTF-8, once for all: nothing of it could be stored, or only by half."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            print(f"ticketledger: the argument {argument!r} is not UTF-8", file=sys.stderr)
            sys.exit(2)


if __name__ == "__main__":
    main()
