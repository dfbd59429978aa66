"""``ticketledger adapter``: which translations there are, and the skeleton of a new one."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import Json, print_json

app = typer.Typer(help="Translations to and from products of helpdesks.", no_args_is_help=True)


@app.command("list")
def list_(json: Json = False) -> None:
    """The adapters that helpdesks can be registered with."""
    from adapters.registry import ADAPTERS, CONNECTORS  # noqa: PLC0415

    found = [
        {"name": each.name, "mapping": each.mapping, "interface": each.name in CONNECTORS}
        for each in ADAPTERS.values()
    ]
    if json:
        print_json(found)
        return
    for each in found:
        print(
            f"{each['name']:<16}{'interface' if each['interface'] else 'mail':<12}{each['mapping']}"
        )


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Small letters, digits and underscores.")],
    source: Annotated[
        Path | None, typer.Option(help="The source of this program, if it does not run from there.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a small adapter that works, to be changed into the real one, and its line in the registry."""
    from adapters.kit import skeleton  # noqa: PLC0415

    root = source or Path(skeleton.__file__).parents[3]
    written = [str(each.relative_to(root)) for each in skeleton.write(name, root)]
    if json:
        print_json(written)
        return
    for each in written:
        print(each)
    print(f"\nTry it: python -m pytest tests/contract/test_adapters.py -k {name}")
