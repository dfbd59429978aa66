"""``ticketledger changes`` and ``queue-changes``: what became different between two moments."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import Json, harmless, operator, print_json, run, settings_of, shown
from api.cli.reading import NumberArgument

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.differences import QueueChanges, TicketChanges
    from projections.queues import QueueRow

Since = Annotated[
    str, typer.Option(help="An instant with a zone, such as 2026-03-02T09:00:00Z, or a position.")
]
Until = Annotated[str | None, typer.Option(help="Likewise; now where it is missing.")]


def install(app: typer.Typer) -> None:
    app.command()(changes)
    app.command("queue-changes")(queue_changes)


def changes(
    context: typer.Context,
    number: NumberArgument,
    since: Since,
    until: Until = None,
    json: Json = False,
) -> None:
    """What of a ticket became different, field by field. ``history`` tells what happened in between."""
    from api import differences, moments  # noqa: PLC0415

    begin, end = moments.as_of(since) or 0, moments.as_of(until)

    async def read(services: "Services") -> "TicketChanges":
        return await differences.ticket_changes(services, operator(), number, begin, end)

    found = run(context, read)
    if json:
        print_json(found)
        return
    zone = settings_of(context).zone
    began = f"version {found.since.version}" if found.since else "before it was opened"
    print(f"from {began} to version {found.until.version}, {shown(found.until.recorded_at, zone)}")
    for each in found.changes:
        print(f"  {each.field.replace('_', ' '):<15} {_said(each.before)} -> {_said(each.after)}")


def _said(value: Any) -> str:
    return harmless(" ".join(str(getattr(value, "name", value)).split())) or "(nothing)"


def queue_changes(
    context: typer.Context,
    unit: Annotated[str, typer.Argument(help="Support unit.")],
    since: Since,
    until: Until = None,
    json: Json = False,
) -> None:
    """What came to the queue of a unit, what went, and what changed in it."""
    from api import differences, moments  # noqa: PLC0415

    begin, end = moments.as_of(since) or 0, moments.as_of(until)

    async def read(services: "Services") -> "QueueChanges":
        return await differences.queue_changes(services, unit, begin, end)

    found = run(context, read, work=True)
    if json:
        print_json(found)
        return
    for row in found.came:
        print(f"came     {_line(row)}")
    for row in found.went:
        print(f"went     {_line(row)}")
    for each in found.changed:
        print(f"changed  {_line(each.after)} (was {each.before.priority}, {each.before.status})")


def _line(row: "QueueRow") -> str:
    return f"{row.number:>6}  {row.priority}, {row.status}  {harmless(row.subject or '')}"
