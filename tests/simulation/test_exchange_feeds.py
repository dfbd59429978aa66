"""Feeds of partners under faults, one by one; every random run of the exchange has readers of all kinds as well."""

import asyncio
from datetime import timedelta

import pytest

from domain import commands as c
from tests.simulation.exchange_readers import KINDS, PushedReader, Reader
from tests.simulation.exchange_world import World
from tests.simulation.test_exchange import simulate


async def _talk(world: World, acts: int) -> None:
    hub = world.hubs["A"]
    while hub.parts is None:  # noqa: ASYNC110 - in played time
        await asyncio.sleep(1)
    opening = c.OpenTicket(subject=world.word("subject"), description="All.", unit="UNIT_B")
    number = (await hub.do(opening)).ticket.number
    for _ in range(acts):
        await hub.do(c.Comment(number=number, text=world.word("public")))
        await asyncio.sleep(60)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_whoever_reads_a_feed_and_falls_over_has_everything_in_the_end(kind: type[Reader]):
    async def story(world: World) -> None:
        world.faults = 3.0
        hub = world.hubs["A"]
        for _ in range(4):
            await _talk(world, 5)
            hub.crash_in = world.rng.randint(1, 60)
            world.readers["a/b"].restore()
            await asyncio.sleep(600)

    read = simulate("pair", 1, story, [kind])["read"]
    assert read[kind.kind] == 2
    assert read["entries"] > 20
    assert read["again"]


def test_a_feed_is_pushed_on_when_the_clock_that_named_the_next_attempt_was_put_back():
    """In "pair", seed 3, it waited for two days: so much had the clock been ahead when an attempt failed."""

    async def story(world: World) -> None:
        hub, reader = world.hubs["A"], world.readers["a/b"]
        assert isinstance(reader, PushedReader)
        hub.wrong_clock, reader.up = timedelta(days=20), False
        await _talk(world, 2)
        while (at := hub.feeds.places["b"].retry_at) is None or at <= hub._clock():  # noqa: ASYNC110
            await asyncio.sleep(1)
        hub.wrong_clock, reader.up = timedelta(), True
        await asyncio.sleep(3600)
        assert await reader.has_all()

    simulate("pair by webhooks", 3, story, [PushedReader])
