"""A partner that forges, replays, floods, changes its words overnight, deletes and merges: nobody else notices."""

import asyncio

import pytest

from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id, random_id
from domain.lifecycle import Status
from domain.provenance import Provenance, acting
from domain.words import Table, Tables
from tests.simulation.exchange_hub import USER, Hub
from tests.simulation.exchange_rogue import FOREIGN
from tests.simulation.exchange_texts import texts
from tests.simulation.exchange_world import World, exchanges, parked, recorded, tickets
from tests.simulation.test_exchange import RUNS, simulate


async def mischief(world: World) -> None:
    rng, rogue = world.rng, world.rogue
    assert rogue is not None
    world.faults = rng.choice((0.0, 1.0, 2.0))
    for _ in range(60):
        hub = world.hubs[rng.choice(sorted(world.hubs))]
        if world.faults and rng.random() < 0.1:
            hub.crash_in = hub.crash_in or rng.randint(1, 60)
        rng.choice((rogue.open, rogue.work, rogue.work, rogue.misbehave, rogue.misbehave))()
        await world.somebody_acts()
        await asyncio.sleep(rng.choice((0, 0, 1, 10, 200)))
    await world.settle()
    await resumed_until_done(world, skip=True)


async def operator(hub: Hub, work):
    async def acted():
        with acting(Provenance(USER.name, random_id(), "simulation")):
            return await work()

    return await hub.spawn(acted())


async def resumed_until_done(world: World, *, skip: bool) -> None:
    """An operator looks at what is parked: all at once, again and again as the next ones come to light."""
    hub = world.hubs["A"]
    assert hub.parts is not None
    by_hand = hub.parts.by_hand
    while waiting := await parked(hub):
        assert {code for _, _, code in waiting} == {"unreadable"}
        messages = [(stream, reference) for stream, reference, _ in waiting]
        resumed = await operator(hub, lambda: by_hand.resume_all(USER, messages, skip=skip))  # noqa: B023
        assert resumed.done == len(messages)
        await world.settle()


@pytest.mark.parametrize("seed", range(RUNS))
def test_what_a_partner_does_amiss_reaches_nobody_else(seed: int):
    print(simulate("rogue", seed, mischief))


def test_a_flood_is_cut_short_and_others_are_heard_meanwhile():
    async def story(world: World) -> None:
        rogue, hub = world.rogue, world.hubs["A"]
        assert rogue is not None
        for _ in range(10):
            world.late(rogue._bad(*rogue.flood()))
        await asyncio.sleep(30)
        assert rogue.answers.count(429) > 500
        kept = [
            each for each in await recorded(hub) if isinstance(each.event, Exchange.MessageReceived)
        ]
        assert len(kept) <= rogue.answers.count(202) < 250
        assert not await tickets(hub)

    simulate("rogue", 1, story)


@pytest.mark.parametrize("seed", range(2))
def test_words_that_change_overnight_are_parked_loudly_and_go_on_together_when_they_are_agreed_on(
    seed: int,
):
    async def story(world: World) -> None:
        rogue, hub = world.rogue, world.hubs["A"]
        assert rogue is not None
        for _ in range(6):
            rogue.open()
        await asyncio.sleep(600)
        rogue.words = dict(FOREIGN)
        world.faults = float(seed)
        for _ in range(20):
            rogue.work()
            await asyncio.sleep(60)
        await world.settle()
        waiting = await parked(hub)
        assert waiting
        assert {code for _, _, code in waiting} == {"unreadable"}
        details = [
            await texts(hub, each.event)
            for each in await recorded(hub)
            if isinstance(each.event, Exchange.Parked)
        ]
        assert all("état" in each for each in details), "the word is named"

        assert hub.parts is not None
        partner = await hub.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "rogue"))
        assert partner is not None
        states = Table(
            theirs={word: status.value for status, word in FOREIGN.items()},
            ours={status.value: word for status, word in FOREIGN.items()},
        )
        mappings = hub.parts.mappings
        await operator(hub, lambda: mappings.publish(USER, "rogue", Tables(states=states)))
        await resumed_until_done(world, skip=False)
        ours = await tickets(hub)
        linked = {each.external_id: ours[each.number] for each in (await exchanges(hub)).values()}
        assert set(linked) == set(rogue.tickets)
        for theirs, ticket in linked.items():
            status = rogue.tickets[theirs]["status"]
            if status is not Status.NEW:
                assert ticket.status is status, theirs

    simulate("rogue", seed, story)


def test_a_ticket_that_its_partner_deletes_or_merges_stays_and_its_supporters_are_told():
    async def story(world: World) -> None:
        rogue, hub = world.rogue, world.hubs["A"]
        assert rogue is not None
        for _ in range(3):
            rogue.open()
        await asyncio.sleep(600)
        one, two, three = (rogue.tickets[f"R{n}"] for n in (1, 2, 3))
        rogue.say("deleted", one)
        rogue.say("merged", two, into="R3")
        await asyncio.sleep(600)
        rogue.say("commented", three, text=world.word("public"))
        await world.settle()
        assert len(await tickets(hub)) == 3
        said = [
            (await texts(hub, each.event), each.event.visibility)
            for each in await recorded(hub)
            if type(each.event).__name__ == "Commented"
        ]
        assert ("The partner deleted its ticket R1.", "internal") in said
        assert ("The partner merged its ticket R2 into R3.", "internal") in said
        assert len(said) == 3

    simulate("rogue", 3, story)
