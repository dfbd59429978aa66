"""``ticketledger exchange parked`` and ``refused``: messages that wait for an operator, and those that were in vain."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    CursorOption,
    Json,
    asked,
    harmless,
    print_json,
    say_more,
    settings_of,
    shown,
)

if TYPE_CHECKING:
    from projections.exchanges import MessageView
    from projections.paging import Page


def install(app: typer.Typer) -> None:
    """Add the commands to ``exchange``."""
    for command in (parked, refused):
        app.command()(command)


def parked(
    context: typer.Context,
    helpdesk: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    code: Annotated[str | None, typer.Option(help="Only those parked for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: CursorOption = None,
    json: Json = False,
) -> None:
    """What waits for an operator, why, and what is to be done about it; the oldest first."""
    from api.remedies import remedy  # noqa: PLC0415
    from projections import exchanges  # noqa: PLC0415

    page = asked(
        context,
        helpdesk,
        lambda connection: exchanges.parked(
            connection, helpdesk=helpdesk, code=code, cursor=cursor, limit=limit
        ),
    )
    _show_messages(context, page, "Nothing is parked.", json=json)
    for found in dict.fromkeys([] if json else [each.code for each in page.items]):
        if what := remedy(found):
            print(f"{found}: {what}")


def refused(
    context: typer.Context,
    helpdesk: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    cursor: CursorOption = None,
    json: Json = False,
) -> None:
    """What partners asked for in vain, and why; the latest first. Nothing waits for it."""
    from projections import exchanges  # noqa: PLC0415

    page = asked(
        context,
        helpdesk,
        lambda connection: exchanges.refused(
            connection, helpdesk=helpdesk, cursor=cursor, limit=limit
        ),
    )
    _show_messages(context, page, "Nothing was refused.", json=json)


def _show_messages(
    context: typer.Context, page: "Page[MessageView]", none: str, *, json: bool
) -> None:
    say_more(page.next)
    if json:
        print_json(page.items)
        return
    zone = settings_of(context).zone
    for each in page.items:
        theirs = f" (theirs {harmless(each.external_id)})" if each.external_id else ""
        print(
            f"{each.exchange} {each.reference}  {each.direction:<3} {each.helpdesk}"
            f"  ticket {each.number or '-'}{theirs}  since {shown(each.changed_at, zone)}"
        )
        print(f"    {each.code}: {harmless(each.detail or '(erased)')}")
    if not page.items:
        print(none)
