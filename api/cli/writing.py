"""``ticketledger open``: a ticket by command line, for somebody."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.common import Json, as_operator, operator, print_json, run
from api.cli.people import Mail, Name, find_or_register

if TYPE_CHECKING:
    from api.bootstrap import Services
    from domain.ledger import Outcome


def install(app: typer.Typer) -> None:
    app.command("open")(open_)


def open_(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="In one line.")],
    description: Annotated[str, typer.Option(help="More; - reads it from standard input.")] = "",
    mail: Mail = "",
    name: Name = "",
    priority: Annotated[str, typer.Option(help="less urgent, urgent, ...")] = "less urgent",
    category: Annotated[str, typer.Option()] = "Incident",
    issue_type: Annotated[str, typer.Option()] = "Other",
    vo: Annotated[str, typer.Option(help="Virtual organisation.")] = "",
    affected_site: Annotated[str, typer.Option(help="Where the problem is seen.")] = "",
    notified_site: Annotated[str, typer.Option(help="Tell this site and go to its NGI.")] = "",
    unit: Annotated[str, typer.Option(help="Go to this support unit directly.")] = "",
    json: Json = False,
) -> None:
    """Open a ticket for the person with a mail address."""
    from domain.commands import OpenTicket  # noqa: PLC0415
    from domain.errors import UnknownValue  # noqa: PLC0415
    from domain.ticket import Particulars  # noqa: PLC0415
    from domain.vocabulary import Priority  # noqa: PLC0415

    priorities = [each.value for each in Priority]
    if priority not in priorities:
        raise UnknownValue("priority", priority, priorities)
    if not mail:
        raise typer.BadParameter("whose ticket is it? give --mail")
    text = description
    if text == "-":
        try:
            text = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise typer.BadParameter("what stands on standard input is not UTF-8") from error

    async def opened(services: "Services") -> "Outcome":
        with as_operator():
            submitter = await find_or_register(services.ledger, None, mail, name, ())
            return await services.ledger.execute(
                OpenTicket(
                    subject=subject,
                    description=text,
                    submitter=submitter,
                    particulars=Particulars(
                        priority=priority,
                        category=category,
                        issue_type=issue_type,
                        vo=vo,
                        affected_site=affected_site,
                    ),
                    unit=unit,
                    notified_site=notified_site,
                ),
                actor=operator(),
            )

    outcome = run(context, opened)
    ticket, receipt = outcome.ticket, outcome.receipt
    if json:
        print_json(
            {
                "number": ticket.number,
                "version": ticket.version,
                "status": ticket.status.value,
                "unit": ticket.unit,
                "position": receipt.position,
                "recorded_at": receipt.recorded_at,
            }
        )
    else:
        print(
            f"{ticket.number} ({ticket.status.value}, {ticket.unit}, position {receipt.position})"
        )
