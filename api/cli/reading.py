"""``ticketledger show``, ``history`` and ``queue``: now, or as of any moment."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import (
    CursorOption,
    Json,
    console,
    harmless,
    operator,
    print_json,
    run,
    say_more,
    settings_of,
    shown,
)

if TYPE_CHECKING:
    from api.attachments import AttachedFile
    from api.bootstrap import Services
    from api.views import Elsewhere, TicketInFull
    from projections.paging import Page
    from projections.queues import QueueRow

AsOfOption = Annotated[
    str | None,
    typer.Option(help="An instant with a zone, such as 2026-03-02T09:00:00Z, or a position."),
]
NumberArgument = Annotated[int, typer.Argument(help="Of the ticket.", min=1)]

_FOUND_MAX = 50
_PAGE = 200


def install(app: typer.Typer) -> None:
    for command in (show, find, history, queue):
        app.command()(command)


def show(
    context: typer.Context, number: NumberArgument, as_of: AsOfOption = None, json: Json = False
) -> None:
    """A ticket."""
    import msgspec  # noqa: PLC0415

    from api import moments  # noqa: PLC0415
    from api.attachments import files_of  # noqa: PLC0415

    moment = moments.as_of(as_of)

    async def read(services: "Services") -> "tuple[TicketInFull, list[AttachedFile]]":
        ticket = await services.tickets.read(operator(), number, as_of=moment)
        files = await files_of(services.ledger, operator(), number)
        return ticket, [each for each in files if each.version <= ticket.version]

    ticket, files = run(context, read)
    if json:
        print_json(msgspec.structs.asdict(ticket) | {"files": files})
        return
    settings = settings_of(context)
    subject = harmless(ticket.subject or "(no subject)")
    print(f"{settings.prefix}-Ticket-ID: #{ticket.number}  {subject}")
    for label, value in _lines(ticket, settings.zone):
        if value:
            print(f"  {label:<15} {harmless(value)}")
    for title, text in (("Description", ticket.description), ("Solution", ticket.solution)):
        if text:
            print(f"\n{title}:\n{harmless(text)}")
    if files:
        print("\nFiles:")
    for file in files:
        internal = ", internal" if file.visibility == "internal" else ""
        print(
            f"  {file.version}: {harmless(file.name)} ({file.media_type}, {file.size} bytes{internal})"
        )


def _lines(ticket: "TicketInFull", zone: str) -> list[tuple[str, str]]:
    return [
        ("status", f"{ticket.status} since {shown(ticket.status_since, zone)}"),
        ("unit", ticket.unit),
        ("assignee", ticket.assignee.name if ticket.assignee else ""),
        ("submitter", ticket.submitter.name if ticket.submitter else ""),
        ("priority", ticket.priority),
        ("type", f"{ticket.type}, {ticket.category}, {ticket.issue_type}"),
        ("VO", ticket.vo),
        ("affected site", ticket.affected_site),
        ("notified site", ticket.notified_site),
        ("opened", shown(ticket.opened_at, zone)),
        *((f"at {each.helpdesk}", _named(each)) for each in ticket.elsewhere),
        ("version", f"{ticket.version} (position {ticket.position})"),
    ]


def _named(there: "Elsewhere") -> str:
    state = f", {there.remote_state}" if there.remote_state else ""
    another = there.external_reference not in ("", there.external_id)
    reference = f" ({there.external_reference})" if another else ""
    return f"{there.external_id or 'no number yet'}{reference}{state}"


def find(
    context: typer.Context,
    external_id: Annotated[
        str, typer.Argument(help="Identifier or reference of the ticket at a partner.")
    ],
    helpdesk: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    cursor: CursorOption = None,
    json: Json = False,
) -> None:
    """Tickets by what a partner calls them, now or before."""
    from projections import ticket_page  # noqa: PLC0415

    chosen = ticket_page.TicketFilter(external_id=external_id, helpdesk=helpdesk)

    async def read(services: "Services") -> "tuple[list[TicketInFull], str | None]":
        if helpdesk is not None:
            await services.exchange.by_hand.registered(helpdesk)
        page = await services.ask(
            lambda connection: ticket_page.tickets(
                connection, chosen, cursor=cursor, limit=_FOUND_MAX
            )
        )
        read_all = [await services.tickets.read(operator(), each.number) for each in page.items]
        return read_all, page.next

    found, following = run(context, read, work=True)
    say_more(following)
    if json:
        print_json(found)
        return
    prefix = settings_of(context).prefix
    for ticket in found:
        print(f"{prefix}-Ticket-ID: #{ticket.number}  {harmless(ticket.subject or '(no subject)')}")
        print(f"  {ticket.status}, {ticket.unit}")
        for each in ticket.elsewhere:
            print(f"  at {each.helpdesk}: {harmless(_named(each))}")
    if not found:
        print("No ticket is known by that name.")


def history(
    context: typer.Context,
    number: NumberArgument,
    exchanges: Annotated[
        bool,
        typer.Option(
            "--exchanges", help="With its conversations: what came, what was sent, and why."
        ),
    ] = False,
    as_of: AsOfOption = None,
    json: Json = False,
) -> None:
    """Every event of a ticket, with who caused it and both its times."""
    from api import moments  # noqa: PLC0415
    from api.histories import read_history  # noqa: PLC0415

    moment = moments.as_of(as_of)

    async def read(services: "Services") -> list[dict[str, Any]]:
        return await read_history(services, number, as_of=moment, exchanges=exchanges)

    events = run(context, read, work=exchanges)
    if json:
        print_json(events)
        return
    zone = settings_of(context).zone
    partners = {
        each["stream"]: f" with {each['fields']['helpdesk']}"
        for each in events
        if each["topic"] == "exchange.opened"
    }
    for event in events:
        occurred, recorded = shown(event["occurred_at"], zone), shown(event["recorded_at"], zone)
        late = f", recorded {recorded}" if recorded != occurred else ""
        partner = partners.get(event.get("stream"), "")
        print(
            f"{event['position']:>8}  {occurred}  {event['topic']}{partner}  by {event['actor']}{late}"
        )
        for name, value in event["fields"].items():
            if value not in ("", None, [], ()):
                print(f"{'':10}{name}: {harmless(_flat(value))}")
        if "raw" in event["fields"]:
            print(f"{'':10}ticketledger exchange raw {event['stream']} {event['version']}")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(each)}" for name, each in value.items() if each)
    if isinstance(value, list | tuple):
        return ", ".join(map(_flat, value))
    return " ".join(str(value).split())


def queue(
    context: typer.Context,
    unit: Annotated[str, typer.Argument(help="Support unit.")],
    as_of: AsOfOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    cursor: CursorOption = None,
    json: Json = False,
) -> None:
    """What waits for a unit: most urgent first, then what waits longest."""
    from api import moments  # noqa: PLC0415
    from domain.errors import EntryNotFound  # noqa: PLC0415
    from projections import queues  # noqa: PLC0415

    moment = moments.as_of(as_of)

    async def read(services: "Services") -> "tuple[list[QueueRow], str | None]":
        found: list[QueueRow] = []
        at = cursor
        while len(found) < limit:
            left = min(_PAGE, limit - len(found))
            page: Page[QueueRow] = await services.ask(
                lambda connection, at=at, left=left: queues.queue(  # type: ignore[misc]
                    connection, unit=unit, as_of=moment, cursor=at, limit=left
                )
            )
            found += page.items
            at = page.next
            if at is None:
                break
        if not found and await services.ledger.directory.unit(unit) is None:
            raise EntryNotFound("unit", unit)
        return found, at

    rows, following = run(context, read, work=True)
    say_more(following)
    if json:
        print_json(rows)
        return
    from rich.table import Table  # noqa: PLC0415

    zone = settings_of(context).zone
    table = Table(
        "number", "priority", "status", "waiting since", "VO", "site", "subject", box=None
    )
    for row in rows:
        since: datetime = row.waiting_since
        table.add_row(
            str(row.number),
            row.priority,
            row.status,
            shown(since, zone),
            row.vo,
            row.site,
            harmless(row.subject or ""),
        )
    console().print(table, markup=False)
