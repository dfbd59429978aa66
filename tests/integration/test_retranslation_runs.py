"""Runs of a partner's past through a mapping: begun and followed by API, one at a time, gone on with after a restart."""

import asyncio

import pytest

from adapters.store.retranslations import Retranslations
from api import retranslation_driver
from api.bootstrap import Services, running
from api.settings import Environment, Settings
from domain import commands as c
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.words import Tables
from tests.exchange_scenarios import RULE, by_test, mail
from tests.integration.conftest import Client, SignIn
from tests.numbered_desk import DRAFT, hear, numbered_desk, opened

RUNS = "/api/v1/helpdesks/osg/retranslations"
CORRECTIONS = "/api/v1/helpdesks/osg/corrections"
LAST = "/api/v1/helpdesks/osg/retranslation"


def given(tables: Tables) -> dict[str, object]:
    assert tables.states is not None
    return {"states": {"theirs": dict(tables.states.theirs), "ours": dict(tables.states.ours)}}


@pytest.fixture
async def desk(services: Services) -> None:
    await numbered_desk(services)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retranslation_driver, "_LOOK_S", 0.05)


async def solved(services: Services, count: int) -> list[int]:
    """Tickets that a message solved; by the draft it means that they are on hold."""
    numbers = [await opened(services) for _ in range(count)]
    for number in numbers:
        await hear(services, number, Status="6", Detailed_Solution="Done.")
    return numbers


async def over(client: Client, path: str) -> dict:
    async with asyncio.timeout(60):
        while True:
            run = (await client.get(path)).json()
            if run["state"] != "running":
                return run
            await asyncio.sleep(0.05)


async def test_a_draft_is_tried_published_and_applied_by_requests_alone(
    services: Services, desk: None, sign_in: SignIn
):
    admin = await sign_in("admin")
    numbers = await solved(services, 3)
    with by_test():
        await services.ledger.execute(c.Reopen(number=numbers[2], comment="Not so."), actor=RULE)
    begun = await admin.post(RUNS, json={"draft": given(DRAFT)})
    assert begun.status_code == 202, begun.text
    path = begun.headers["Location"]
    assert path == f"{RUNS}/1"
    run = await over(admin, path)
    assert (run["state"], run["kind"], run["error"]) == ("done", "draft", "")
    assert (run["received"], run["messages"], run["conversations"]) == (3, 3, 3)
    assert (run["differing_tickets"], run["correctable"], run["left"]) == (3, 2, 1)

    items, page = [], f"{path}/tickets?limit=2"
    while page:
        answer = (await admin.get(page)).json()
        items += answer["items"]
        page = answer["next"]
    assert sorted(each["number"] for each in items) == numbers
    one = next(each for each in items if each["number"] == numbers[0])
    [field] = one["fields"]
    assert {name: field[name] for name in ("field", "now", "draft", "word", "outcome")} == {
        "field": "state", "now": "solved", "draft": "on hold", "word": "6", "outcome": "would-change",
    }  # fmt: skip
    [message] = one["messages"]
    assert message["reference"] == field["reference"]
    assert (message["then"]["commands"], message["now"]["commands"]) == (["Solve"], ["PutOnHold"])
    assert "Done." not in str(items), "no text of anybody is kept"

    early = await admin.post(CORRECTIONS, json={"dry_run": True})
    assert early.status_code == 202
    assert (await over(admin, LAST))["correctable"] == 0, "the draft is not in force"
    with by_test():
        await services.exchange.mappings.publish(RULE, "osg", DRAFT)
    for dry_run in (True, False, False):
        begun = await admin.post(CORRECTIONS, json={"dry_run": dry_run})
        run = await over(admin, begun.headers["Location"])
        assert run["state"] == "done", run
        if dry_run:
            assert (run["kind"], run["correctable"], run["corrected"]) == ("plan", 2, 0)
    assert (run["number"], run["kind"], run["correctable"], run["corrected"]) == (
        5, "corrections", 0, 0,
    ), "a second time finds nothing to do"  # fmt: skip
    assert [(await services.ledger.ticket(number)).status for number in numbers] == [
        Status.ON_HOLD, Status.ON_HOLD, Status.REOPENED,
    ]  # fmt: skip
    last = (await services.ledger.history(numbers[0]))[-1].event
    assert isinstance(last, Ticket.PutOnHold)
    assert last.provenance.actor == admin.actor.name
    assert (await admin.get(f"{RUNS}/1")).status_code == 404, "only the last run is kept"


