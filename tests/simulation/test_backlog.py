"""A partner that is down while much waits for it: bounded tasks and entries, and nobody else is kept waiting.

TICKETLEDGER_BACKLOG says how many conversations wait.
"""

import asyncio
import os
import resource
from datetime import timedelta

from adapters.kit.lanes import MOST
from adapters.kit.retry import Undelivered
from domain import commands as c
from domain.exchange import Exchange
from tests.simulation.exchange_hub import Hub
from tests.simulation.exchange_world import World, recorded
from tests.simulation.played_loop import PlayedLoop, chance

CONVERSATIONS = int(os.environ.get("TICKETLEDGER_BACKLOG", "2300"))
HOURS = 3
TASKS_MAX = 60


class Relay:
    """Takes mail for one partner, and for the other only when it is up."""

    def __init__(self) -> None:
        self.up = False
        self.taken: dict[str, list[bytes]] = {"down@x.test": [], "fine@x.test": []}
        self.tried = 0

    async def carry(self, raw: bytes, _: str, recipient: str) -> str:
        await asyncio.sleep(0.01)
        if recipient == "down@x.test" and not self.up:
            self.tried += 1
            raise Undelivered("not-reached", "no connection", final=False)
        self.taken[recipient].append(raw)
        return "kept"


def test_what_waits_for_a_partner_that_is_down_is_bounded_and_drains_beside_the_others():
    with chance(1) as rng:
        loop = PlayedLoop()
        world = World(rng, loop)
        world.slow_steps = False
        try:
            loop.run_until_complete(asyncio.wait_for(_hours_down(world), 400_000))
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(1))
            loop.close()


async def _hours_down(world: World) -> None:
    relay = Relay()
    world.carry = relay.carry
    hub = Hub("A", world, skew=timedelta())
    partners = [
        ("down", "osg_mail", ["UNIT_DOWN"], "down@x.test", "down@x.test"),
        ("fine", "osg_mail", ["UNIT_FINE"], "fine@x.test", "fine@x.test"),
    ]
    await hub.spawn(hub.register(["TPM", "UNIT_DOWN", "UNIT_FINE"], partners))
    hub.live()
    most_tasks = 0
    for n in range(CONVERSATIONS):
        await hub.do(c.OpenTicket(subject=f"Ticket {n}", unit="UNIT_DOWN"))
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
    await hub.do(c.OpenTicket(subject="Another", unit="UNIT_FINE"))
    await _until(lambda: relay.taken["fine@x.test"])
    assert not relay.taken["down@x.test"]

    lane = hub.parts.worker._lanes["down"]
    for _ in range(HOURS):
        await asyncio.sleep(3600)
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
    print(
        f"{CONVERSATIONS} wait: {most_tasks} tasks at the most, {lane.turns.waiting} in memory,",
        f"{relay.tried} attempts in {HOURS} hours,",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB with the whole log",
    )
    assert most_tasks < TASKS_MAX
    assert lane.turns.waiting <= MOST
    assert relay.tried < HOURS * 3600 / 60 + 100, "about one attempt in the longest pause"
    parked = [each for each in await recorded(hub) if isinstance(each.event, Exchange.Parked)]
    assert not parked, "none has used up its attempts"

    relay.up = True
    await _until(lambda: len(relay.taken["down@x.test"]) == CONVERSATIONS)
    await _until(lambda: hub.idle)
    assert len(set(relay.taken["down@x.test"])) == CONVERSATIONS
    assert max(len(asyncio.all_tasks()), most_tasks) < TASKS_MAX


async def _until(true) -> None:
    while not true():  # noqa: ASYNC110 - in played time
        await asyncio.sleep(1)
