"""``ticketledger demo``: the main job on a small federation, then an open house."""

from typing import Annotated

import typer

from api.cli.common import settings_of
from api.cli.serving import Host, Port, run_fast


def install(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="End after the walk; 0 if all of it happened.")
    ] = False,
    with_rt: Annotated[
        bool,
        typer.Option(
            "--with-rt",
            help="Walk a second ticket through a real Request Tracker 5, started from Debian's packages.",
        ),
    ] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Walk one ticket through two helpdesks, on a fresh log in a folder below the data directory."""
    from api import logs  # noqa: PLC0415
    from api.demo.show import demo as run_demo  # noqa: PLC0415

    logs.configure()
    settings = settings_of(context, host=host, port=port)
    good = run_fast(
        run_demo(
            settings.data_dir, once=once, with_rt=with_rt, host=settings.host, port=settings.port
        )
    )
    raise typer.Exit(0 if good else 1)
