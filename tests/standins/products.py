"""The products that stand-ins play, all alike: what a test needs that tries the same with each adapter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.helpdesks.jira.connector import JiraConnector
from adapters.helpdesks.jira.mapping import Jira as JiraAdapter
from adapters.helpdesks.servicenow.connector import ServiceNowConnector
from adapters.helpdesks.servicenow.mapping import ServiceNow as ServiceNowAdapter
from adapters.helpdesks.zammad.connector import ZammadConnector
from adapters.helpdesks.zammad.mapping import Zammad as ZammadAdapter
from adapters.kit.contract import Adapter
from adapters.kit.interface import Connector
from tests.standins import jira, servicenow, zammad

StandIn = Any
"""One of the stand-ins."""


@dataclass(frozen=True, kw_only=True)
class Product:
    standin: Callable[[], StandIn]
    adapter: Adapter
    connector: Connector
    secret: str
    address: Callable[[StandIn], str]
    stranger: Callable[[StandIn], str]
    """Opens a ticket that has nothing to do with us; its text is ``x``."""
    asks: Callable[[StandIn, str], object]
    """Opens a ticket for us, with this subject."""
    comments: Callable[[StandIn, str, str], object]
    """Somebody there writes a text into a ticket."""
    solves: Callable[[StandIn, str, str], None]
    """Somebody there solves a ticket, and says how."""
    said: Callable[[StandIn, str], list[str]]
    """All texts of a ticket, in order."""
    bearing: Callable[[StandIn, str], list[str]]
    """The tickets with our number."""
    over: Callable[[StandIn, str], bool]
    """Whether a ticket is ended."""
    opens: tuple[str, str]
    writes: tuple[str, str]
    """Method and path of the calls by which we do that."""
    texts_taken_back: bool
    """Whether its interface has a way to take a text back."""
    gives_again: bool
    """Whether it gives identifiers a second time after a restore."""
    requests: int
    """That one text costs at most, once the session knows the site."""


def _jira_address(site: jira.Jira) -> str:
    account = jira.ACCOUNT.replace("@", "%40")
    return site.url.replace("://", f"://{account}@") + "/?project=OPS&type=Task&intake=HUB"


def _incident_texts(site: servicenow.ServiceNow, sys_id: str) -> list[str]:
    incident = site.incidents[sys_id]
    return [incident["description"], *site.texts(sys_id)]


def _issue_texts(site: jira.Jira, issue: str) -> list[str]:
    return [jira.plain(site.issues[issue]["description"]), *site.texts(issue)]


def _solve_there(site: zammad.Zammad, ticket: str, how: str) -> None:
    site.write(int(ticket), how)
    site.change(int(ticket), state="closed")


def _solve_issue(site: jira.Jira, issue: str, how: str) -> None:
    site.write(issue, how)
    site.move(issue, "Done")


def _solve_incident(site: servicenow.ServiceNow, sys_id: str, how: str) -> None:
    site.change(sys_id, state="6", close_code="Solution provided", close_notes=how)


PRODUCTS: Final[Mapping[str, Product]] = {
    "zammad": Product(
        standin=zammad.Zammad,
        adapter=ZammadAdapter(),
        connector=ZammadConnector(settle_s=0.5),
        secret=zammad.TOKEN,
        address=lambda site: f"{site.url}/?group=Users&intake=To_GGUS",
        stranger=lambda site: str(site.open("ROC_DE", "Nothing to do with you", "x")),
        asks=lambda site, subject: site.open("To_GGUS", subject, "Since noon."),
        comments=lambda site, ticket, text: site.write(int(ticket), text),
        solves=_solve_there,
        said=lambda site, ticket: site.texts(int(ticket)),
        bearing=lambda site, ours: [str(each["id"]) for each in site.of(ours)],
        over=lambda site, ticket: site.tickets[int(ticket)]["state"] == "closed",
        opens=("POST", "/tickets$"),
        writes=("PUT", "/tickets/"),
        texts_taken_back=False,
        gives_again=True,
        requests=4,
    ),
    "jira": Product(
        standin=jira.Jira,
        adapter=JiraAdapter(),
        connector=JiraConnector(settle_s=0.5),
        secret=jira.TOKEN,
        address=_jira_address,
        stranger=lambda site: site.open("OPS", "Nothing to do with you", "x"),
        asks=lambda site, subject: site.open("HUB", subject, "Since noon."),
        comments=lambda site, issue, text: site.write(issue, text),
        solves=_solve_issue,
        said=_issue_texts,
        bearing=lambda site, ours: site.of(ours),
        over=lambda site, ticket: site.issues[ticket]["status"] == "Done",
        opens=("POST", "/issue$"),
        writes=("POST", "/comment$"),
        texts_taken_back=True,
        gives_again=True,
        requests=4,
    ),
    "servicenow": Product(
        standin=servicenow.ServiceNow,
        adapter=ServiceNowAdapter(),
        connector=ServiceNowConnector(settle_s=0.5),
        secret=servicenow.PASSWORD,
        address=lambda site: (
            site.url.replace("://", "://bridge@") + "/?group=Service%20Desk&intake=To_GGUS"
        ),
        stranger=lambda site: site.open(
            "ROC_DE", short_description="Nothing to do with you", description="x"
        ),
        asks=lambda site, subject: site.open(
            "To_GGUS", short_description=subject, description="Since noon."
        ),
        comments=lambda site, sys_id, text: site.change(sys_id, comments=text),
        solves=_solve_incident,
        said=_incident_texts,
        bearing=lambda site, ours: [each["sys_id"] for each in site.of(ours)],
        over=lambda site, ticket: site.incidents[ticket]["state"] == "8",
        opens=("POST", "/incident$"),
        writes=("PATCH", "/incident/"),
        texts_taken_back=False,
        gives_again=False,
        requests=4,
    ),
}
