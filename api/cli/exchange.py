"""``ticketledger exchange``: send a ticket by hand; look at parked messages, try them out, retry or skip them."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer
from msgspec import structs

from api.cli import comparing, conflicts, messages, partners, reply_keys
from api.cli.common import (
    Json,
    as_operator,
    console,
    harmless,
    note,
    operator,
    print_json,
    run,
)

if TYPE_CHECKING:
    from adapters.kit.rehearsing import Preview
    from api.bootstrap import Services
    from api.outcomes import MessageOutcome
    from api.repair import Repaired
    from domain.store import Receipt

app = typer.Typer(help="Messages from and to partner helpdesks.", no_args_is_help=True)
partners.install(app)
messages.install(app)
comparing.install(app)
conflicts.install(app)
reply_keys.install(app)
_PAGE = 200
WAIT_S = 5.0
"""For the outcome of what is tried again, where nothing else is said."""

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
def raw(context: typer.Context, exchange: ExchangeArgument, reference: ReferenceArgument) -> None:
    """Print a message byte for byte."""
    import sys  # noqa: PLC0415

    async def read(services: "Services") -> tuple[str, bytes]:
        return await services.exchange.by_hand.raw(operator(), exchange, reference)

    _, body = run(context, read)
    sys.stdout.buffer.write(body)


@app.command()
def preview(
    context: typer.Context,
    exchange: ExchangeArgument,
    reference: ReferenceArgument,
    json: Json = False,
) -> None:
    """What a parked message would do if it were tried again now, with the mapping in force. Nothing happens."""

    async def read(services: "Services") -> "Preview":
        return await services.exchange.by_hand.preview(operator(), exchange, reference)

    found = run(context, read)
    if json:
        print_json(found)
        return
    about = f"ticket {found.number}" if found.number else "no ticket yet"
    print(f"{found.outcome} ({about}){f', read by {found.mapping}' if found.mapping else ''}")
    if found.code:
        print(f"  {found.code}: {harmless(found.detail)}")
    for each in found.commands:
        print(f"  {each.command}")
        for name, value in each.fields.items():
            print(f"      {name}: {harmless(' '.join(str(value).split()))}")
    for refused in found.withheld:
        print(f"  not permitted: {harmless(refused)}")
    if found.text:
        print(harmless(found.text))


@app.command()
def repair(
    context: typer.Context,
    helpdesk: Annotated[str, typer.Argument(help="Name of the partner.")],
    how: Annotated[str, typer.Argument(help="retry or skip")],
    code: Annotated[str | None, typer.Option(help="Only those parked for this reason.")] = None,
    direction: Annotated[str | None, typer.Option(help="in or out")] = None,
    most: Annotated[int, typer.Option(min=1, help="So many messages, the oldest first.")] = 50,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait for outcomes.")
    ] = WAIT_S,
    json: Json = False,
) -> None:
    """Retry or skip the parked messages of a partner. Ended half-way, it is simply run again."""
    from domain.errors import UnknownValue  # noqa: PLC0415
    from domain.exchange import Direction  # noqa: PLC0415

    if how not in ("retry", "skip"):
        raise UnknownValue("how", how, ["retry", "skip"])
    ways = [each.value for each in Direction]
    if direction is not None and direction not in ways:
        raise UnknownValue("direction", direction, ways)

    async def do(services: "Services") -> "list[Repaired]":
        from api.repair import Choice, repair  # noqa: PLC0415

        await services.exchange.conversations.known_partner(helpdesk)
        choice = Choice(
            helpdesk=helpdesk, code=code, direction=Direction(direction) if direction else None
        )
        done: list[Repaired] = []
        cursor, left = None, most
        while left > 0:
            with as_operator():
                page = await repair(
                    services, operator(), choice, skip=how == "skip", dry_run=dry_run,
                    cursor=cursor, limit=min(left, _PAGE),
                )  # fmt: skip
            choice = structs.replace(choice, until=page.until)
            done.append(page)
            cursor, left = page.next, left - len(page.messages)
            note(f"{most - left} of at most {most}")
            if cursor is None:
                break
        return done

    pages = run(context, do, work=True)
    messages = [each for page in pages for each in page.messages]
    done, settled = sum(page.done for page in pages), sum(page.settled for page in pages)
    if json:
        print_json({"messages": messages, "done": done, "settled": settled})
        return
    retried = how == "retry" and not dry_run
    if not retried:
        for each in messages:
            print(f"{each.exchange} {each.reference}  {each.direction:<3} {each.code}")
    what = "would be" if dry_run else "are"
    word = "left out" if how == "skip" else "tried again"
    print(f"{len(messages) if dry_run else done} {what} {word}")
    if retried and messages:
        _show_outcomes(context, [(each.exchange, each.reference) for each in messages], wait_s)


@app.command()
def retry(
    context: typer.Context,
    exchange: ExchangeArgument,
    reference: ReferenceArgument,
    wait_s: Annotated[
        float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait for its outcome.")
    ] = WAIT_S,
) -> None:
    """Let a parked message be tried again, and say what became of it. A running service does it."""
    _resume(context, exchange, reference, skip=False)
    _show_outcomes(context, [(exchange, reference)], wait_s)


@app.command()
def outcome(
    context: typer.Context,
    exchange: ExchangeArgument,
    reference: ReferenceArgument,
    json: Json = False,
) -> None:
    """What became of a message."""
    _show_outcomes(context, [(exchange, reference)], 0, json=json)


@app.command()
def skip(context: typer.Context, exchange: ExchangeArgument, reference: ReferenceArgument) -> None:
    """Leave a parked message out for good; it stays in the log."""
    _resume(context, exchange, reference, skip=True)


def _show_outcomes(
    context: typer.Context, messages: "list[tuple[UUID, int]]", wait_s: float, *, json: bool = False
) -> None:
    from collections import Counter  # noqa: PLC0415

    from api.outcomes import outcomes_within  # noqa: PLC0415

    async def read(services: "Services") -> "list[MessageOutcome]":
        return await outcomes_within(services, messages, wait_s)

    found = run(context, read)
    if json:
        print_json(found)
        return
    for each in found:
        about = f"ticket {each.number}" if each.number else "no ticket yet"
        why = ": ".join(harmless(text) for text in (each.code, each.detail) if text)
        print(
            f"{each.exchange} {each.reference}  {each.outcome} ({about}){f'  {why}' if why else ''}"
        )
    counted = Counter(each.outcome for each in found)
    if len(found) > 1:
        print(", ".join(f"{count} {name}" for name, count in counted.items()))
    if counted["pending"] and wait_s:
        print(f"what is pending was not tried within {wait_s:g} s: is a service running?")


def _resume(context: typer.Context, exchange: UUID, reference: int, *, skip: bool) -> None:
    async def do(services: "Services") -> "Receipt":
        with as_operator():
            return await services.exchange.by_hand.resume(
                operator(), exchange, reference, skip=skip
            )

    receipt = run(context, do)
    what = "is left out" if skip else "is tried again"
    console().print(f"message {reference} {what}, position {receipt.position}")
