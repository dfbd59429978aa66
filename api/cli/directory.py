"""``ticketledger directory``: register units, sites, VOs, persons, or change what is known of them.

Each command states what holds now. Stating it again changes nothing.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import Json, as_operator, print_json, run
from api.cli.people import Mail, Name, Roles, find_or_register, grant_of

if TYPE_CHECKING:
    from api.bootstrap import Services
    from domain.aggregate import Aggregate
    from domain.directory import Person
    from domain.ledger import Ledger

app = typer.Typer(help="Units, sites, VOs, persons and partner helpdesks.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Its name.")]
Title = Annotated[str, typer.Option(help="What it is, in a few words.")]
Contacts = Annotated[
    list[str], typer.Option(help="PURPOSE=ADDRESS, such as alarm=ops@example.org.")
]
Retire = Annotated[bool, typer.Option("--retire", help="It is no longer part of the directory.")]


def _save(
    context: typer.Context, decide: Callable[["Ledger"], Awaitable["Aggregate"]], json: bool
) -> None:
    """Store what ``decide`` let happen to an entry, and say whether that was anything."""

    async def save(services: "Services") -> dict[str, Any]:
        with as_operator():
            return await stored(services, await decide(services.ledger))

    say(run(context, save), json)


async def stored(services: "Services", entry: "Aggregate") -> dict[str, Any]:
    """Save an entry; ``id``, ``version`` and ``position``, which is None where nothing happened to it."""
    receipt = await services.ledger.save(entry)
    return {
        "id": entry.id,
        "version": entry.version,
        "position": receipt.position if receipt else None,
    }


def say(done: dict[str, Any], json: bool) -> None:
    """Tell what ``stored`` gave."""
    if json:
        print_json(done)
    elif done["position"] is None:
        print("nothing new")
    else:
        print(f"recorded at position {done['position']}")


def _contacts(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        purpose, equals, address = each.partition("=")
        if not (purpose and equals and address):
            raise typer.BadParameter(f"{each!r}: write a contact as PURPOSE=ADDRESS")
        found[purpose] = address
    return found


@app.command()
def unit(
    context: typer.Context,
    name: NameArgument,
    title: Title = "",
    kind: Annotated[
        str, typer.Option(help="first line, NGI, VO support, software, operations or other")
    ] = "other",
    contact: Contacts = (),  # type: ignore[assignment]
    level: Annotated[str, typer.Option(help="Declared service level, such as medium.")] = "",
    zone: Annotated[str, typer.Option(help="IANA zone in which the unit works.")] = "UTC",
    calendar: Annotated[str, typer.Option(help="Holidays it keeps, such as DE-BW.")] = "",
    retire: Retire = False,
    json: Json = False,
) -> None:
    """A support unit."""
    from domain.directory import SupportUnit, UnitKind  # noqa: PLC0415
    from domain.errors import UnknownValue  # noqa: PLC0415
    from domain.identifiers import named_id  # noqa: PLC0415

    kinds = [each.value for each in UnitKind]
    if kind not in kinds:
        raise UnknownValue("kind", kind, kinds)

    async def decide(ledger: "Ledger") -> "Aggregate":
        stream = named_id(SupportUnit.KIND, name)
        entry = await ledger.load(SupportUnit, stream) or SupportUnit(stream)
        if retire:
            entry.retire()
            return entry
        if not entry.version or entry.retired:
            entry.register(name, title, UnitKind(kind))
        if contact:
            entry.change_contacts(_contacts(contact))
        if level and (level, zone, calendar) != (entry.level, entry.zone, entry.calendar):
            entry.declare_service_level(level, zone, calendar)
        return entry

    _save(context, decide, json)


@app.command()
def site(
    context: typer.Context,
    name: NameArgument,
    title: Title = "",
    ngi: Annotated[str, typer.Option(help="The support unit that gets its tickets.")] = "",
    certification: Annotated[
        str, typer.Option(help="Candidate, Uncertified, Certified, Suspended or Closed")
    ] = "Certified",
    country: Annotated[str, typer.Option()] = "",
    zone: Annotated[str, typer.Option(help="IANA zone.")] = "",
    tier: Annotated[str, typer.Option(help="Such as 2.")] = "",
    contact: Contacts = (),  # type: ignore[assignment]
    alias: Annotated[list[str], typer.Option(help="Another name it is found under.")] = (),  # type: ignore[assignment]
    leave: Annotated[bool, typer.Option("--leave", help="It left the infrastructure.")] = False,
    json: Json = False,
) -> None:
    """A site. What is not given keeps its value."""
    from msgspec import structs  # noqa: PLC0415

    from domain.directory import Site  # noqa: PLC0415
    from domain.identifiers import named_id  # noqa: PLC0415

    given = {
        "title": title, "ngi": ngi, "certification": certification,
        "country": country, "zone": zone, "tier": tier,
    }  # fmt: skip

    async def decide(ledger: "Ledger") -> "Aggregate":
        stream = named_id(Site.KIND, name)
        entry = await ledger.load(Site, stream) or Site(stream)
        if leave:
            entry.leave()
            return entry
        changed = {field: value for field, value in given.items() if value}
        entry.record(name, structs.replace(entry.facts, **changed))
        if contact:
            entry.change_contacts(_contacts(contact))
        for each in alias:
            if each not in entry.aliases:
                entry.add_alias(each)
        return entry

    _save(context, decide, json)


@app.command()
def vo(
    context: typer.Context,
    name: NameArgument,
    title: Title = "",
    team: Annotated[bool, typer.Option("--team", help="May have TEAM tickets.")] = False,
    alarms: Annotated[bool, typer.Option("--alarms", help="May have ALARM tickets.")] = False,
    retire: Retire = False,
    json: Json = False,
) -> None:
    """A virtual organisation."""
    from domain.directory import VirtualOrganisation  # noqa: PLC0415
    from domain.identifiers import named_id  # noqa: PLC0415

    async def decide(ledger: "Ledger") -> "Aggregate":
        stream = named_id(VirtualOrganisation.KIND, name)
        entry = await ledger.load(VirtualOrganisation, stream) or VirtualOrganisation(stream)
        if retire:
            entry.retire()
        elif not entry.version or entry.retired:
            entry.register(name, title, team=team, alarms=alarms)
        return entry

    _save(context, decide, json)


@app.command()
def person(
    context: typer.Context,
    mail: Mail = "",
    name: Name = "",
    role: Roles = (),  # type: ignore[assignment]
    revoke: Annotated[list[str], typer.Option(help="A role to take away.")] = (),  # type: ignore[assignment]
    dn: Annotated[list[str], typer.Option(help="Subject of a certificate.")] = (),  # type: ignore[assignment]
    json: Json = False,
) -> None:
    """A person, found by mail address. Prints the identifier with --json."""
    from domain.directory import Person  # noqa: PLC0415
    from domain.errors import AlreadyClaimed  # noqa: PLC0415

    async def decide(ledger: "Ledger") -> "Person":
        person_id = await find_or_register(ledger, None, mail, name, role)
        entry = await ledger.load(Person, person_id)
        assert entry is not None, "it was just registered or found"
        for each in revoke:
            entry.revoke(grant_of(each))
        for each in dn:
            holder = await ledger.store.holder("identity:dn", each.strip())
            if holder is None:
                entry.add_identity("dn", each)
            elif holder != person_id:
                raise AlreadyClaimed("identity:dn", each, holder)
        return entry

    _save(context, decide, json)
