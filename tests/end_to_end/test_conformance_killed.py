"""Conformance runs whose service is killed in the middle: the run goes on, or says that it was interrupted."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from adapters.store.engine import PostgresStore
from adapters.store.secrets import HelpdeskSecrets
from api.conformance.runs import ConformanceRuns
from domain.conformance import ConformanceRun
from domain.conformance_terms import Result, Terms
from domain.directory import SupportUnit, UnitKind
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.ticket import Ticket
from tests.conformance_partner import Desk, desk
from tests.conformance_stories import asking
from tests.exchange_scenarios import by_test
from tests.peers.webhook_scenarios import KEY, hub
from tests.serving import Served, told

CASES = ("open", "reorder", "their-update", "down")
TERMS = {"answer_s": 60, "wait_s": 120, "quiet_s": 1, "slow_s": 1, "down_s": 2}


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(database) as opened:
        yield opened


async def register(store: PostgresStore, address: str) -> None:
    await HelpdeskSecrets(store).keep("desk", KEY)
    with by_test():
        unit = SupportUnit(named_id(SupportUnit.KIND, "ROC_US"))
        unit.register("ROC_US", kind=UnitKind.NGI)
        partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
        partner.register("desk", "webhook", ["ROC_US"], address=address)
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.TESTING)
        await Ledger(store).save(unit, partner)


async def start(service: Served, partner: Desk, token: str) -> str:
    """Start the service where it was killed; where the runs of the partner are now."""
    await asyncio.to_thread(service.start)
    partner.meets(f"{service.address}/api/v1/partners/desk/events")
    runs = f"{service.address}/api/v1/helpdesks/desk/conformance-runs"
    partner.face(runs, token)
    return runs


async def grown(store: PostgresStore, by: int) -> None:
    head = await store.head()
    async with asyncio.timeout(60):
        while await store.head() < head + by:  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_run_goes_on_however_often_the_service_is_killed(
    database: str, store: PostgresStore, tmp_path: Path
) -> None:
    settings = {
        "DATABASE_URL": database, "ENVIRONMENT": "test", "EXCHANGE": "true",
        "ALLOW_PRIVATE_PARTNERS": "true",
    }  # fmt: skip
    service = Served(tmp_path, **settings)
    async with desk() as partner, httpx2.AsyncClient(trust_env=False) as client:
        await register(store, partner.address)
        made = await asyncio.to_thread(told, "feed", "token", "desk", **settings)
        headers = {"Authorization": f"Bearer {made['token']}"}
        found: dict[str, Any]
        try:
            runs = await start(service, partner, made["token"])
            begun = await client.post(runs, json={"cases": CASES, **TERMS}, headers=headers)
            assert begun.status_code == 201, begun.text
            for events in (5, 11, 16):
                await grown(store, events)
                await asyncio.to_thread(service.killed)
                runs = await start(service, partner, made["token"])
            async with asyncio.timeout(200):
                while True:
                    found = (await client.get(f"{runs}/1", headers=headers)).json()
                    if found["result"] != "running":
                        break
                    await asyncio.sleep(0.2)
        finally:
            await asyncio.to_thread(service.killed)
    verdicts = {each["case"]: each["code"] or each["verdict"] for each in found["cases"]}
    assert verdicts == dict.fromkeys(CASES, "passed"), found
    assert found["result"] == "incomplete", "not all cases were chosen"
    log = [each.event for each in await store.log(0, 10_000)]
    begun_cases = [each.case for each in log if isinstance(each, ConformanceRun.CaseBegun)]
    assert begun_cases == list(CASES), "each once"
    opened = [
        each
        for each in log
        if isinstance(each, Ticket.Opened) and "conformance:" in each.provenance.correlation_id
    ]
    assert len(opened) == len(CASES), "no step was taken twice"
    registered = await Ledger(store).load(Helpdesk, named_id(Helpdesk.KIND, "desk"))
    assert registered is not None
    assert registered.interface is InterfaceState.TESTING, "what was held is let go"


async def test_a_case_that_was_left_for_too_long_says_that_it_was_interrupted(
    database: str, store: PostgresStore
) -> None:
    await register(store, "http://127.0.0.1:9/events")
    long_ago = datetime.now(UTC) - timedelta(seconds=Terms().case_s() + 60)
    await asking(Ledger(store), "desk", 1, "webhook@1", long_ago, ("open",))
    async with hub(database, "GGUS") as ours:
        await ours.wait_for(ConformanceRun.Finished)
        run = await ConformanceRuns(ours.services).run("desk", 1)
        assert (run.cases["open"].code, run.result) == ("interrupted", Result.INCOMPLETE)
