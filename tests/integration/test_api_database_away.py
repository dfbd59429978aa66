"""The database is killed while requests are under way: they are told, and it goes on by itself."""

import asyncio
import os
import signal
from pathlib import Path

import httpx2
import pytest

from adapters.store.embedded import EmbeddedServer
from tests.conftest import server_folder
from tests.scenarios import person

TICKETS = "/api/v1/tickets"
ACCEPTABLE = {201, 503}


@pytest.fixture
async def killable(data_dir: Path):
    """A service on a server of its own (with a safe disk), and a client that may open tickets."""
    from datetime import timedelta

    from pydantic import SecretStr

    from api.app import create_app
    from api.auth import Scope
    from api.bootstrap import running
    from api.settings import Settings

    folder = server_folder(os.environ.get("TICKETLEDGER_TEST_POSTGRES", "wheel"))
    with EmbeddedServer.start(data_dir, bin_dir=folder) as server:
        settings = Settings(database_url=SecretStr(server.dsn()), metrics_open=True)
        async with running(settings) as services:
            actor = await person(services.ledger, "Somebody", "somebody@example.org")
            _, token = await services.tokens.create(
                actor.person, frozenset({Scope.READ, Scope.WRITE}), timedelta(hours=1)
            )
            async with httpx2.AsyncClient(
                transport=httpx2.ASGITransport(create_app(services), raise_app_exceptions=False),
                base_url="http://ledger.test",
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            ) as client:
                yield server, services, client


async def test_nothing_acknowledged_is_lost_and_service_resumes_after_kill_9(killable):
    server, services, client = killable
    acknowledged: dict[str, int] = {}
    statuses: set[int] = set()
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            subject = f"{writer}-{count}"
            for _ in range(50):  # the same key until it is answered
                answer = await client.post(
                    TICKETS, json={"subject": subject}, headers={"Idempotency-Key": subject}
                )
                statuses.add(answer.status_code)
                if answer.status_code == 201:
                    acknowledged[subject] = answer.json()["number"]
                    break
                assert answer.headers["retry-after"]
                await asyncio.sleep(0.1)

    writers = [asyncio.create_task(write(each)) for each in range(4)]
    await asyncio.sleep(0.5)
    before = len(acknowledged)
    os.kill(server.pid, signal.SIGKILL)
    async with asyncio.timeout(30):
        while len(acknowledged) < before + 20:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*writers)

    assert statuses <= ACCEPTABLE
    assert before > 0
    for subject, number in acknowledged.items():
        ticket = (await client.get(f"{TICKETS}/{number}")).json()
        assert ticket["subject"] == subject
    assert len(set(acknowledged.values())) == len(acknowledged)
    opened = await services.store.rows(
        "SELECT count(*) FROM ledger.event WHERE topic = 'ticket.opened'"
    )
    assert opened == [(len(acknowledged),)], "every key led to exactly one ticket"

    head = await services.store.head()
    assert await services.projector.wait_for(head, 20), "projections go on by themselves"
    assert (await client.get("/health")).json()["ok"] is True


async def test_without_a_database_requests_are_told_within_seconds(database: str, killable):
    server, _, client = killable
    server.stop()
    for request in (
        client.post(TICKETS, json={"subject": "x"}),
        client.get(TICKETS),
        client.get(f"{TICKETS}/1"),
        client.get("/health"),
    ):
        async with asyncio.timeout(12):
            answer = await request
        assert answer.status_code == 503, answer.text
        assert answer.json()["code"] == "store-unavailable"
        assert answer.headers["retry-after"]
    assert "ticketledger_database_up 0.0" in (await client.get("/metrics")).text
