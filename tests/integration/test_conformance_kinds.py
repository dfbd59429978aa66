"""Whole conformance runs with partners that have no webhooks: machine mail, people with a mailbox, SOAP clients."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pytest

from api.auth import Scope
from api.conformance.cases import CASES
from api.conformance.manners import Manner
from api.conformance.report import lines, report
from api.conformance.runs import ConformanceRuns
from domain.conformance import ConformanceRun
from domain.conformance_terms import Terms
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.conformance_people import MachineDesk, Readers, SoapDesk, at_work
from tests.exchange_scenarios import ADDRESS, SENDER, Mailbox, by_test
from tests.mail_people import LIST
from tests.peers.webhook_scenarios import Hub, hub
from tests.scenarios import person

PATIENT = Terms(answer_s=60, wait_s=120, quiet_s=1, slow_s=1, down_s=2)


async def register(ours: Hub, adapter: str, address: str, sender: str) -> None:
    partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
    with by_test():
        partner.register("desk", adapter, ["ROC_US"], address=address, sender=sender)
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.TESTING)
        await ours.ledger.save(partner)


@asynccontextmanager
async def mail_partner(database: str, adapter: str) -> AsyncGenerator[Hub]:
    mailbox = Mailbox()
    await mailbox.up()
    settings = {
        "mail_relay_port": mailbox.port, "mail_relay_tls": "none", "mail_domain": "hub.test",
    }  # fmt: skip
    async with hub(database, "GGUS", **settings) as ours:
        server = await ours.services.exchange.mail_in.listen("127.0.0.1", 0)
        machine = adapter == "osg_mail"
        await register(ours, adapter, ADDRESS if machine else LIST, SENDER if machine else LIST)
        desk = (MachineDesk if machine else Readers)(mailbox)
        desk.port = server.sockets[0].getsockname()[1]
        await desk.introduced(ours)
        async with at_work(desk.act_for_ever, desk.send_for_ever, desk.read_for_ever):
            yield ours
        await desk.close()
        server.close()
    await mailbox.down()


@asynccontextmanager
async def soap_partner(database: str, adapter: str) -> AsyncGenerator[Hub]:
    async with hub(database, "GGUS") as ours, httpx2.AsyncClient(trust_env=False) as http:
        account = await person(ours.ledger, "SOAP account of desk", "soap@desk.test", [])
        await register(ours, adapter, "", "soap@desk.test")
        _, token = await ours.services.tokens.create(
            account.person, frozenset({Scope.READ, Scope.WRITE}), timedelta(hours=1)
        )
        desk = SoapDesk(http)
        desk.connected(f"{ours.url}/soap/ggus", token)
        await desk.introduced(ours)
        async with at_work(desk.act_for_ever):
            yield ours
        await desk.close()


PARTNERS = {"osg_mail": mail_partner, "email": mail_partner, "ggus_soap": soap_partner}
NOT_APPLICABLE = {
    "osg_mail": set(),
    "email": {"duplicate", "reorder", "garbage", "their-open", "their-garbage", "their-stranger"},
    "ggus_soap": {"duplicate", "reorder", "garbage"},
}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("adapter", PARTNERS)
async def test_a_good_partner_passes_every_case_that_says_something_about_it(database, adapter):
    async with PARTNERS[adapter](database, adapter) as ours:
        runs = ConformanceRuns(ours.services)
        with by_test():
            await runs.start("desk", (), PATIENT)
        await ours.wait_for(ConformanceRun.Finished, 1, 300)
        found = await report(ours.services, await runs.run("desk", 1))
        verdicts = {each.case: each.code or each.verdict for each in found.cases}
        left_out = NOT_APPLICABLE[adapter]
        expected = {name: "not-applicable" if name in left_out else "passed" for name in CASES}
        assert verdicts == expected, "\n".join(lines(found))
        assert (found.result, found.adapter) == ("passed", adapter)
        for each in found.cases:
            assert each.detail
            assert bool(each.positions) is (each.case not in left_out)
        partner = await ours.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "desk"))
        assert partner.interface is InterfaceState.TESTING, "left as it was"
        assert await runs.unproved(partner) == ""


def test_nobody_is_left_out_of_what_every_interface_must_do():
    for name in ("open", "update", "solve", "their-update", "their-close"):
        assert not [m for m in Manner if CASES[name].why_not(m, Policy.FULL)], name
