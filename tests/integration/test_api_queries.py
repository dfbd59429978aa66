"""Questions over HTTP: queues, lists, timelines, sites, the log; now, then, page by page."""

import asyncio
from typing import Any

import pytest

from api.bootstrap import Services
from domain.directory import VirtualOrganisation
from domain.identifiers import named_id
from domain.rights import Actor
from tests.integration.conftest import Client, SignIn
from tests.scenarios import attributed

V1 = "/api/v1"


async def test_you_read_your_own_writes(submitter: Client, supporter: Client):
    for _ in range(5):
        opened = (
            await submitter.post(f"{V1}/tickets", json={"subject": "Mine", "unit": "NGI_DE"})
        ).json()
        page = (
            await supporter.get(
                f"{V1}/queue", params={"unit": "NGI_DE", "after": opened["position"]}
            )
        ).json()
        assert opened["number"] in [row["number"] for row in page["items"]]


async def test_a_queue_is_read_page_by_page_most_urgent_first(submitter: Client, supporter: Client):
    for priority in ("less urgent", "top priority", "urgent") * 2:
        last = await submitter.post(
            f"{V1}/tickets", json={"subject": "x", "unit": "NGI_DE", "priority": priority}
        )
    position = last.json()["position"]
    path: str | None = f"{V1}/queue?unit=NGI_DE&limit=4&after={position}"
    seen: list[dict[str, Any]] = []
    pages = 0
    while path is not None:
        answer = await supporter.get(path)
        page = answer.json()
        if page["next"]:
            assert answer.headers["link"] == f'<{page["next"]}>; rel="next"'
        seen += page["items"]
        path = page["next"]
        pages += 1
    assert pages == 2
    assert [row["priority"] for row in seen] == (
        ["top priority"] * 2 + ["urgent"] * 2 + ["less urgent"] * 2
    )
    assert len({row["number"] for row in seen}) == 6


async def test_a_queue_is_read_as_of_a_position(submitter: Client, supporter: Client):
    opened = (await submitter.post(f"{V1}/tickets", json={"subject": "x", "unit": "NGI_DE"})).json()
    solved = (await supporter.do(opened["number"], "solve", solution="Done.")).json()
    after = solved["position"]
    now = (await supporter.get(f"{V1}/queue?unit=NGI_DE&after={after}")).json()
    then = (
        await supporter.get(f"{V1}/queue?unit=NGI_DE&after={after}&as_of={opened['position']}")
    ).json()
    assert now["items"] == []
    assert [row["number"] for row in then["items"]] == [opened["number"]]
    counts = (await supporter.get(f"{V1}/queues?as_of={opened['position']}")).json()
    assert [(row["unit"], row["status"], row["tickets"]) for row in counts] == [
        ("NGI_DE", "assigned", 1)
    ]


async def test_a_user_lists_the_own_tickets_only(submitter: Client, sign_in: SignIn):
    other = await sign_in()
    mine = await submitter.opened()
    theirs = await other.post(f"{V1}/tickets", json={"subject": "Theirs"})
    after = theirs.json()["position"]
    for question in ("", f"&submitter={other.actor.person}"):
        page = (await submitter.get(f"{V1}/tickets?after={after}{question}")).json()
        assert [row["number"] for row in page["items"]] == [mine]


async def test_internal_entries_are_for_support_staff(submitter: Client, supporter: Client):
    number = await submitter.opened(notified_site="EXAMPLE-T2")
    await supporter.do(number, "comments", text="Told to all", visibility="public")
    await supporter.do(number, "comments", text="Told to us", visibility="internal")
    path = f"{V1}/tickets/{number}/timeline"
    for client, sees in ((submitter, False), (supporter, True)):
        answer = await client.get(path)
        assert ("Told to us" in answer.text) is sees
        assert "Told to all" in answer.text
    refused = await submitter.do(number, "comments", text="Hidden", visibility="internal")
    assert refused.status_code == 403


async def test_a_foreign_timeline_looks_like_a_missing_one(submitter: Client, sign_in: SignIn):
    number = await submitter.opened()
    curious = await sign_in()
    assert (await curious.get(f"{V1}/tickets/{number}/timeline")).status_code == 404


