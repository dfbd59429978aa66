"""``ticketledger mapping``: the words that a partner's messages are read and written with, and their versions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    Json,
    as_operator,
    console,
    harmless,
    operator,
    print_json,
    run,
    settings_of,
    shown,
)

if TYPE_CHECKING:
    from adapters.kit.mappings import InForce, Version
    from adapters.kit.round_trip import RoundTrip
    from api.bootstrap import Services
    from domain.store import Receipt
    from domain.words import Change, Tables

app = typer.Typer(help="What a partner's words mean here, and ours there.", no_args_is_help=True)

HelpdeskArgument = Annotated[str, typer.Argument(help="Name of the partner.")]
File = Annotated[
    Path,
    typer.Argument(
        help="Tables as JSON, such as `words` in `mapping show --json`; - for standard input."
    ),
]
Draft = Annotated[
    Path | None, typer.Option(help="Tables that are not published, instead of those in force.")
]


@app.command()
def show(context: typer.Context, helpdesk: HelpdeskArgument, json: Json = False) -> None:
    """The tables in force."""

    async def read(services: "Services") -> "InForce":
        return await services.exchange.mappings.in_force(helpdesk)

    found = run(context, read)
    if json:
        print_json(found)
        return
    print(f"{found.helpdesk}: {found.mapping}")
    for name in found.words.__struct_fields__:
        table = getattr(found.words, name)
        own = " (published)" if getattr(found.tables, name) is not None else ""
        if table.theirs or table.ours:
            print(f"\n{name}{own}")
        for word, ours in table.theirs.items():
            print(f"    they say {harmless(word)!r}: {ours or '(moves nothing)'}")
        for ours, word in table.ours.items():
            print(f"    we have {harmless(ours)!r}: {harmless(word) or '(they are not told)'}")


@app.command()
def publish(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    file: File,
    reason: Annotated[str, typer.Option(help="Why; stands with the version.")] = "",
    expect: Annotated[
        int | None, typer.Option(min=0, help="Only if this version is in force now.")
    ] = None,
    json: Json = False,
) -> None:
    """Let other tables hold. A table that is in the file takes the place of the adapter's as a whole."""
    tables = tables_in(file)

    async def do(services: "Services") -> "tuple[InForce, Receipt]":
        with as_operator():
            return await services.exchange.mappings.publish(
                operator(), helpdesk, tables, reason=reason, expected=expect
            )

    found, receipt = run(context, do)
    if json:
        said = {"mapping": found.mapping, "version": found.version, "position": receipt.position}
        print_json(said)
    else:
        print(f"{found.mapping} is in force for {helpdesk} since position {receipt.position}")


@app.command()
def versions(context: typer.Context, helpdesk: HelpdeskArgument, json: Json = False) -> None:
    """What was published, by whom, when and why."""

    async def read(services: "Services") -> "list[Version]":
        return await services.exchange.mappings.versions(helpdesk)

    found = run(context, read)
    if json:
        print_json(found)
        return
    zone = settings_of(context).zone
    for each in found:
        print(f"{each.mapping}  {shown(each.published_at, zone)}  {each.by}")
        if each.reason:
            print(f"    {harmless(each.reason)}")
        for change in each.changes:
            print(f"    {_said(change)}")
    if not found:
        print(f"Nothing was published for {helpdesk}: its adapter's own tables are in force.")


@app.command()
def report(
    context: typer.Context, helpdesk: HelpdeskArgument, draft: Draft = None, json: Json = False
) -> None:
    """Which words do not survive there and back, and what that does to a ticket."""
    from rich.table import Table  # noqa: PLC0415

    tables = tables_in(draft) if draft else None

    async def read(services: "Services") -> "RoundTrip":
        return await services.exchange.mappings.report(helpdesk, tables)

    found = run(context, read)
    if json:
        print_json(found)
        return
    for kind in found.tables:
        if kind.ours:
            shown_ours = Table("our " + kind.name, "written", "read again", "", "then ours is")
            for each in kind.ours:
                shown_ours.add_row(each.ours, each.written, each.read, each.outcome, each.becomes)
            console().print(shown_ours)
        lost = [each for each in kind.theirs if not each.survives]
        if lost:
            shown_theirs = Table("their " + kind.name, "read", "would be written as")
            for there in lost:
                shown_theirs.add_row(there.theirs, there.read, there.written)
            console().print(shown_theirs)


def tables_in(file: Path) -> "Tables":
    import sys  # noqa: PLC0415

    from adapters.kit.mappings import BYTES_MAX, read_tables  # noqa: PLC0415

    if str(file) == "-":
        return read_tables(sys.stdin.buffer.read(BYTES_MAX + 1))
    with file.open("rb") as opened:
        return read_tables(opened.read(BYTES_MAX + 1))


def _said(change: "Change") -> str:
    whose = "their" if change.direction == "theirs" else "our"
    before, after = (
        "nothing" if word is None else repr(harmless(word))
        for word in (change.before, change.after)
    )
    return f"{change.table}: {whose} {harmless(change.word)!r} was {before}, is {after}"
