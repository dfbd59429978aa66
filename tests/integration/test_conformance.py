"""Conformance runs with partners over real sockets: a good one passes, a flawed one fails where it is flawed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from api.bootstrap import Services, running
from api.conformance.cases import CASES
from api.conformance.going_live import agreed
from api.conformance.report import RunReport, lines, report
from api.conformance.runs import ConformanceRuns
from api.settings import Environment, Settings
from domain.conformance import ConformanceRun
from domain.conformance_terms import Terms, Verdict
from domain.errors import NotNow
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from domain.ticket import Ticket
from domain.words import Table, Tables
from tests.conformance_partner import Desk, Flaw, desk
from tests.exchange_scenarios import by_test
from tests.peers.webhook_scenarios import Hub, hub
from tests.serving import ticketledger, told

PATIENT = Terms(answer_s=60, wait_s=120, quiet_s=1, slow_s=1, down_s=2)
SHORT = Terms(answer_s=60, wait_s=15, quiet_s=2, slow_s=1, down_s=2)
"""For a case that is to fail by waiting."""


async def introduce(ours: Hub, partner: Desk) -> None:
    """Let the two find each other."""
    await partner.introduced(ours)
    partner.meets(ours.address("desk"))
    if await ours.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "desk")) is None:
        await ours.partner("desk", partner.address, ["ROC_US"])


@asynccontextmanager
async def partner_of(ours: Hub, flaw: Flaw = Flaw.NONE) -> AsyncIterator[None]:
    async with desk(flaw) as partner:
        await introduce(ours, partner)
        yield


async def tried(ours: Hub, cases: Sequence[str] = (), terms: Terms = PATIENT) -> RunReport:
    runs = ConformanceRuns(ours.services)
    with by_test():
        run, _ = await runs.start("desk", cases, terms)
    await ours.wait_for(ConformanceRun.Finished, run.number, 300)
    return await report(ours.services, await runs.run("desk", run.number))


def verdicts(found: RunReport) -> dict[str, Any]:
    return {each.case: each.code or each.verdict for each in found.cases}


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_good_partner_passes_every_case(database):
    async with hub(database, "GGUS") as ours, partner_of(ours):
        found = await tried(ours)
        assert verdicts(found) == dict.fromkeys(CASES, "passed"), "\n".join(lines(found))
        assert (found.result, found.adapter, found.mapping) == ("passed", "webhook", "webhook@1")
        log = {each.position: each.event for each in await ours.store.log(0, 10_000)}
        for case in found.cases:
            assert case.detail
            assert case.positions
            kinds = {type(log[position]) for position in case.positions}
            assert kinds <= {*Ticket.mutators, *Exchange.mutators}, case.case
        partner = await ours.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "desk"))
        assert partner.interface is InterfaceState.LIVE, "left as it was"
        assert not (await ours.services.exchange.conversations.load(case.exchanges[0])).messages
        assert await ConformanceRuns(ours.services).warning(partner) == ""

        # when the words change, nothing is proved of the new ones
        with by_test():
            partner.publish_mapping(
                "webhook@1", Tables(categories=Table(theirs={"x": "y"}, ours={}))
            )
            await ours.ledger.save(partner)
        assert "webhook@1/1" in await ConformanceRuns(ours.services).warning(partner)


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("flaw", "cases", "expected"),
    [
        (Flaw.SECOND_TICKET, ("open", "duplicate", "update"), {"duplicate": "second-ticket"}),
        (Flaw.LOSES_UPDATES, ("open", "update", "ask", "solve"), {"update": "no-answer"}),
        (Flaw.DIES_AT_GARBAGE, ("open", "update", "garbage"), {"garbage": "not-taken"}),
        (Flaw.NEVER_RETRIES, ("open", "their-update", "slow", "down"), {"down": "no-answer"}),
        (Flaw.REPEATS_ANEW, ("their-update", "their-duplicate"), {"their-duplicate": "second-effect"}),
    ],
)  # fmt: skip
async def test_a_flawed_partner_fails_the_case_about_its_flaw(database, flaw, cases, expected):
    terms = SHORT if flaw is not Flaw.DIES_AT_GARBAGE else Terms(answer_s=15, quiet_s=1)
    async with hub(database, "GGUS") as ours, partner_of(ours, flaw):
        found = await tried(ours, cases, terms)
        good = dict.fromkeys(cases, "passed")
        assert verdicts(found) == good | expected, "\n".join(lines(found))
        assert found.result == "failed"


# -- who may do what, and when ---------------------------------------------------------------------


RUNS = "/api/v1/helpdesks/desk/conformance-runs"


@pytest.fixture
def set_up() -> dict[str, Any]:
    return {"exchange": True}


async def register(services: Services, state: InterfaceState, environment: str = "") -> Helpdesk:
    partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
    with by_test():
        partner.register(
            "desk", "osg_mail", [], address="desk@osg.test", sender="desk@osg.test",
            environment=environment,
        )  # fmt: skip
        partner.set_interface(state)
        await services.ledger.save(partner)
    return partner


async def test_the_partner_itself_starts_a_run_follows_it_and_ends_it(services, stranger):
    await register(services, InterfaceState.TESTING)
    _, token = await services.tokens.create_for_helpdesk("desk", timedelta(hours=1))
    _, other = await services.tokens.create_for_helpdesk("other", timedelta(hours=1))
    own, foreign = ({"Authorization": f"Bearer {each}"} for each in (token, other))
    started = await stranger.post(RUNS, json={"cases": ["their-open"]}, headers=own)
    assert started.status_code == 201, started.text
    assert started.headers["location"] == f"{RUNS}/1"
    again = await stranger.post(RUNS, json={}, headers=own)
    assert (again.status_code, again.json()["code"]) == (409, "not-now")

    found = await until(stranger, own, lambda run: run["cases"][0]["asked"])
    assert found["current"] == "their-open"
    assert found["cases"][0]["word"] in found["cases"][0]["do"]

    said = {"case": "their-open", "signal": "skip"}
    assert (await stranger.post(f"{RUNS}/1/signals", json=said, headers=own)).is_success
    found = await until(stranger, own, lambda run: run["result"] != "running")
    assert (found["result"], found["cases"][0]["code"]) == ("incomplete", "asked")

    assert (await stranger.post(RUNS, json={}, headers=own)).status_code == 201
    assert (await stranger.post(f"{RUNS}/2/abandon", headers=own)).is_success
    page = (await stranger.get(f"{RUNS}?limit=1", headers=own)).json()
    assert [(each["number"], each["result"]) for each in page["items"]] == [(2, "abandoned")]
    rest = (await stranger.get(page["next"], headers=own)).json()
    assert [each["number"] for each in rest["items"]] == [1]
    assert rest["next"] is None
    for method, path in (("GET", RUNS), ("GET", f"{RUNS}/1"), ("POST", f"{RUNS}/1/abandon")):
        assert (await stranger.request(method, path, headers=foreign)).status_code == 404
        assert (await stranger.request(method, path)).status_code == 401


async def until(
    client: httpx2.AsyncClient, headers: dict[str, str], holds: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The report of the first run, as soon as it is as it should be."""
    async with asyncio.timeout(60):
        while not holds(  # noqa: ASYNC110 - a partner can only ask
            found := (await client.get(f"{RUNS}/1", headers=headers)).json()
        ):
            await asyncio.sleep(0.1)
    return found


