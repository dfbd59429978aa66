"""``ticketledger levels``: publish calendars and policies; report how well tickets were served."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.common import Json, as_operator, console, print_json, run

if TYPE_CHECKING:
    from api.bootstrap import Services
    from domain.calendars import Calendar
    from domain.service_policy import ServicePolicy
    from projections.levels import Report

app = typer.Typer(help="Service levels.", no_args_is_help=True)
publishing = typer.Typer(help="Publish what service levels depend on.", no_args_is_help=True)
app.add_typer(publishing, name="publish")

NameArgument = Annotated[str, typer.Argument(help="Its name.")]
Version = Annotated[str, typer.Option(help="Of its content: it never changes under this version.")]
AsOf = Annotated[str, typer.Option(help="An instant with a zone, or a position of the log.")]
Position = Annotated[
    int | None, typer.Option(help="Beside an instant: what was recorded later is unknown.")
]
Policy = Annotated[str, typer.Option(help="A policy, or one version of it: ggus@2.")]
Calendars = Annotated[list[str], typer.Option(help="One version of a calendar: office@2026.")]
_YEARS: Final = (2004, 2040)


def _publish(context: typer.Context, what: "list[Calendar | ServicePolicy]", json: bool) -> None:
    from domain.publications import decide  # noqa: PLC0415

    async def save(services: "Services") -> int | None:
        with as_operator():
            decided = await decide(services.store, what)
            receipt = await services.ledger.save(*decided) if decided else None
        return receipt.position if receipt else None

    position = run(context, save)
    if json:
        print_json({"position": position})
    else:
        print("nothing new" if position is None else f"published at position {position}")


@publishing.command()
def calendar(
    context: typer.Context,
    name: NameArgument,
    version: Version,
    zone: Annotated[str, typer.Option(help="IANA zone, such as Europe/Berlin.")] = "UTC",
    hours: Annotated[
        str, typer.Option(help="Working hours, Monday to Friday; several parted by commas.")
    ] = "09:00-17:00",
    holidays: Annotated[
        list[str], typer.Option(help="Country or part whose holidays it keeps: DE, DE-BW.")
    ] = [],  # noqa: B006 - typer copies it
    holiday: Annotated[list[str], typer.Option(help="One more day off: 2026-12-24.")] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """The working time of people who answer."""
    from domain.calendars import Calendar  # noqa: PLC0415

    days = {_day(each) for each in holiday}
    if holidays:
        from adapters.directories.holidays import public_holidays  # noqa: PLC0415

        years = range(_YEARS[0], _YEARS[1] + 1)
        days |= {day for where in holidays for day in public_holidays(where, years)}
    shifts = tuple(hours.split(","))
    with _reported():
        made = Calendar(
            name=name, version=version, zone=zone, hours=(*([shifts] * 5), (), ()),
            holidays=frozenset(days), first_year=_YEARS[0], last_year=_YEARS[1],
        )  # fmt: skip
    _publish(context, [made], json)


@publishing.command()
def policy(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="JSON as `levels in-force` prints it.", exists=True)
    ] = None,
    version: Annotated[
        str, typer.Option(help="Of the grid's policy, where no file is given.")
    ] = "",
    level: Annotated[list[str], typer.Option(help="UNIT=LEVEL, such as NGI_DE=medium.")] = [],  # noqa: B006
    middleware: Annotated[
        list[str], typer.Option(help="A unit with the colours of middleware.")
    ] = [],  # noqa: B006
    calendars: Annotated[list[str], typer.Option("--calendar", help="UNIT=CALENDAR.")] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """An agreement: from a file, or the grid's with the levels and calendars of units."""
    import msgspec  # noqa: PLC0415

    from domain.service_policy import ServicePolicy, ggus_policy  # noqa: PLC0415

    with _reported():
        if file is not None:
            made = ServicePolicy.from_plain(msgspec.json.decode(file.read_bytes()))
        elif version:
            made = ggus_policy(
                version, levels=_pairs(level), middleware=frozenset(middleware), calendars=_pairs(calendars)
            )  # fmt: skip
        else:
            raise typer.BadParameter("name a file, or a --version of the grid's policy")
    _publish(context, [made], json)


@app.command()
def in_force(context: typer.Context, name: Annotated[str, typer.Argument()] = "ggus") -> None:
    """Print the policy that is in force, as JSON that can be changed and published."""
    from domain.publications import in_force as found  # noqa: PLC0415

    async def ask(services: "Services") -> dict[str, Any]:
        return (await found(services.store, policy=name)).levels.policy.to_plain()

    print_json(run(context, ask))


