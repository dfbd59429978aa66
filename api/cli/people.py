"""Persons as the command line names them: by identifier or mail address, with roles as ``supporter:NGI_DE``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from domain.directory import Grant
    from domain.ledger import Ledger

Mail = Annotated[str, typer.Option(help="Mail address: finds the person, or registers one.")]
Name = Annotated[str, typer.Option(help="Name, for a person who is not registered yet.")]
Roles = Annotated[
    list[str], typer.Option(help="supporter:UNIT, tpm, teamer:VO, alarmer:VO, auditor or admin.")
]


def grant_of(text: str) -> "Grant":
    """``supporter:NGI_DE`` as a grant; whether there is such a role is seen when it is granted."""
    from domain.directory import Grant  # noqa: PLC0415

    role, _, scope = text.partition(":")
    return Grant(role, scope)


async def find_or_register(
    ledger: "Ledger", person: UUID | None, mail: str, name: str, roles: Sequence[str]
) -> UUID:
    """The person, who has the roles afterwards. Needs an ``acting`` block."""
    from domain.directory import Person, identity_key  # noqa: PLC0415
    from domain.errors import EntryNotFound  # noqa: PLC0415
    from domain.identifiers import random_id  # noqa: PLC0415

    grants = [grant_of(role) for role in roles]
    if person is None and mail:
        person = await ledger.store.holder("identity:mail", identity_key("mail", mail))
    if person is not None:
        entry = await ledger.load(Person, person)
        if entry is None:
            raise EntryNotFound("person", str(person))
    elif name or mail:
        entry = Person(random_id())
        entry.register(name=name or mail, mail=mail)
    else:
        raise typer.BadParameter(
            "name somebody: --person ID or --mail ADDRESS, or --name for a new one"
        )
    for grant in grants:
        if grant not in entry.grants:
            entry.grant(grant)
    await ledger.save(entry)
    return entry.id
