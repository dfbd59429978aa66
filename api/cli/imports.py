"""``ticketledger import``: what other systems know, brought into the ledger. Safe to run again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import Json, print_json, run

if TYPE_CHECKING:  # start-up time
    from adapters.archives.incident_import import Imported, Progress
    from adapters.archives.incident_rows import IncidentLog
    from adapters.directories.gocdb_import import Outcome
    from api.bootstrap import Services

app = typer.Typer(help="Bring in what other systems know.", no_args_is_help=True)

_NAMED_MAX = 20
"""So many unreadable rows are named on a terminal."""

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)]
OptionalFile = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, readable=True)]


@app.command()
def gocdb(
    context: typer.Context,
    sites: File,
    ngis: OptionalFile = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Let more than a fifth of the sites leave.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would change.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring sites (get_site) and NGIs (get_ngi) of GOCDB into the directory."""

    async def command(services: "Services") -> "Outcome":
        from adapters.directories.gocdb_import import bring_in  # noqa: PLC0415

        return await bring_in(
            services.ledger,
            Registered(services),
            sites,
            ngis,
            allow_shrink=allow_shrink,
            dry_run=dry_run,
        )

    outcome = run(context, command)
    if json:
        print_json(outcome)
        return
    for remark in outcome.remarks:
        kind = "left out" if remark.unusable else "not used"
        print(f"{remark.entry}: {kind}: {remark.what} {remark.why}")
    if outcome.not_kept:
        print(f"elements without a place here: {', '.join(outcome.not_kept)}")
    for name, counts in (("sites", outcome.sites), ("support units", outcome.units)):
        print(
            f"{name}: {counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged"
            f", {counts.left} left, {counts.unusable} unusable"
        )
    if outcome.tickets:
        print(f"no longer told of a site that left: tickets {', '.join(map(str, outcome.tickets))}")
    if dry_run:
        print("nothing was stored (--dry-run)")


@app.command(name="incident-log")
def incident_log(context: typer.Context, file: File, json: Json = False) -> None:
    """Bring in a history of incidents: csv with a row for each update, or the zip it comes in."""

    async def command(services: "Services") -> "tuple[Imported, IncidentLog]":
        from adapters.archives import incident_import, incident_log, incident_rows  # noqa: PLC0415

        found = incident_rows.read(file, incident_log.STATUS)
        for skipped in found.skipped[:_NAMED_MAX]:
            print(f"line {skipped.line} skipped: {skipped.reason}", file=sys.stderr)
        if found.skipped_count > _NAMED_MAX:
            print(f"... and {found.skipped_count - _NAMED_MAX} more", file=sys.stderr)
        with _progress() as progress:
            return await incident_import.bring_in(services.store, found, progress), found

    began = perf_counter()
    imported, found = run(context, command)
    seconds = perf_counter() - began
    if json:
        print_json({
            "tickets": imported.tickets,
            "events": imported.events,
            "history_gaps": imported.history_gaps,
            "skipped": imported.skipped,
            "seconds": round(seconds, 3),
            "missing_versions": imported.missing_versions,
            "rows": imported.rows,
            "rows_known": imported.rows_known,
            "skipped_rows": found.skipped,
        })  # fmt: skip
        return
    print(
        f"{imported.tickets} tickets, {imported.events} events from {imported.rows} rows "
        f"in {seconds:.1f} s; {imported.rows_known} rows were known, {imported.skipped} skipped"
    )
    print(
        f"{imported.history_gaps} gaps in the history, "
        f"{imported.missing_versions} updates are missing in them"
    )


class Registered:
    """What an import of sites asks the hub: answered from the log itself, so never out of date."""

    SITES = """
        SELECT convert_from(state, 'UTF8')::json ->> 'name'
          FROM ledger.event WHERE topic = 'site.registered'
    """
    NOTIFYING = """
        SELECT DISTINCT originator_id FROM ledger.event
         WHERE topic = 'ticket.assigned'
           AND convert_from(state, 'UTF8')::json ->> 'notified_site' = %b
    """

    def __init__(self, services: "Services") -> None:
        self._services = services

    async def sites(self) -> set[str]:
        return {name for (name,) in await self._services.store.rows(self.SITES)}

    async def open_tickets_notifying(self, site: str) -> list[int]:
        from domain.lifecycle import OPEN  # noqa: PLC0415
        from domain.ticket import Ticket  # noqa: PLC0415

        found = []
        for (stream,) in await self._services.store.rows(self.NOTIFYING, [site]):
            ticket = await self._services.ledger.load(Ticket, stream)
            if ticket is not None and ticket.notified_site == site and ticket.status in OPEN:
                found.append(ticket.number)
        return sorted(found)


@contextmanager
def _progress() -> "Iterator[Progress | None]":
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns: list[Any] = ["importing", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("importing")
        yield lambda told, total: bar.update(task, completed=told, total=total)
