"""``ticketledger exchange conflicts``, ``resolve`` and ``owners``: who owns which field, and what was in conflict."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.common import (
    CursorOption,
    Json,
    as_operator,
    asked,
    harmless,
    operator,
    print_json,
    run,
    say_more,
    settings_of,
    shown,
)
from api.cli.partners import HelpdeskArgument

if TYPE_CHECKING:
    from api.bootstrap import Services
    from domain.helpdesk import Helpdesk
    from domain.store import Receipt


def install(app: typer.Typer) -> None:
    """Add the commands to ``exchange``."""
    for command in (conflicts, resolve, owners):
        app.command()(command)


def conflicts(
    context: typer.Context,
    helpdesk: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: CursorOption = None,
    json: Json = False,
) -> None:
    """Fields that both sides changed without knowing of the other's change, and which rule decided."""
    from projections.conflicts import conflicting  # noqa: PLC0415

    page = asked(
        context,
        helpdesk,
        lambda connection: conflicting(connection, helpdesk=helpdesk, cursor=cursor, limit=limit),
    )
    say_more(page.next)
    if json:
        print_json(page.items)
        return
    zone = settings_of(context).zone
    for ticket in page.items:
        for each in ticket.conflicts:
            print(
                f"{ticket.exchange}  {ticket.helpdesk}  ticket {ticket.number}  {each.field}: "
                f"ours {harmless(each.ours)}, theirs {harmless(each.theirs)}"
                f"  -> {each.wins} by {each.rule}  since {shown(each.since, zone)}"
            )
    if not page.items:
        print("There is no conflict.")


def resolve(
    context: typer.Context,
    exchange: Annotated[UUID, typer.Argument(help="As `exchange conflicts` shows it.")],
    field: Annotated[str, typer.Argument(help="As `exchange conflicts` shows it.")],
    wins: Annotated[str, typer.Argument(help="ours or theirs")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.", prompt=True)],
) -> None:
    """Say whose value is right. Where a rule decided otherwise the ticket changes, and the partner is told."""
    from domain.conflicts import Side  # noqa: PLC0415
    from domain.errors import UnknownValue  # noqa: PLC0415

    sides = [each.value for each in Side]
    if wins not in sides:
        raise UnknownValue("wins", wins, sides)

    async def do(services: "Services") -> "Receipt":
        with as_operator():
            return await services.exchange.overruling.resolve(
                operator(), exchange, field, Side(wins), reason
            )

    receipt = run(context, do)
    print(f"the conflict about {field} is resolved, position {receipt.position}")


def owners(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    agreed: Annotated[
        list[str] | None,
        typer.Argument(
            help="field=owner; owners: ours, theirs, origin, responsible, 'ours only'; or none=agreed"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show who owns which field with this partner, or agree on it (the whole list; `none=agreed` empties it)."""
    from domain.conflicts import FIELDS  # noqa: PLC0415

    given = [each.partition("=") for each in agreed or []]
    wanted = {field: owner for field, _, owner in given if field != "none"}

    async def do(services: "Services") -> "Helpdesk":
        overruling = services.exchange.overruling
        if not agreed:
            return await services.exchange.by_hand.registered(helpdesk)
        with as_operator():
            entry, _ = await overruling.set_ownership(operator(), helpdesk, wanted)
        return entry

    entry = run(context, do)
    found = {field: entry.ownership.get(field, owner.value) for field, owner in FIELDS.items()}
    if json:
        print_json(found)
        return
    for field, owner in found.items():
        print(f"{field:<14} {owner}{'  (agreed)' if field in entry.ownership else ''}")
