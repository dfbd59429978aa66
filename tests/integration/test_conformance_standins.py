"""Whole conformance runs with the products whose interface we call, as stand-ins play them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from adapters.store.secrets import HelpdeskSecrets
from api.conformance.cases import CASES
from api.conformance.manners import Manner
from api.conformance.report import lines, report
from api.conformance.runs import ConformanceRuns
from domain.conformance import ConformanceRun
from domain.conformance_terms import Terms
from domain.directory import SupportUnit, UnitKind
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.conformance_people import Case, People, at_work
from tests.exchange_scenarios import by_test
from tests.peers.webhook_scenarios import Hub, hub
from tests.standins.products import PRODUCTS, Product, StandIn

UNITS = {"zammad": "Users", "jira": "ROC_DE", "servicenow": "ROC_IT"}
TERMS = Terms(answer_s=60, wait_s=60, quiet_s=1, slow_s=1, down_s=1)
LEFT_OUT = {
    name: why for name, case in CASES.items() if (why := case.why_not(Manner.FETCHED, Policy.FULL))
}


class Agents(People):
    """They work in the tickets of a product; our writing there they need not see: we are shown it."""

    def __init__(self, product: Product, site: StandIn) -> None:
        super().__init__()
        self._product, self._site = product, site

    async def act(self, run: int, case: Case) -> None:
        word, theirs = case["word"], case["external_id"]
        match case["case"]:
            case "their-open":
                self._product.asks(self._site, word)
            case "their-update":
                self._product.comments(self._site, theirs, f"We look at it, {word}.")
            case "their-close":
                self._product.solves(self._site, theirs, word)
            case name:
                raise AssertionError(f"nobody has to do anything by hand for {name}")


@pytest.fixture
async def connected(database: str) -> AsyncIterator[Hub]:
    """Give a service that is connected to all of them, and people who work there."""
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(hub(database, "GGUS", partner_poll_s=0.5))
        jobs = []
        for name, product in PRODUCTS.items():
            site = await stack.enter_async_context(product.standin())
            product.stranger(site)
            await register(ours, name, product, site)
            people = Agents(product, site)
            stack.push_async_callback(people.close)
            await people.introduced(ours, name)
            jobs.append(people.act_for_ever)
        async with at_work(*jobs):
            yield ours


async def register(ours: Hub, name: str, product: Product, site: StandIn) -> None:
    await HelpdeskSecrets(ours.store).keep(name, product.secret)
    with by_test():
        unit = SupportUnit(named_id(SupportUnit.KIND, UNITS[name]))
        unit.register(UNITS[name], kind=UnitKind.NGI)
        partner = Helpdesk(named_id(Helpdesk.KIND, name))
        partner.register(name, name, [UNITS[name]], address=product.address(site))
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.TESTING)
        await ours.ledger.save(unit, partner)


@pytest.mark.timeout(240)
async def test_whole_runs_are_passed_and_what_says_nothing_is_left_out_with_its_reason(connected):
    ours = connected
    runs = ConformanceRuns(ours.services)
    with by_test():
        for name in PRODUCTS:
            await runs.start(name, (), TERMS)
    await ours.wait_for(ConformanceRun.Finished, len(PRODUCTS), 200)
    for name in PRODUCTS:
        found = await report(ours.services, await runs.run(name, 1))
        verdicts = {each.case: each.code or each.verdict for each in found.cases}
        expected = {case: "not-applicable" if case in LEFT_OUT else "passed" for case in CASES}
        assert verdicts == expected, "\n".join(lines(found))
        assert (found.result, found.adapter) == ("passed", name)
        for each in found.cases:
            assert bool(each.positions) is (each.case not in LEFT_OUT), each.case
            assert LEFT_OUT.get(each.case, "") in each.detail
