"""``ticketledger log``: what happened to the log itself, and what to do when it lost its last events."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import (
    Json,
    as_operator,
    harmless,
    print_json,
    projecting,
    run,
    settings_of,
    shown,
)

if TYPE_CHECKING:
    from api.bootstrap import Services
    from api.restoring import Loss, PartnerThen

app = typer.Typer(help="The log itself, after it was restored.", no_args_is_help=True)
_NAMED_MAX = 20
"""So many tickets of a partner are named on a terminal."""

UntilPosition = Annotated[
    int | None,
    typer.Option(
        "--lost-until",
        min=1,
        help="The last position that may have been given out, if you know better.",
    ),
]
UntilNumber = Annotated[
    int | None,
    typer.Option("--numbers-until", min=0, help="The last ticket number, likewise."),
]


@app.command()
def restored(
    context: typer.Context,
    until_position: UntilPosition = None,
    until_number: UntilNumber = None,
    again: Annotated[
        bool, typer.Option("--again", help="It was restored once more within the hour.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be done.")
    ] = False,
    json: Json = False,
) -> None:
    """Say that the log was restored without its last events. Do this before anything else writes to it.

    What these were given - positions, ticket numbers, sequences of feeds - is left out, so that it comes to mean
    nothing else. Then tickets are compared with the partners; those of which only a person can tell are listed.
    """
    from api import restoring  # noqa: PLC0415

    async def do(services: "Services") -> "tuple[Loss, list[PartnerThen]]":
        loss = None if again else await restoring.said_just_now(services)
        if loss is None:
            loss = await restoring.planned(services, until_position, until_number)
            if not dry_run:
                with as_operator():
                    loss = await restoring.leave_out(services, loss)
        since = None if dry_run else loss.recorded_at
        async with projecting(services):  # only now: what is said must not depend on them
            return loss, await restoring.partners_then(services, since)

    loss, partners = run(context, do)
    if json:
        print_json({"loss": loss, "partners": partners})
        return
    _show(loss, settings_of(context).zone)
    if dry_run and not loss.position:
        print("Nothing was changed.")
    for each in partners:
        _show_partner(each, begun=bool(loss.position) and not dry_run)


@app.command()
def losses(context: typer.Context, json: Json = False) -> None:
    """When the log was restored without its last events, and what was left out."""
    from api import restoring  # noqa: PLC0415

    found = run(context, restoring.losses)
    if json:
        print_json(found)
        return
    for each in found:
        _show(each, settings_of(context).zone)
    if not found:
        print("The log was never restored, as far as it says.")


def _show(loss: "Loss", zone: str) -> None:
    if loss.position:
        print(f"position {loss.position}, recorded {shown(loss.recorded_at, zone)} by {loss.actor}")
    print(f"  last event that was restored: {shown(loss.kept_until, zone) or 'none'}")
    print(f"  positions left out: {loss.after + 1} to {loss.until}")
    print(f"  ticket numbers left out: {loss.numbers_after + 1} to {loss.numbers_until}")


def _show_partner(partner: "PartnerThen", *, begun: bool) -> None:
    name = f"{partner.name} ({partner.interface})"
    if partner.compared:
        says = "the service compares its tickets now" if begun else "would be compared"
        print(f"{name}: {says}; `exchange diverged {partner.name}` lists what differs")
        return
    why = f" ({partner.why})" if partner.why else ""
    print(f"{name}: compare by eye{why}, {len(partner.tickets)} tickets that are not final")
    for each in partner.tickets[:_NAMED_MAX]:
        print(f"  {each.number}  theirs {harmless(each.external_id) or '-'}")
    if len(partner.tickets) > _NAMED_MAX:
        print(f"  ... and {len(partner.tickets) - _NAMED_MAX} more: --json has all")
