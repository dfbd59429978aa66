"""Conformance runs with helpdesks whose interface we call: the real Request Tracker, the real Redmine."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.store.secrets import HelpdeskSecrets
from api.conformance.report import lines, report
from api.conformance.runs import ConformanceRuns
from domain.conformance import ConformanceRun
from domain.conformance_terms import Terms
from domain.directory import SupportUnit, UnitKind
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.conformance_people import Case, People, at_work
from tests.exchange_scenarios import by_test
from tests.peers import redmine_scenarios, rt_scenarios
from tests.peers.peer_hub import prefix
from tests.peers.webhook_scenarios import Hub, hub

TERMS = Terms(answer_s=120, wait_s=120, quiet_s=2, slow_s=1, down_s=1)
NOT_APPLICABLE = {
    "reorder", "garbage", "their-duplicate", "their-garbage", "their-stranger", "slow", "down",
}  # fmt: skip


class RtPeople(People):
    def __init__(self, desk: Any) -> None:
        super().__init__()
        self._desk = desk

    async def act(self, run: int, case: Case) -> None:
        word, theirs = case["word"], case["external_id"]
        match case["case"]:
            case "their-open":
                await self._desk.open("To_GGUS", word)
            case "their-update":
                await self.write(theirs, f"We look at it, {word}.")
            case "their-close":
                await self.write(theirs, word, "resolved")
            case name:
                raise AssertionError(f"nobody has to do anything by hand for {name}")

    async def write(self, theirs: str, text: str, state: str = "") -> None:
        await self._desk.reply(theirs, text, **({"Status": state} if state else {}))


class RedminePeople(RtPeople):
    async def write(self, theirs: str, text: str, state: str = "") -> None:
        await self._desk.note(theirs, text, **({"status": state.capitalize()} if state else {}))


TRIED = ("open", "update", "duplicate", "reorder", "their-open", "their-close", "slow")
"""Whole runs with both were tried by hand, and passed: ten tickets in a real helpdesk take minutes."""


@pytest.fixture(params=["rt", "redmine"])
async def connected(request: Any, database: str) -> AsyncIterator[Hub]:
    """Give a service that is connected to a real helpdesk, and somebody who works there."""
    if request.param == "rt":
        peer = request.getfixturevalue("request_tracker")
        address = peer.url.replace("://", "://bridge@") + "/?queue=ROC_DE&intake=To_GGUS"
        secret = peer.passwords["bridge"]
        kind, desk = RtPeople, rt_scenarios.Desk(peer, "supporter")
    else:
        peer = request.getfixturevalue("redmine")
        address = redmine_scenarios.address_of(peer.url)
        secret = peer.keys["bridge"]
        kind, desk = RedminePeople, redmine_scenarios.Desk(peer, "supporter")
    async with desk, hub(database, prefix(database), partner_poll_s=0.5) as ours:
        people = kind(desk)
        await HelpdeskSecrets(ours.store).keep("desk", secret)
        with by_test():
            unit = SupportUnit(named_id(SupportUnit.KIND, "ROC_DE"))
            unit.register("ROC_DE", kind=UnitKind.NGI)
            partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
            partner.register("desk", request.param, ["ROC_DE"], address=address)
            partner.set_policy(Policy.FULL)
            partner.set_interface(InterfaceState.TESTING)
            await ours.ledger.save(unit, partner)
        await people.introduced(ours)
        async with at_work(people.act_for_ever):
            yield ours
        await people.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_real_helpdesk_passes_and_the_cases_about_doors_say_nothing_about_it(connected):
    ours = connected
    runs = ConformanceRuns(ours.services)
    with by_test():
        await runs.start("desk", TRIED, TERMS)
    await ours.wait_for(ConformanceRun.Finished, 1, 500)
    found = await report(ours.services, await runs.run("desk", 1))
    verdicts = {each.case: each.code or each.verdict for each in found.cases}
    expected = {name: "not-applicable" if name in NOT_APPLICABLE else "passed" for name in TRIED}
    assert verdicts == expected, "\n".join(lines(found))
    assert found.result == "incomplete", "not all cases were chosen"
    for each in found.cases:
        assert bool(each.positions) is (each.case not in NOT_APPLICABLE), each.case
