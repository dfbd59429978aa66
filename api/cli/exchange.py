"""``ticketledger exchange``: send a ticket to a partner by hand, look at parked messages, retry or skip them."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.common import Json, as_operator, console, operator, print_json, run, settings_of, shown

if TYPE_CHECKING:
    from api.bootstrap import Services
    from domain.store import Receipt
    from projections.exchanges import MessageView
    from projections.paging import Page

app = typer.Typer(help="Messages from and to partner helpdesks.", no_args_is_help=True)

ExchangeArgument = Annotated[UUID, typer.Argument(help="As `exchange parked` shows it.")]
ReferenceArgument = Annotated[int, typer.Argument(min=1, help="Of the message.")]


@app.command()
def send(
    context: typer.Context,
    number: Annotated[int, typer.Argument(min=1, help="Of the ticket.")],
    helpdesk: Annotated[str, typer.Argument(help="Name of the partner.")],
    json: Json = False,
) -> None:
    """Send a ticket to a helpdesk. A running service does the sending."""

    async def do(services: "Services") -> "tuple[UUID, Receipt]":
        with as_operator():
            return await services.exchange.by_hand.send(operator(), number, helpdesk)

    exchange, receipt = run(context, do)
    if json:
        print_json({"exchange": exchange, "position": receipt.position})
    else:
        print(f"exchange {exchange} with {helpdesk} began at position {receipt.position}")


@app.command()
def parked(
    context: typer.Context,
    helpdesk: Annotated[str | None, typer.Option(help="Of this partner only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    json: Json = False,
) -> None:
    """What waits for an operator, and why."""
    from projections import exchanges  # noqa: PLC0415

    async def read(services: "Services") -> "Page[MessageView]":
        return await services.ask(
            lambda connection: exchanges.parked(connection, helpdesk=helpdesk, limit=limit)
        )

    page = run(context, read, work=True)
    if json:
        print_json(page.items)
        return
    zone = settings_of(context).zone
    for each in page.items:
        print(
            f"{each.exchange} {each.reference}  {each.direction:<3} {each.helpdesk}"
            f"  ticket {each.number or '-'}  since {shown(each.changed_at, zone)}"
        )
        print(f"    {each.code}: {each.detail or '(erased)'}")
    if not page.items:
        print("Nothing is parked.")


@app.command()
def raw(context: typer.Context, exchange: ExchangeArgument, reference: ReferenceArgument) -> None:
    """Print a message byte for byte."""
    import sys  # noqa: PLC0415

    async def read(services: "Services") -> tuple[str, bytes]:
        return await services.exchange.by_hand.raw(operator(), exchange, reference)

    _, body = run(context, read)
    sys.stdout.buffer.write(body)


@app.command()
def secret(
    context: typer.Context,
    helpdesk: Annotated[str, typer.Argument(help="Name of the partner.")],
) -> None:
    """Keep the password or token for a partner's interface; it is read from standard input.

    Nothing shows it again. An empty line makes it forgotten.
    """
    import getpass  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from adapters.store.secrets import HelpdeskSecrets  # noqa: PLC0415

    asked = (
        getpass.getpass(f"Secret for {helpdesk}: ") if sys.stdin.isatty() else sys.stdin.readline()
    )

    async def keep(services: "Services") -> None:
        await services.exchange.conversations.known_partner(helpdesk)
        await HelpdeskSecrets(services.store).keep(helpdesk, asked.strip())

    run(context, keep)
    print(f"the secret for {helpdesk} is {'kept' if asked.strip() else 'forgotten'}")


@app.command()
def retry(context: typer.Context, exchange: ExchangeArgument, reference: ReferenceArgument) -> None:
    """Let a parked message be tried again."""
    _resume(context, exchange, reference, skip=False)


@app.command()
def skip(context: typer.Context, exchange: ExchangeArgument, reference: ReferenceArgument) -> None:
    """Leave a parked message out for good; it stays in the log."""
    _resume(context, exchange, reference, skip=True)


def _resume(context: typer.Context, exchange: UUID, reference: int, *, skip: bool) -> None:
    async def do(services: "Services") -> "Receipt":
        with as_operator():
            return await services.exchange.by_hand.resume(
                operator(), exchange, reference, skip=skip
            )

    receipt = run(context, do)
    what = "is left out" if skip else "is tried again"
    console().print(f"message {reference} {what}, position {receipt.position}")
