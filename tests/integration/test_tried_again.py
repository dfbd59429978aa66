"""Parked messages after a mapping was edited: tried out, tried again one by one or by reason, and what became of them."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.bootstrap import Services
from domain.exchange import Exchange
from domain.identifiers import random_id
from domain.lifecycle import Status
from domain.words import Table, Tables
from tests.exchange_scenarios import RULE, by_test
from tests.integration.conftest import Client, SignIn
from tests.numbered_desk import NUMBERED, hear, numbered_desk, opened

ROOT = Path(__file__).parents[2]
EDITED = Tables(states=Table(theirs=NUMBERED.theirs | {"99": "on hold"}, ours=NUMBERED.ours))


async def parked(services: Services) -> list[dict]:
    """Three of an unknown state, and one of another reason."""
    await numbered_desk(services)
    for _ in range(3):
        await hear(services, await opened(services), Status="99")
    conversation = Exchange(random_id())
    with by_test():
        conversation.open("osg", external_id="7932")
        reference = conversation.receive("message-1", b"?", "message/rfc822", "osg_mail@1")
        conversation.park(reference, "translation-failed", "a defect of ours")
        await services.ledger.save(conversation)
    async with asyncio.timeout(60):
        while True:
            log = [each.event for each in await services.store.log(0, 10_000)]
            found = [each for each in log if isinstance(each, Exchange.Parked)]
            if len(found) == 4:
                break
            await asyncio.sleep(0.05)
    found.sort(key=lambda each: each.code == "translation-failed")
    return [{"exchange": each.originator_id, "reference": each.reference} for each in found]


async def caught_up(services: Services) -> None:
    assert await services.projector.wait_for(await services.store.head(), 30)


async def settled(client: Client, path: str) -> list[dict]:
    async with asyncio.timeout(60):
        while True:
            found = (await client.get(path)).json()
            items = found.get("items", [found])
            if not any(each["outcome"] == "pending" for each in items):
                return items
            await asyncio.sleep(0.05)


@pytest.fixture
def set_up() -> dict[str, object]:
    return {"exchange": True}


async def test_after_an_edit_messages_are_tried_again_one_by_one_or_by_their_reason(
    services: Services, sign_in: SignIn, database: str
):
    messages = await parked(services)
    supporter = await sign_in("supporter:NGI_DE")
    first, second, third, other = [
        f"/api/v1/exchanges/{each['exchange']}/messages/{each['reference']}" for each in messages
    ]
    before = (await supporter.get(first)).json()
    assert (before["outcome"], before["code"]) == ("parked", "unreadable")
    assert "99" in before["detail"]
    assert (await supporter.get(f"{first}/preview")).json()["outcome"] == "parked"
    with by_test():
        await services.exchange.mappings.publish(RULE, "osg", EDITED)

    tried_out = (await supporter.get(f"{first}/preview")).json()
    assert [each["command"] for each in tried_out["commands"]] == ["PutOnHold"]
    assert (await supporter.post(f"{first}/retry")).status_code == 202
    [one] = await settled(supporter, first)
    assert (one["outcome"], one["code"]) == ("applied", "")
    assert (await services.ledger.ticket(one["number"])).status is Status.ON_HOLD

    await caught_up(services)
    many = {"helpdesk": "osg", "how": "retry", "code": "unreadable"}
    done = (await supporter.post("/api/v1/exchanges/parked", json=many)).json()
    assert (done["done"], len(done["messages"])) == (2, 2)
    between = f"first={done['first']}&last={done['position']}"
    outcomes = await settled(supporter, f"/api/v1/exchanges/outcomes?helpdesk=osg&{between}")
    assert [each["outcome"] for each in outcomes] == ["applied", "applied"]
    assert [(await supporter.get(path)).json()["outcome"] for path in (second, third, other)] == [
        "applied", "applied", "parked",
    ]  # fmt: skip
    assert (await supporter.get(f"/api/v1/exchanges/outcomes?helpdesk=other&{between}")).json() == {
        "items": []
    }
    assert (await supporter.get(f"{first.rpartition('/')[0]}/77")).status_code == 404
    assert (
        await supporter.get("/api/v1/exchanges/outcomes?first=1&last=999999")
    ).status_code == 422
    await caught_up(services)

    def run(*arguments: str) -> str:
        given = [sys.executable, "-m", "api.cli.main", "exchange", *arguments]
        settings = {**os.environ, "TICKETLEDGER_DATABASE_URL": database}
        done = subprocess.run(
            given, check=True, cwd=ROOT, env=settings, capture_output=True, text=True
        )
        return done.stdout

    said = await asyncio.to_thread(
        run, "repair", "osg", "retry", "--code=translation-failed", "--wait=60"
    )
    assert "1 are tried again" in said
    assert "parked (no ticket yet)  unreadable" in said, "it is what it says now"