async def test_where_the_exchange_is_off_a_run_is_refused_as_it_would_never_move(database):
    settings = Settings(database_url=SecretStr(database), environment=Environment.TEST)
    async with running(settings) as services:
        await register(services, InterfaceState.TESTING)
        runs = ConformanceRuns(services)
        with by_test(), pytest.raises(NotNow, match="TICKETLEDGER_EXCHANGE=true"):
            await runs.start("desk")
        assert await runs.last("desk") is None


async def test_who_may_not_administer_starts_nothing(services, sign_in, submitter, supporter):
    await register(services, InterfaceState.TESTING)
    assert (await supporter.post(RUNS, json={})).status_code == 403
    assert (await supporter.get(RUNS)).status_code == 200
    assert (await submitter.get(RUNS)).status_code == 403
    admin = await sign_in("admin")
    wrong = await admin.post(RUNS, json={"cases": ["fly"]})
    assert (wrong.status_code, wrong.json()["possible"]) == (422, list(CASES))
    assert (await admin.post(RUNS, json={"cases": ["open"]})).status_code == 201


@pytest.mark.parametrize("state", [InterfaceState.PAUSED, InterfaceState.NOT_INTERFACED])
async def test_a_partner_that_is_not_connected_cannot_be_tried(services, sign_in, state):
    if state is InterfaceState.NOT_INTERFACED:
        await register(services, InterfaceState.TESTING)
        partner = await services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "desk"))
        with by_test():
            partner.set_interface(state)
            await services.ledger.save(partner)
    else:
        await register(services, state)
    refused = await (await sign_in("admin")).post(RUNS, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "not-now")
    assert "set it to testing first" in refused.json()["detail"]