async def test_what_is_wrong_is_said_and_where(services: Services, desk: None, sign_in: SignIn):
    admin, auditor, supporter = [
        await sign_in(role) for role in ("admin", "auditor", "supporter:NGI_DE")
    ]
    draft = {"draft": given(DRAFT)}

    async def refused(client: Client, path: str, body: object) -> tuple[int, str]:
        answer = await client.post(path, json=body)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    assert await refused(admin, RUNS, draft) == (409, "not-now"), "nothing was received"
    await solved(services, 1)
    for client in (auditor, supporter):
        assert await refused(client, RUNS, draft) == (403, "forbidden")
        assert await refused(client, CORRECTIONS, {}) == (403, "forbidden")
    nobody = "/api/v1/helpdesks/nobody/retranslations"
    assert await refused(admin, nobody, draft) == (404, "entry-not-found")
    assert (await admin.get(LAST)).status_code == 404

    wrong = given(DRAFT)["states"]
    assert isinstance(wrong, dict)
    half = await admin.post(RUNS, json={"draft": {"states": {"theirs": {"6": 7}}}})
    assert half.json()["errors"][0]["where"] == "body.draft.states.theirs.6"
    unknown = {**wrong, "theirs": {**wrong["theirs"], "8": "asleep"}}
    answer = await admin.post(RUNS, json={"draft": {"states": unknown}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == "states.theirs.8"
    broken = await admin.post(RUNS, content=b'{"draft": {"states": }}', headers={"content-type": "application/json"})  # fmt: skip
    assert (broken.status_code, broken.json()["errors"][0]["where"]) == (400, "body.21")

    begun = await admin.post(RUNS, json=draft)
    assert (await auditor.get(begun.headers["Location"])).status_code == 200
    assert (await auditor.get(f"{begun.headers['Location']}/tickets")).status_code == 200
    assert (await supporter.get(begun.headers["Location"])).status_code == 403


async def test_a_run_goes_on_where_it_was_after_a_restart_and_others_wait_for_its_end(
    services: Services, desk: None, sign_in: SignIn, database: str, monkeypatch
):
    """The service ends in the middle of corrections; the next one makes the rest of them, each once."""
    monkeypatch.setattr(retranslation_driver, "_SAVED_EVERY_S", 0)
    admin = await sign_in("admin")
    numbers = await solved(services, 12)
    with by_test():
        await services.exchange.mappings.publish(RULE, "osg", DRAFT)
    correct = retranslation_driver.Correcting.one
    done: list[int] = []
    reached = asyncio.Event()

    async def slow(*given, **named):  # type: ignore[no-untyped-def] # as the database would be
        if len(done) == 5:
            reached.set()
            await asyncio.sleep(60)
        found = await correct(*given, **named)
        done.append(found.number)
        return found

    monkeypatch.setattr(retranslation_driver.Correcting, "one", slow)
    begun = await admin.post(CORRECTIONS, json={"dry_run": False})
    path = begun.headers["Location"]
    async with asyncio.timeout(60):
        await reached.wait()
    assert (await admin.post(RUNS, json={"draft": given(DRAFT)})).status_code == 409
    await services.workers.stop()
    half = (await admin.get(path)).json()
    assert (half["state"], half["corrected"]) == ("running", 5)
    assert half["remaining_s"] is not None

    monkeypatch.setattr(retranslation_driver.Correcting, "one", correct)
    again = Settings(database_url=services.settings.database_url, environment=Environment.TEST)
    async with running(again):
        run = await over(admin, path)
    assert (run["state"], run["corrected"], run["conversations"]) == ("done", 12, 12)
    assert {(await services.ledger.ticket(number)).status for number in numbers} == {Status.ON_HOLD}
    log = await services.store.log(0, 10_000)
    assert sum(isinstance(each.event, Ticket.PutOnHold) for each in log) == 12, "each once"
    listed = (await admin.get(f"{path}/tickets")).json()["items"]
    assert {each["number"]: each["fields"][0]["outcome"] for each in listed} == dict.fromkeys(
        numbers, "changed"
    )


async def test_a_run_that_waits_for_those_with_other_partners_says_how_many_come_first(
    services: Services, desk: None, sign_in: SignIn
):
    admin = await sign_in("admin")
    await services.workers.stop()  # nothing goes on by itself
    partners = ["osg", "second", "third", "fourth"]
    for name in partners:
        if name != "osg":
            with by_test():
                helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
                helpdesk.register(name, "osg_mail", address="a@osg.test", sender=f"{name}@osg.test")
                await services.ledger.save(helpdesk)
        partner = await services.exchange.conversations.known_partner(name)
        await services.exchange.inbox.receive(partner, mail("ISSUE=1", Status="1"), "<1@osg.test>")
        await admin.post(f"/api/v1/helpdesks/{name}/retranslations", json={"draft": given(DRAFT)})

    async def places() -> list[int]:
        paths = [f"/api/v1/helpdesks/{name}/retranslation" for name in partners]
        return [(await admin.get(path)).json()["place_in_line"] for path in paths]

    assert await places() == [0, 0, 1, 2]
    assert "number 2 in line" in (await admin.get("/exchange/mapping?helpdesk=fourth")).text
    await admin.post("/api/v1/helpdesks/second/retranslations/1/cancel")
    assert await places() == [0, 0, 0, 1]
    stop = asyncio.Event()
    driving = asyncio.create_task(retranslation_driver.Driver(services).run(stop))
    for name in partners:
        await over(admin, f"/api/v1/helpdesks/{name}/retranslation")
    stop.set()
    await driving
    assert await places() == [0, 0, 0, 0]


async def test_a_run_is_cancelled_and_one_of_an_older_publication_ends(
    services: Services, desk: None, sign_in: SignIn, monkeypatch
):
    admin = await sign_in("admin")
    await solved(services, 2)
    await services.workers.stop()  # nothing goes on by itself
    begun = await admin.post(RUNS, json={"draft": given(DRAFT)})
    path = begun.headers["Location"]
    assert (await admin.post(f"{path}/cancel")).json()["state"] == "cancelled"
    assert (await admin.post(f"{path}/cancel")).status_code == 409

    with by_test():
        await services.exchange.mappings.publish(RULE, "osg", DRAFT)
        path = (await admin.post(CORRECTIONS, json={"dry_run": False})).headers["Location"]
        await services.exchange.mappings.publish(RULE, "osg", Tables(), reason="Back.")
    stop = asyncio.Event()
    driving = asyncio.create_task(retranslation_driver.Driver(services).run(stop))
    run = await over(admin, path)
    stop.set()
    await driving
    assert (run["state"], run["corrected"]) == ("failed", 0)
    assert "not in force any more" in run["error"]
    assert not await Retranslations(services.store).running()
