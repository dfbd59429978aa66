"""``ticketledger token``: who may use the API. A token is shown once."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from api.cli.common import Json, as_operator, console, print_json, run, settings_of, shown
from api.cli.people import Mail, Name, Roles, find_or_register

if TYPE_CHECKING:
    from api.bootstrap import Services

app = typer.Typer(help="Tokens for the API.", no_args_is_help=True)

_DURATION: Final = re.compile(r"(\d{1,5})([mhd])")
_ID_COLUMNS: Final = 36
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """``30d``, ``12h`` or ``5m``. Raises ``typer.BadParameter``."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 30d, 12h or 5m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@app.command()
def create(
    context: typer.Context,
    person: Annotated[UUID | None, typer.Option(help="Somebody who is registered.")] = None,
    mail: Mail = "",
    name: Name = "",
    role: Roles = (),  # type: ignore[assignment]
    scope: Annotated[
        list[str],
        typer.Option(
            help="read, write, audit, admin or metrics; give it several times for several."
        ),
    ] = ("read", "write"),  # type: ignore[assignment]
    expires: Annotated[str, typer.Option(help="For example 30d, 12h or 5m.")] = "30d",
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """Make a token; registers the person and grants the roles where needed."""
    from api.auth import Scope  # noqa: PLC0415

    lifetime = duration(expires)
    known = {each.value: each for each in Scope}
    for each in scope:
        if each not in known:
            raise typer.BadParameter(f"scope {each!r} is none of {', '.join(known)}")
    scopes = frozenset(known[each] for each in scope)

    async def make(services: "Services") -> tuple[UUID, UUID, str]:
        with as_operator():
            who = await find_or_register(services.ledger, person, mail, name, role)
        token_id, token = await services.tokens.create(who, scopes, lifetime, label)
        return who, token_id, token

    who, token_id, token = run(context, make)
    if json:
        print_json({"person": who, "id": token_id, "token": token})
    else:
        print(token)


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """All tokens, without their secrets."""

    async def rows(services: "Services") -> list[dict[str, object]]:
        return [
            {name: getattr(row, name) for name in row.__struct_fields__}
            for row in await services.tokens.listed()
        ]

    found = run(context, rows)
    if json:
        print_json(found)
        return
    from rich.table import Table  # noqa: PLC0415

    zone = settings_of(context).zone
    table = Table(box=None)
    table.add_column("id", min_width=_ID_COLUMNS)  # `token revoke` wants all of it
    for title in ("person", "scopes", "label", "expires", "revoked", "last used"):
        table.add_column(title)
    for row in found:
        table.add_row(
            str(row["id"]),
            str(row["person"] or row["helpdesk"]),
            " ".join(row["scopes"]),  # type: ignore[arg-type]
            str(row["label"]),
            *(shown(row[each], zone) for each in ("expires_at", "revoked_at", "last_used_at")),  # type: ignore[arg-type]
        )
    console().print(table)


@app.command()
def revoke(context: typer.Context, token: Annotated[UUID, typer.Argument(help="Its id.")]) -> None:
    """End a token. Services that run notice within two seconds."""

    async def end(services: "Services") -> None:
        await services.tokens.revoke(token)

    run(context, end)
    print(f"revoked {token}")
