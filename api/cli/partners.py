"""``ticketledger exchange status``, ``interface`` and ``secret``: how partners do, and how we are connected to them."""

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
from api.elapsed import elapsed

if TYPE_CHECKING:
    from datetime import datetime

    from api.bootstrap import Services
    from api.partners import PartnerStatus
    from domain.helpdesk import Helpdesk
    from domain.store import Receipt

HelpdeskArgument = Annotated[str, typer.Argument(help="Name of the partner.")]
_PAGE = 200
_TABLE_COLUMNS = 150


def install(app: typer.Typer) -> None:
    for command in (status, interface, secret):
        app.command()(command)


def status(context: typer.Context, json: Json = False) -> None:
    """Each partner: its interface, what waits and since when, failures, messages, last contact."""
    from api import partners  # noqa: PLC0415

    async def read(services: "Services") -> "list[PartnerStatus]":
        found: list[PartnerStatus] = []
        cursor: str | None = None
        while True:
            page = await partners.partners(services, cursor=cursor, limit=_PAGE)
            found += page.items
            cursor = page.next
            if cursor is None:
                return found

    found = run(context, read, work=True)
    if json:
        print_json(found)
        return
    if not found:
        print("No helpdesk is registered: see `ticketledger directory helpdesk --help`.")
        return
    zone = settings_of(context).zone
    if console().width < _TABLE_COLUMNS:
        for each in found:
            _show_narrow(each, zone)
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        "helpdesk", "interface", "waiting in", "waiting out", "parked", "failures", "per minute in/out",
        "heard at", "told at", "next attempt", "trouble", box=None,
    )  # fmt: skip
    for each in found:
        table.add_row(
            each.name,
            _interface(each),
            _waiting(each.waiting_in, each.lag_in_s),
            _waiting(each.waiting_out, each.lag_out_s),
            _waiting(each.parked, each.parked_s),
            str(_failures(each)),
            f"{each.rate_in:.1f}/{each.rate_out:.1f}",
            shown(each.heard_at, zone),
            shown(each.told_at, zone),
            shown(each.next_attempt_at or _asked_again_at(each), zone),
            harmless(_trouble(each)),
        )
    console().print(table, markup=False)


def _show_narrow(partner: "PartnerStatus", zone: str) -> None:
    """On a terminal where the table would have more letters left out than shown."""
    print(f"{partner.name}: {_interface(partner)}")
    for label, value in (
        ("waiting in", _waiting(partner.waiting_in, partner.lag_in_s)),
        ("waiting out", _waiting(partner.waiting_out, partner.lag_out_s)),
        ("parked", _waiting(partner.parked, partner.parked_s)),
        ("failures", str(_failures(partner))),
        ("per minute", f"in {partner.rate_in:.1f}, out {partner.rate_out:.1f}"),
        ("heard at", shown(partner.heard_at, zone)),
        ("told at", shown(partner.told_at, zone)),
        ("next attempt", shown(partner.next_attempt_at or _asked_again_at(partner), zone)),
        ("trouble", harmless(_trouble(partner))),
    ):
        if value not in ("", "0"):
            print(f"  {label:<13} {value}")


def _interface(partner: "PartnerStatus") -> str:
    return f"{partner.interface}, held" if partner.held else partner.interface


def _failures(partner: "PartnerStatus") -> int:
    return partner.failures + (partner.polling.failures if partner.polling else 0)


def _asked_again_at(partner: "PartnerStatus") -> "datetime | None":
    """After a failure only: one that does well is asked every few seconds."""
    polling = partner.polling
    return polling.next_at if polling is not None and polling.failures else None


def _waiting(messages: int, since_s: float) -> str:
    return f"{messages} ({elapsed(since_s)})" if messages else "0"


def _trouble(partner: "PartnerStatus") -> str:
    """The present one, and why the interface is as it is; a past one is told with --json."""
    reason = f"({partner.interface_reason})" if partner.interface_reason else ""
    trouble = ""
    if partner.polling is not None and partner.polling.failures:
        trouble = partner.polling.last_error
    elif partner.failures or partner.parked:
        trouble = f"{partner.code}: {' '.join((partner.error or '(erased)').split())}"
    return f"{reason} {trouble}".strip()


def interface(
    context: typer.Context,
    helpdesk: HelpdeskArgument,
    state: Annotated[str, typer.Argument(help="not interfaced, testing, live or paused")],
    reason: Annotated[str, typer.Option(help="Why; it is shown with the state.")] = "",
    unproved: Annotated[
        bool, typer.Option(help="Live in production though no conformance run proves it.")
    ] = False,
    json: Json = False,
) -> None:
    """Let messages flow, or hold them. What waits meanwhile is kept, and nothing is parked."""
    from domain.errors import UnknownValue  # noqa: PLC0415
    from domain.helpdesk import InterfaceState  # noqa: PLC0415

    possible = [each.value for each in InterfaceState]
    if state not in possible:
        raise UnknownValue("interface", state, possible)

    async def do(services: "Services") -> "tuple[Helpdesk, Receipt, str]":
        from api.conformance.going_live import agreed  # noqa: PLC0415
        from api.conformance.runs import ConformanceRuns  # noqa: PLC0415

        before = await services.exchange.by_hand.registered(helpdesk)
        wanted = InterfaceState(state)
        with as_operator():
            why = await agreed(services, before, wanted, reason, unproved=unproved)
            entry, receipt = await services.exchange.by_hand.set_interface(
                operator(), helpdesk, wanted, why
            )
        return entry, receipt, await ConformanceRuns(services).warning(entry)

    entry, receipt, warning = run(context, do)
    if json:
        print_json({
            "name": entry.name, "state": state, "position": receipt.position, "warning": warning,
        })  # fmt: skip
    else:
        print(f"the interface to {entry.name} is {state} since position {receipt.position}")
        if warning:
            print(f"warning: {warning}")


def secret(context: typer.Context, helpdesk: HelpdeskArgument) -> None:
    """Keep the password or token for a partner's interface; it is read from standard input.

    Nothing shows it again. An empty line makes it forgotten. That it was rotated is recorded.
    """
    import getpass  # noqa: PLC0415
    import sys  # noqa: PLC0415

    from adapters.store.secrets import HelpdeskSecrets  # noqa: PLC0415
    from domain.errors import Invalid  # noqa: PLC0415

    line = (
        getpass.getpass(f"Secret for {helpdesk}: ") + "\n"
        if sys.stdin.isatty()
        else sys.stdin.readline()
    )
    if not line:  # a command before ours failed: that is no wish to forget it
        raise Invalid("nothing came from standard input; an empty line makes the secret forgotten")
    asked = line.strip()

    async def keep(services: "Services") -> "Receipt":
        entry = await services.exchange.conversations.known_partner(helpdesk)
        with as_operator():
            entry.rotate_credentials(forgotten=not asked)
            # Recorded first: a rotation that did not come about is repeated, one unknown is a hole.
            receipt = await services.ledger.save(entry)
        assert receipt is not None
        await HelpdeskSecrets(services.store).keep(helpdesk, asked)
        return receipt

    receipt = run(context, keep)
    what = "kept" if asked else "forgotten"
    print(f"the secret for {helpdesk} is {what}, recorded at position {receipt.position}")
