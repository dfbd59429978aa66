"""Conformance runs with real helpdesks: Request Tracker, by its interface and by mail alone, and Redmine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from adapters.store.secrets import HelpdeskSecrets
from api.conformance.report import RunReport, lines, report
from api.conformance.runs import ConformanceRuns
from domain.conformance import ConformanceRun
from domain.conformance_terms import Terms
from domain.directory import SupportUnit, UnitKind
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.conformance_people import WORD, ByMail, Case, People, at_work
from tests.exchange_scenarios import by_test
from tests.peers import redmine_scenarios, rt_scenarios
from tests.peers.peer_hub import prefix
from tests.peers.rt_gate import DESK, Gate
from tests.peers.webhook_scenarios import Hub, hub
from tests.waiting import until

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


async def register(ours: Hub, adapter: str, address: str) -> None:
    with by_test():
        unit = SupportUnit(named_id(SupportUnit.KIND, "ROC_DE"))
        unit.register("ROC_DE", kind=UnitKind.NGI)
        partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
        sender = address if adapter == "rt_mail" else ""
        partner.register("desk", adapter, ["ROC_DE"], address=address, sender=sender)
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.TESTING)
        await ours.ledger.save(unit, partner)


TRIED = ("open", "update", "duplicate", "reorder", "their-open", "their-close", "slow")
TRIED_BY_MAIL = ("update", "their-open", "down")
"""Whole runs with all were tried by hand, and passed: ten tickets in a real helpdesk take minutes."""


async def tried(ours: Hub, cases: Sequence[str]) -> RunReport:
    runs = ConformanceRuns(ours.services)
    with by_test():
        await runs.start("desk", cases, TERMS)
    await ours.wait_for(ConformanceRun.Finished, 1, 500)
    return await report(ours.services, await runs.run("desk", 1))


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
        await register(ours, request.param, address)
        await people.introduced(ours)
        async with at_work(people.act_for_ever):
            yield ours
        await people.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_real_helpdesk_passes_and_the_cases_about_doors_say_nothing_about_it(connected):
    ours = connected
    found = await tried(ours, TRIED)
    verdicts = {each.case: each.code or each.verdict for each in found.cases}
    expected = {name: "not-applicable" if name in NOT_APPLICABLE else "passed" for name in TRIED}
    assert verdicts == expected, "\n".join(lines(found))
    assert found.result == "incomplete", "not all cases were chosen"
    for each in found.cases:
        assert bool(each.positions) is (each.case not in NOT_APPLICABLE), each.case


class ByGateway(ByMail):
    """Supporters in an RT that is reached by its mail gateway alone."""

    sender = DESK

    def __init__(self, gate: Gate, desk: rt_scenarios.Desk) -> None:
        super().__init__(gate)
        self._gate, self._desk = gate, desk

    async def carry_for_ever(self) -> None:
        while True:
            await self._gate.carry(self._bring)
            await asyncio.sleep(0.1)

    async def _bring(self, raw: bytes, to: str) -> None:
        self.send(raw, to)

    async def act(self, run: int, case: Case) -> None:
        word, theirs = case["word"], case["external_id"].partition("#")[2]
        match case["case"]:
            case "their-update" | "slow" | "down":
                await self._desk.reply(theirs, f"We look at it, {word}.")
            case "their-close":
                await self._desk.reply(theirs, f"#solved\n{word}: switched on.")
            case "their-duplicate":
                before = len(self._gate.from_rt)
                await self._desk.reply(theirs, f"Once: {word}")
                await until(lambda: len(self._gate.from_rt) > before)
                await self._bring(self._gate.from_rt[-1], "desk@hub.test")
                await self.ready(run, case)
            case _:
                said = "".join(await self._desk.texts(theirs))
                await self._desk.reply(theirs, f"Here it is: {WORD.findall(said)[-1]}")


@pytest.fixture
async def by_gateway(database: str, request_tracker: Any) -> AsyncIterator[Hub]:
    """Give a service that reaches RT by mail alone, and somebody who works there."""
    gate = Gate(request_tracker)
    await gate.up()
    settings = {"mail_relay_port": gate.port, "mail_relay_tls": "none", "mail_domain": "hub.test"}
    async with (
        rt_scenarios.Desk(request_tracker, "supporter") as desk,
        hub(database, prefix(database), **settings) as ours,
    ):
        server = await ours.services.exchange.mail_in.listen("127.0.0.1", 0)
        await register(ours, "rt_mail", DESK)
        people = ByGateway(gate, desk)
        people.port = server.sockets[0].getsockname()[1]
        await people.introduced(ours)
        async with at_work(people.act_for_ever, people.send_for_ever, people.carry_for_ever):
            yield ours
        await people.close()
        server.close()
    await gate.down()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_an_rt_that_has_nothing_but_mail_passes_as_people_do(by_gateway):
    ours = by_gateway
    found = await tried(ours, TRIED_BY_MAIL)
    assert {each.case: each.code or each.verdict for each in found.cases} == {
        name: "not-applicable" if name == "their-open" else "passed" for name in TRIED_BY_MAIL
    }, "\n".join(lines(found))
