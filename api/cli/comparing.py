"""``ticketledger exchange compare``, ``diverged`` and ``settle``: whether a partner and we have the same."""

from functools import partial
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from api.cli.common import (
    Json,
    as_operator,
    harmless,
    note,
    operator,
    print_json,
    run,
    settings_of,
    shown,
)
from api.cli.partners import HelpdeskArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.kit.comparing_pages import Diverging
    from adapters.store.connection import Connection
    from api.bootstrap import Services
    from api.comparing import ComparedPage
    from domain.store import Receipt
    from projections.divergences import DivergingView
    from projections.paging import Page


_FIELDS = "ticket, number, state, priority, unit, messages, forgotten or doubled"


def install(app: typer.Typer) -> None:
    """Add the commands to ``exchange``."""
    for command in (compare, diverged, settle):
        app.command()(command)


def compare(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what a rule can; a running service sends.")
    ] = False,
    after: Annotated[
        str, typer.Option(help="Go on after this exchange: where a run before ended.")
    ] = "",
    json: Json = False,
) -> None:
    """Compare all linked tickets with the partner, and list what diverges. Ended half-way, it tells where."""
    from adapters.kit.comparing_pages import BEGINNING  # noqa: PLC0415

    async def do(services: "Services") -> "list[ComparedPage]":
        from api.comparing import compare as compare_page  # noqa: PLC0415

        place: UUID | None = UUID(after) if after else BEGINNING
        pages: list[ComparedPage] = []
        compared = 0
        while place is not None:
            with as_operator():
                page = await compare_page(
                    services, operator(), helpdesk, repair=repair, after=place
                )
            pages.append(page)
            compared, place = compared + page.compared, page.next
            for each in [] if json else page.diverging:
                _show(each)
            note(f"{compared} compared" + (f", go on with --after {place}" if place else ""))
        return pages

    pages = run(context, do, work=True)
    found = [each for page in pages for each in page.diverging]
    compared = sum(page.compared for page in pages)
    recorded = sum(page.recorded for page in pages)
    converged = sum(page.converged for page in pages)
    repaired = sum(1 for each in found if each.repair)
    if json:
        print_json({
            "compared": compared, "diverging": found, "recorded": recorded, "converged": converged,
        })  # fmt: skip
    else:
        print(
            f"{compared} tickets compared, {len(found)} divergences: {repaired} put right, "
            f"{len(found) - repaired} left; {converged} are over"
        )


def _show(each: "Diverging") -> None:
    print(
        f"{each.exchange}  ticket {each.number}  theirs {harmless(each.external_id)}  {each.field}: "
        f"ours {harmless(each.ours)}, theirs {harmless(each.theirs) or '-'}"
        f"{f'  -> {each.repair}' if each.repair else ''}"
    )


def diverged(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    field: Annotated[str, typer.Option(help=f"Only where this diverges: {_FIELDS}.")] = "",
    json: Json = False,
) -> None:
    """What diverges, as the last comparison found it, and what can be done."""
    from domain.divergences import HINTS  # noqa: PLC0415
    from domain.errors import UnknownValue  # noqa: PLC0415
    from projections import divergences  # noqa: PLC0415

    if field and field not in HINTS:
        raise UnknownValue("field", field, list(HINTS))

    async def read(services: "Services") -> "list[DivergingView]":
        await services.exchange.by_hand.registered(helpdesk)
        found: list[DivergingView] = []
        cursor: str | None = None
        while True:
            page = await services.ask(partial(question, cursor=cursor))
            found += page.items
            cursor = page.next
            if cursor is None:
                return found

    async def question(connection: "Connection", cursor: str | None) -> "Page[DivergingView]":
        return await divergences.diverging(
            connection, helpdesk, field=field or None, cursor=cursor, limit=200
        )

    found = run(context, read, work=True)
    if json:
        print_json(found)
        return
    _show_all(found, settings_of(context).zone)
    for name in dict.fromkeys(each.field for ticket in found for each in ticket.divergences):
        print(f"{name}: {HINTS[name]}")


def _show_all(found: "Sequence[DivergingView]", zone: str) -> None:
    for ticket in found:
        for each in ticket.divergences:
            print(
                f"{ticket.exchange}  ticket {ticket.number}  {each.field}: ours {harmless(each.ours)}, "
                f"theirs {harmless(each.theirs) or '-'}  since {shown(each.since, zone)}"
                f"{f'  ({each.repair} was tried)' if each.repair else ''}"
            )
    if not found:
        print("Nothing diverges.")


def settle(
    context: typer.Context,
    exchange: Annotated[UUID, typer.Argument(help="As `exchange diverged` shows it.")],
    field: Annotated[str, typer.Argument(help=_FIELDS)],
    wins: Annotated[str, typer.Argument(help="ours or theirs")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.", prompt=True)],
) -> None:
    """Decide whose value is right: ours is told the partner, theirs is taken or let be."""
    from domain.errors import UnknownValue  # noqa: PLC0415

    if wins not in ("ours", "theirs"):
        raise UnknownValue("wins", wins, ["ours", "theirs"])

    async def do(services: "Services") -> "Receipt":
        with as_operator():
            return await services.exchange.repairing.settle(
                operator(), exchange, field, ours=wins == "ours", reason=reason
            )

    receipt = run(context, do)
    print(f"{field} of {exchange} is settled, position {receipt.position}")
