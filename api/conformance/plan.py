"""What a conformance run of a partner would try, and whether one may be begun: asked before there is a run."""

from msgspec import Struct

from api.bootstrap import Services
from api.conformance.cases import CASES
from api.conformance.manners import BY_HAND, manner_of
from api.conformance.report import filled
from api.conformance.runs import EXCHANGE_OFF, ConformanceRuns
from domain.conformance_terms import Result, Terms, not_permitted
from domain.errors import EntryNotFound
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id


class PlannedCase(Struct, frozen=True):
    case: str
    title: str
    do: str
    """What the partner must do; the code word and the tickets come with the run."""
    checked: str
    left_out: str
    """Why the case says nothing about this interface; empty where it does."""


class Plan(Struct, frozen=True, kw_only=True):
    helpdesk: str
    adapter: str
    mapping: str
    """Name and version of the mapping in force; empty where nobody knows the adapter."""
    manner: str
    """How the interface works; empty where nobody knows the adapter."""
    by_hand: str
    """Who does what on the partner's side."""
    unproved: str
    """Why the interface is not proved to work as it is now; empty where a run of it was passed."""
    refused: str
    """Why no run may be begun now; empty where one may."""
    cases: list[PlannedCase]


async def plan(services: Services, helpdesk: str) -> Plan:
    """Raises ``EntryNotFound``, ``StoreUnavailable``."""
    partner = await services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, helpdesk))
    if partner is None:
        raise EntryNotFound("helpdesk", helpdesk)
    manner = manner_of(services.exchange, partner)
    if manner is None:
        why = f"there is no adapter {partner.adapter!r}" if partner.adapter else "it has no adapter"
        return Plan(
            helpdesk=helpdesk, adapter=partner.adapter, mapping="", manner="", by_hand="",
            unproved=why, refused=why, cases=[],
        )  # fmt: skip
    return Plan(
        helpdesk=helpdesk,
        adapter=partner.adapter,
        mapping=services.exchange.conversations.place(partner).mapping,
        manner=manner.value,
        by_hand=BY_HAND[manner],
        unproved=await ConformanceRuns(services).unproved(partner),
        refused=await _refused(services, partner),
        cases=[
            PlannedCase(
                each.name,
                each.title,
                filled(each.wish(manner), Terms(), services.settings.prefix, None),
                each.checked,
                each.why_not(manner, partner.policy),
            )
            for each in CASES.values()
        ],
    )


async def _refused(services: Services, partner: Helpdesk) -> str:
    if why := not_permitted(partner, services.settings.environment.value):
        return why
    if not services.settings.exchanges:
        return EXCHANGE_OFF
    last = await ConformanceRuns(services).last(partner.name)
    running = last is not None and last.result is Result.RUNNING
    return f"conformance run {last.number} of {partner.name} is running" if last and running else ""
