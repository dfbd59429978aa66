"""What nobody needs any more is forgotten, a little at a time."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from adapters.store.connection import connect
from api.housekeeping import Housekeeping
from domain import clock
from tests.integration.conftest import Client

if TYPE_CHECKING:
    from api.bootstrap import Services

TICKETS = "/api/v1/tickets"
KEY = {"Idempotency-Key": "k-1"}
MANY = """
    INSERT INTO ledger.answer (scope, key, request_hash, body, position, recorded_at)
    SELECT 'user:x', number::text, '', '', 1, clock_timestamp() FROM generate_series(1, 1100) AS number
"""


@asynccontextmanager
async def kept_house(services: "Services", later: timedelta):
    """Housekeeping, as of so much later."""
    now, stop = clock.now() + later, asyncio.Event()
    keep = timedelta(days=services.settings.answer_days)
    with clock.using(lambda: now):
        working = asyncio.create_task(Housekeeping(services.store, keep, every_s=0.01).run(stop))
    yield
    stop.set()
    await working


async def answers(services: "Services") -> int:
    [[count]] = await services.store.rows("SELECT count(*) FROM ledger.answer")
    return count


async def test_a_repetition_gets_the_first_answer_for_seven_days_and_is_new_after_that(
    services: "Services", submitter: Client, database: str
):
    # given
    first = await submitter.post(TICKETS, json={"subject": "Once"}, headers=KEY)
    async with await connect(database) as owner:
        await owner.execute(MANY)
    hour = timedelta(hours=1)

    # when
    async with kept_house(services, timedelta(days=7) - hour):
        for _ in range(20):
            again = await submitter.post(TICKETS, json={"subject": "Once"}, headers=KEY)
            assert again.content == first.content
    assert await answers(services) == 1_101

    async with kept_house(services, timedelta(days=7) + hour):
        async with asyncio.timeout(30):
            while await answers(services):  # commands go on meanwhile
                assert (await submitter.post(TICKETS, json={"subject": "More"})).status_code == 201

    # then
    another = await submitter.post(TICKETS, json={"subject": "Once"}, headers=KEY)
    assert (another.status_code, "idempotent-replay" in another.headers) == (201, False)
    assert another.json()["number"] != first.json()["number"]
    assert "housekeeping" in {
        each.name for each in services.workers.health() if each.state == "running"
    }
