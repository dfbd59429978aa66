"""``ticketledger directory helpdesk``: register a partner helpdesk, or change its terms."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import Json, as_operator, run, settings_of
from api.cli.directory import NameArgument, say, stored

if TYPE_CHECKING:
    from api.bootstrap import Services


def install(app: typer.Typer) -> None:
    app.command()(helpdesk)


def helpdesk(
    context: typer.Context,
    name: NameArgument,
    adapter: Annotated[str, typer.Option(help="The translation it needs, such as osg_mail.")] = "",
    unit: Annotated[list[str], typer.Option(help="A support unit that works there.")] = (),  # type: ignore[assignment]
    address: Annotated[str, typer.Option(help="Where its machine mail goes.")] = "",
    sender: Annotated[str, typer.Option(help="Where its machine mail comes from.")] = "",
    environment: Annotated[
        str, typer.Option(help="Of its system: production, test or development; by itself ours.")
    ] = "",
    policy: Annotated[str, typer.Option(help="closing only, or full")] = "",
    interface: Annotated[str, typer.Option(help="not interfaced, testing, live or paused")] = "",
    unproved: Annotated[
        bool, typer.Option(help="Live in production though no conformance run proves it.")
    ] = False,
    json: Json = False,
) -> None:
    """A partner helpdesk and its terms. What is not given keeps its value."""
    from adapters.registry import ADAPTERS  # noqa: PLC0415
    from api.conformance.going_live import agreed  # noqa: PLC0415
    from api.conformance.runs import ConformanceRuns  # noqa: PLC0415
    from api.settings import Environment  # noqa: PLC0415
    from domain.errors import UnknownValue  # noqa: PLC0415
    from domain.helpdesk import Helpdesk, InterfaceState, Policy  # noqa: PLC0415
    from domain.identifiers import named_id  # noqa: PLC0415

    ours = settings_of(context).environment.value
    for field, value, possible in (
        ("environment", environment, [each.value for each in Environment]),
        ("policy", policy, [each.value for each in Policy]),
        ("interface", interface, [each.value for each in InterfaceState]),
        ("adapter", adapter, sorted(ADAPTERS)),
    ):
        if value and value not in possible:
            raise UnknownValue(field, value, possible)

    async def decide(services: "Services") -> dict[str, Any]:
        stream = named_id(Helpdesk.KIND, name)
        entry = await services.ledger.load(Helpdesk, stream) or Helpdesk(stream)
        terms = (
            adapter or entry.adapter,
            tuple(unit) or entry.units,
            address or entry.address,
            sender or entry.sender,
            environment or (entry.environment if entry.version else ours),
        )
        known = (entry.adapter, entry.units, entry.address, entry.sender, entry.environment)
        if not entry.version or terms != known:
            if terms[2] and (terms[0], terms[2]) != (entry.adapter, entry.address):
                _must_be_address(terms[0], terms[2])
            entry.register(
                name, terms[0], terms[1], address=terms[2], sender=terms[3], environment=terms[4]
            )
        if policy and Policy(policy) is not entry.policy:
            entry.set_policy(Policy(policy))
        wanted = InterfaceState(interface) if interface else entry.interface
        if wanted is not entry.interface:
            reason = await agreed(services, entry, wanted, "", unproved=unproved)
            entry.set_interface(wanted, reason)
        done = await stored(services, entry)
        warning = await ConformanceRuns(services).warning(entry) if interface else ""
        return done | {"warning": warning}

    async def save(services: "Services") -> dict[str, Any]:
        with as_operator():
            return await decide(services)

    done = run(context, save)
    say(done, json)
    if done["warning"] and not json:
        print(f"warning: {done['warning']}")


def _must_be_address(adapter: str, address: str) -> None:
    """Raises ``Invalid``: else the first ticket would be parked."""
    from adapters.kit.retry import Undelivered  # noqa: PLC0415
    from adapters.registry import check_address  # noqa: PLC0415
    from domain.errors import Invalid  # noqa: PLC0415

    try:
        check_address(adapter, address)
    except Undelivered as error:
        raise Invalid(f"the address {error}") from error