def test_real_tickets_are_left_alone():
    run = ConformanceRun(named_id("test", "run"))
    for environment, theirs, state, why in (
        ("production", "production", InterfaceState.LIVE, "works with real tickets"),
        ("production", "", InterfaceState.LIVE, "works with real tickets"),
        ("test", "production", InterfaceState.TESTING, "is a real system"),
    ):
        partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
        with by_test():
            partner.register("desk", "osg_mail", environment=theirs)
            partner.set_interface(state)
            with pytest.raises(NotNow, match=why):
                run.start(
                    partner, 1, mapping="osg_mail@1", environment=environment, cases=["open"],
                    whole=False, terms=Terms(),
                )  # fmt: skip
    with by_test():
        partner.register("desk", "osg_mail", environment="test")
        run.start(
            partner, 1, mapping="osg_mail@1", environment="production", cases=["open"],
            whole=False, terms=Terms(),
        )  # fmt: skip
        assert run.next_case().verdict is Verdict.WAITING


async def test_going_live_unproved_is_warned_about_and_done(services, sign_in):
    await register(services, InterfaceState.TESTING)
    admin = await sign_in("admin")
    done = await admin.post("/api/v1/helpdesks/desk/interface", json={"state": "live"})
    assert done.status_code == 200
    assert done.json()["state"] == "live"
    assert (
        "no conformance run of desk was passed with the mapping osg_mail@1"
        in done.json()["warning"]
    )
    paused = await admin.post("/api/v1/helpdesks/desk/interface", json={"state": "paused"})
    assert paused.json()["warning"] == ""


async def test_in_production_an_unproved_interface_goes_live_only_where_somebody_says_so(database):
    setting = {"DATABASE_URL": database, "ENVIRONMENT": "production"}
    new = ("directory", "helpdesk", "desk", "--adapter=osg_mail", "--interface=live")
    refused = await asyncio.to_thread(ticketledger, *new, **setting)
    assert refused.returncode != 0
    assert "no conformance run of desk was passed with the mapping osg_mail@1" in refused.stderr
    assert "--unproved" in refused.stderr
    done = await asyncio.to_thread(told, *new, "--unproved", **setting)
    assert "no conformance run" in done["warning"]

    for environment in (Environment.PRODUCTION, Environment.TEST):
        settings = Settings(database_url=SecretStr(database), environment=environment)
        async with running(settings, work=False) as services:
            partner = await services.exchange.by_hand.registered("desk")
            [reason] = (await services.store.contents([partner.interface_reason.id])).values()
            assert reason.text().startswith("not proved: no conformance run of desk")
            terms = (services, partner, InterfaceState.LIVE, "again")
            partner.interface = InterfaceState.PAUSED  # after a break it goes on without a question
            assert await agreed(*terms, unproved=False) == "again"
            partner.interface = InterfaceState.TESTING
            if environment is Environment.TEST:  # elsewhere it is only said
                assert await agreed(*terms, unproved=False) == "again"
            else:
                with pytest.raises(NotNow, match="say `unproved`"):
                    await agreed(*terms, unproved=False)