@app.command()
def report(
    context: typer.Context,
    begin: Annotated[str, typer.Option(help="An instant with a zone; a year before the end.")] = "",
    end: Annotated[str, typer.Option(help="Not included; the instant of asking.")] = "",
    by: Annotated[
        list[str], typer.Option(help="unit, site, vo, month or priority; up to two.")
    ] = [],  # noqa: B006
    unit: Annotated[list[str], typer.Option()] = [],  # noqa: B006
    site: Annotated[list[str], typer.Option()] = [],  # noqa: B006
    vo: Annotated[list[str], typer.Option()] = [],  # noqa: B006
    as_of: AsOf = "",
    position: Position = None,
    policy: Policy = "",
    calendars: Calendars = [],  # noqa: B006
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
) -> None:
    """Statistics of a time frame, in total or by group."""
    from typing import cast  # noqa: PLC0415

    from api import levels, moments  # noqa: PLC0415
    from domain.errors import UnknownValue  # noqa: PLC0415
    from projections.level_figures import DIMENSIONS, Dimension  # noqa: PLC0415
    from projections.level_reading import Filters  # noqa: PLC0415
    from projections.levels import as_bytes  # noqa: PLC0415

    for each in by:
        if each not in DIMENSIONS:
            raise UnknownValue("by", each, DIMENSIONS)
    dimensions = cast("list[Dimension]", by)
    basis = levels.Basis(moments.as_of(as_of), position, policy, tuple(calendars))
    filters = Filters(units=tuple(unit), sites=tuple(site), vos=tuple(vo))

    async def ask(services: "Services") -> "Report":
        return await levels.report(
            services, basis,
            begin=moments.instant(begin, "begin") if begin else None,
            end=moments.instant(end, "end") if end else None,
            by=[dimensions] if by else (), filters=filters,
        )  # fmt: skip

    found = run(context, ask, work=True)
    if json:
        print(as_bytes(found).decode())
    elif csv:
        print(levels.as_csv(found), end="")
    else:
        _show(found)


@app.command()
def explain(
    context: typer.Context,
    number: Annotated[int, typer.Argument(help="Of the ticket.")],
    as_of: AsOf = "",
    policy: Policy = "",
    json: Json = False,
) -> None:
    """The clocks of one ticket and why they stand where they do."""
    from api import levels, moments  # noqa: PLC0415
    from projections.levels import TicketLevels, as_bytes  # noqa: PLC0415

    async def ask(services: "Services") -> TicketLevels:
        return await levels.explained(
            services, number, levels.Basis(moments.as_of(as_of), policy=policy)
        )

    found = run(context, ask, work=True)
    if json:
        print(as_bytes(found).decode())
        return
    for segment in found.segments:
        since = datetime.fromtimestamp(segment.from_at, UTC)
        print(f"{since:%Y-%m-%d %H:%M} UTC  {segment.status:17}  {segment.unit:20}  {segment.why}")


def _show(found: "Report") -> None:
    from rich.table import Table  # noqa: PLC0415

    from domain.durations import format_working  # noqa: PLC0415

    def amount(seconds: int | None) -> str:
        return "" if seconds is None else format_working(seconds // 60 * 60)

    last = found.tables[-1]
    table = Table(
        *last.by, "submitted", "stays", "response (median)", "in time", "solution (median)", "open"
    )
    for group in last.groups:
        figures = group.figures
        points = figures.response_met.basis_points
        table.add_row(
            *group.group.values(), str(figures.submitted), str(figures.stays),
            amount(figures.response.median_s), "" if points is None else f"{points / 100:.2f} %",
            amount(figures.solution.median_s), str(figures.open.count),
        )  # fmt: skip
    basis = found.basis
    sources = ", ".join(f"{each.name} {each.version}" for each in (basis.policy, *basis.calendars))
    console().print(table)
    print(
        f"{found.begin:%Y-%m-%d} to {found.end:%Y-%m-%d} as of {basis.as_of:%Y-%m-%d %H:%M:%S} UTC,"
    )
    print(f"position {basis.as_of_position}, by {sources}; working days of 8 hours")


def _pairs(given: list[str]) -> dict[str, str]:
    found = {}
    for each in given:
        unit, equals, value = each.partition("=")
        if not (unit and equals and value):
            raise typer.BadParameter(f"{each!r}: write it as UNIT=VALUE")
        found[unit] = value
    return found


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day, such as 2026-12-24") from error


def _reported() -> Any:
    """What a calendar or a policy cannot be is told as wrong usage."""
    from contextlib import contextmanager  # noqa: PLC0415

    from msgspec import DecodeError  # noqa: PLC0415

    from domain.calendars import CalendarInvalid  # noqa: PLC0415
    from domain.service_policy import PolicyInvalid  # noqa: PLC0415

    @contextmanager
    def reported() -> Any:
        try:
            yield
        except (CalendarInvalid, PolicyInvalid, DecodeError) as error:
            raise typer.BadParameter(str(error)) from error

    return reported()