async def test_who_may_read_a_timeline_is_decided_by_the_log_also_where_projections_lag(
    services: Services, supporter: Client, sign_in: SignIn
):
    with attributed(Actor.rule("setup@1")):
        for name in ("atlas", "cms"):
            vo = VirtualOrganisation(named_id(VirtualOrganisation.KIND, name))
            vo.register(name, team=True)
            await services.ledger.save(vo)
    opener, team, others = [await sign_in(f"teamer:{vo}") for vo in ("atlas", "atlas", "cms")]
    number = await opener.opened(type="TEAM", vo="atlas")
    path = f"{V1}/tickets/{number}/timeline"
    head = await services.store.head()

    async def reads(after: int = 0) -> list[int]:
        readers = (opener, team, others)
        return [(await each.get(f"{path}?after={after}")).status_code for each in readers]

    assert await reads(after=head) == [200, 200, 404]
    await services.workers.stop()
    changed = await supporter.do(number, "reclassify", field="vo", value="cms")
    assert changed.status_code == 200, changed.text
    assert await reads() == [200, 404, 200]


async def test_an_auditor_follows_the_log_without_a_hole(submitter: Client, sign_in: SignIn):
    auditor = await sign_in("auditor")
    for _ in range(5):
        await submitter.opened()
    path = f"{V1}/events?limit=3"
    positions: list[int] = []
    while path:
        page = (await auditor.get(path)).json()
        positions += [item["position"] for item in page["items"]]
        path = page["next"]
    assert positions == list(range(1, len(positions) + 1))
    assert page["last"] == positions[-1]
    number = await submitter.opened()
    more = (await auditor.get(f"{V1}/events?after={page['last']}")).json()
    assert [item["event"]["topic"] for item in more["items"]] == ["ticket.opened"]
    assert more["items"][0]["event"]["number"] == number


async def test_contacts_are_for_support_staff(
    services: Services, submitter: Client, supporter: Client
):
    head = await services.store.head()
    for client, contacts in (
        (submitter, None),
        (supporter, {"contact": "desk@ngi-de.example.org"}),
    ):
        (unit,) = (await client.get(f"{V1}/directory/units?after={head}")).json()["items"]
        assert unit["contacts"] == contacts


async def test_segments_of_a_site_are_shown_with_their_times(submitter: Client, supporter: Client):
    number = await submitter.opened(affected_site="EXAMPLE-T2")
    solved = (await supporter.do(number, "solve", solution="Done.")).json()
    answer = await supporter.get(
        f"{V1}/segments",
        params={
            "site": "EXAMPLE-T2", "begin": "2026-01-01T00:00:00Z", "end": "2027-01-01T00:00:00Z",
            "after": solved["position"],
        },
    )  # fmt: skip
    if "2026" not in solved["recorded_at"]:
        pytest.skip("written in 2026")
    assert [row["status"] for row in answer.json()["items"]] == ["new", "solved"]


async def test_health_status_and_metrics_tell_how_it_goes(services: Services, supporter: Client):
    head = await services.store.head()
    assert await services.projector.wait_for(head, 5)
    health = (await supporter.get("/health")).json()
    assert health["ok"] is True
    assert health["head"] == head
    status = (await supporter.get(f"{V1}/status")).json()
    assert {each["state"] for each in status["projections"]} == {"current"}
    metrics = (await supporter.get("/metrics")).text
    assert f"ticketledger_head {float(head)}" in metrics
    assert 'route="/status"' in metrics


async def test_a_worker_that_fails_is_restarted_and_seen():
    from api.workers import Workers

    workers = Workers()
    runs = 0
    recovered = asyncio.Event()

    async def stumbles(stop: asyncio.Event) -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("stumbled")
        recovered.set()
        await stop.wait()

    workers.add("stumbling", stumbles)
    workers.start()
    await asyncio.wait_for(recovered.wait(), 5)
    (health,) = workers.health()
    assert (health.state, health.restarts) == ("running", 2)
    assert "stumbled" in health.last_error
    await workers.stop()
    assert workers.health()[0].state == "ended"
