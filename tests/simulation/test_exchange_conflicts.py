"""Two hubs change one field at the same time: they settle on one value, and the one that lost stands in an event."""

import asyncio

import pytest

from adapters.kit.retry import Undelivered
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import OPEN, Status
from tests.simulation.exchange_wishes import WISHES
from tests.simulation.exchange_world import World, parked, recorded, tickets
from tests.simulation.test_exchange import simulate


async def shared(world: World, unit: str) -> dict[str, int]:
    """A ticket that began at A; its number at each hub."""
    opening = c.OpenTicket(subject=world.word("subject"), description="All of them.", unit="UNIT_B")
    number = (await world.hubs["A"].do(opening)).ticket.number
    await world.settle()
    [there] = await tickets(world.hubs["B"])
    if unit != "UNIT_B":
        await world.hubs["A"].do(c.Assign(number=number, unit=unit))
        await world.settle()
    return {"A": number, "B": there}


async def conflicts(world: World, name: str) -> list[Exchange.ConflictFound]:
    return [
        each.event
        for each in await recorded(world.hubs[name])
        if isinstance(each.event, Exchange.ConflictFound)
    ]


async def at_once(world: World, *commands) -> None:
    """``commands``: hub and command. Nothing of the one can have reached the other."""
    await asyncio.gather(*(world.hubs[name].do(command) for name, command in commands))


async def statuses(world: World, numbers: dict[str, int]) -> set[Status]:
    return {(await tickets(world.hubs[name]))[number].status for name, number in numbers.items()}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("faults", [0.0, 2.0])
def test_of_two_values_of_a_field_that_of_the_origin_holds_on_both_sides(seed: int, faults: float):
    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        world.faults = faults
        await at_once(
            world,
            ("A", c.Reclassify(number=numbers["A"], field="priority", value="urgent", justification=world.word("public"))),
            ("B", c.Reclassify(number=numbers["B"], field="priority", value="top priority", justification=world.word("public"))),
        )  # fmt: skip
        await world.settle()
        for name, number in numbers.items():
            ticket = (await tickets(world.hubs[name]))[number]
            assert ticket.priority.value == "urgent", name
            [found] = await conflicts(world, name)
            values = (found.ours, found.theirs) if name == "A" else (found.theirs, found.ours)
            assert (found.field, *values) == ("priority", "urgent", "top priority")
            assert (found.rule, found.wins) == ("origin@1", "ours" if name == "A" else "theirs")

    simulate("pair", seed, story)


def hold(number: int, word: str) -> c.Command:
    return c.PutOnHold(number=number, reason=word)


def start(number: int, word: str) -> c.Command:
    return c.StartWork(number=number, note=word)


def ask(number: int, word: str) -> c.Command:
    return c.RequestReply(number=number, question=word)


def solve(number: int, word: str) -> c.Command:
    return c.Solve(number=number, solution=word)


def give_up(number: int, word: str) -> c.Command:
    return c.FindUnsolvable(number=number, reason=word)


def assign(number: int, word: str) -> c.Command:
    return c.Assign(number=number, unit="UNIT_A", note=word)


CROSSING = {
    "work and hold, theirs": ("UNIT_B", start, hold, Status.ON_HOLD, "responsible@1"),
    "work and hold, ours": ("UNIT_A", start, hold, Status.IN_PROGRESS, "responsible@1"),
    "hold and question": ("UNIT_B", hold, ask, Status.WAITING_FOR_REPLY, "responsible@1"),
    "we solve, they hold": ("UNIT_B", solve, hold, Status.SOLVED, "outcome-stands@1"),
    "they solve, we hold": ("UNIT_A", hold, solve, Status.SOLVED, "outcome-stands@1"),
    "both solve": ("UNIT_B", solve, solve, Status.SOLVED, "both-kept@1"),
    "solved and given up": ("UNIT_B", solve, give_up, Status.UNSOLVED, "responsible@1"),
    "given up and solved": ("UNIT_A", give_up, solve, Status.UNSOLVED, "responsible@1"),
    "nobody is responsible": (
        "UNIT_PEOPLE",
        start,
        hold,
        Status.IN_PROGRESS,
        "nobody-responsible@1",
    ),
    "nobody is, and it is over": (
        "UNIT_PEOPLE",
        solve,
        give_up,
        Status.SOLVED,
        "nobody-responsible@1",
    ),
    "nobody is, and theirs is over": (
        "UNIT_PEOPLE",
        hold,
        solve,
        Status.SOLVED,
        "outcome-stands@1",
    ),
    "reassigned while they work": ("UNIT_B", assign, hold, Status.ASSIGNED, "reassigned@1"),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("case", CROSSING)
def test_states_that_cross_settle_on_one_and_every_text_stays(case: str, seed: int):
    unit, ours, theirs, status, rule = CROSSING[case]

    async def story(world: World) -> None:
        numbers = await shared(world, unit)
        world.faults = 2.0 * seed
        await at_once(
            world,
            ("A", ours(numbers["A"], world.word("public"))),
            ("B", theirs(numbers["B"], world.word("public"))),
        )
        await world.settle()
        assert await statuses(world, numbers) == {status}
        for name in numbers:
            assert rule in {each.rule for each in await conflicts(world, name)}, name

    simulate("pair", seed, story)


@pytest.mark.parametrize("shape", ["pair", "pair by webhooks"])
def test_an_entry_that_crosses_a_change_of_the_state_does_not_undo_it(shape: str):
    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        await world.hubs["B"].do(start(numbers["B"], world.word("public")))
        await world.settle()
        await world.hubs["A"].do(solve(numbers["A"], world.word("public")))
        await world.settle()
        reopen = c.Reopen(number=numbers["A"], comment=world.word("public"))
        work = start(numbers["A"], world.word("public"))
        entry = c.Comment(number=numbers["B"], text=world.word("public"))
        await asyncio.gather(world.hubs["A"].do(reopen, work), world.hubs["B"].do(entry))
        await world.settle()
        assert await statuses(world, numbers) == {Status.IN_PROGRESS}

    simulate(shape, 1, story)


@pytest.mark.parametrize("shape", ["pair", "pair by webhooks"])
def test_a_file_that_follows_a_ticket_says_nothing_of_how_that_was_before(shape: str):
    async def story(world: World) -> None:
        hub = world.hubs["A"]
        opening = c.OpenTicket(subject=world.word("subject"), unit="UNIT_A")
        number = (await hub.do(opening)).ticket.number
        await hub.do(solve(number, world.word("public")))
        name = world.word("file")
        await hub.do(WISHES["attach"](number, name, world))
        await hub.do(c.Reopen(number=number, comment=world.word("public")))
        await hub.do(c.Assign(number=number, unit="UNIT_B"))
        await world.settle()
        [there] = (await tickets(world.hubs["B"])).values()
        assert len(there.files) == 1
        assert there.status is Status.ASSIGNED

    simulate(shape, 2, story)


def test_they_reopen_while_we_verify():
    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        await world.hubs["B"].do(solve(numbers["B"], world.word("public")))
        await world.settle()
        await at_once(
            world,
            ("A", c.Verify(number=numbers["A"])),
            ("B", c.Reopen(number=numbers["B"], comment="Not yet.")),
        )
        await world.settle()
        assert await statuses(world, numbers) == {Status.VERIFIED, Status.SOLVED}
        for name in numbers:
            [found] = await conflicts(world, name)
            assert (found.field, found.rule) == ("state", "outcome-stands@1")

    simulate("pair", 1, story)


def test_a_change_that_answers_the_other_is_no_conflict():
    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        for name, value in (
            ("A", "urgent"),
            ("B", "top priority"),
            ("A", "very urgent"),
            ("B", "urgent"),
        ):
            change = c.Reclassify(
                number=numbers[name], field="priority", value=value, justification=world.word("public")
            )  # fmt: skip
            await world.hubs[name].do(change)
            await world.settle()
            for each, number in numbers.items():
                ticket = (await tickets(world.hubs[each]))[number]
                assert ticket.priority.value == value
        assert not await conflicts(world, "A")
        assert not await conflicts(world, "B")

    simulate("pair", 2, story)


BOTH = pytest.mark.parametrize("shape", ["pair", "pair by webhooks"])


@BOTH
@pytest.mark.parametrize("final", ["A", "B"])
def test_who_asks_for_a_final_ticket_to_be_opened_again_hears_that_it_is_final(
    shape: str, final: str
):
    """Seeds 15 of "pair" and 1 of "pair by webhooks": the one stayed reopened, and the other closed."""
    other = "B" if final == "A" else "A"

    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        await world.hubs[other].do(solve(numbers[other], world.word("public")))
        await world.settle()
        await world.hubs[final].do(c.Close(number=numbers[final]))
        await world.settle()
        await world.hubs[other].do(c.Reopen(number=numbers[other], comment="Not yet."))
        await world.settle()
        assert await statuses(world, numbers) == {Status.CLOSED, Status.SOLVED}

    simulate(shape, 1, story)


@BOTH
def test_a_ticket_that_was_on_hold_when_it_was_told_is_on_hold_there(shape: str):
    """Seed 22 of "ring of three": it was opened there as assigned, and stayed so."""

    async def story(world: World) -> None:
        hub = world.hubs["A"]
        opening = c.OpenTicket(subject=world.word("subject"), unit="UNIT_A")
        number = (await hub.do(opening)).ticket.number
        assign = c.Assign(number=number, unit="UNIT_B", note=world.word("public"))
        await hub.do(assign, hold(number, world.word("public")))
        await world.settle()
        [there] = (await tickets(world.hubs["B"])).values()
        assert there.status is Status.ON_HOLD

    simulate(shape, 2, story)


@BOTH
def test_work_that_begins_on_a_ticket_that_the_other_side_reopened_is_heard(shape: str):
    """Seed 7 of "ring of three by webhooks": the last word of theirs was the solution, so it counted as reopening."""

    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        for name, command in (
            ("A", solve(numbers["A"], world.word("public"))),
            ("B", c.Reopen(number=numbers["B"], comment=world.word("public"))),
            ("A", start(numbers["A"], "")),
        ):
            await world.hubs[name].do(command)
            await world.settle()
        assert await statuses(world, numbers) == {Status.IN_PROGRESS}

    simulate(shape, 3, story)


@BOTH
def test_a_field_that_changed_while_the_other_side_ended_the_ticket_is_put_right_when_it_is_reopened(
    shape: str,
):
    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        await at_once(
            world,
            ("A", c.Assign(number=numbers["A"], unit="UNIT_A", note=world.word("public"))),
            ("B", solve(numbers["B"], world.word("public"))),
        )
        await world.settle()
        await world.hubs["B"].do(c.Reopen(number=numbers["B"], comment=world.word("public")))
        await world.settle()
        found = [(await tickets(world.hubs[name]))[number] for name, number in numbers.items()]
        assert found[0].unit == found[1].unit
        assert not await parked(world.hubs["A"])

    simulate(shape, 4, story)


@pytest.mark.parametrize("shape", ["pair", "pair of beginnings and ends"])
def test_a_ticket_that_was_ended_and_reopened_while_the_other_side_passed_it_on_is_open_on_both(
    shape: str,
):
    """Seed 5026 of the second: to the other side, which had passed it on, it stayed over."""

    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_A")
        here, there = numbers["A"], numbers["B"]
        await asyncio.gather(
            world.hubs["A"].do(solve(here, world.word("public"))),
            world.hubs["B"].do(c.Assign(number=there, unit="UNIT_B")),
        )
        await world.hubs["A"].do(c.Reopen(number=here, comment=world.word("public")))
        await world.hubs["A"].do(hold(here, world.word("public")))
        await world.settle()
        assert await statuses(world, numbers) <= OPEN

    simulate(shape, 1, story)


@pytest.mark.parametrize("shape", ["pair", "pair by webhooks"])
def test_a_ticket_that_goes_to_another_unit_after_its_reopening_did_not_count_is_over_on_both(
    shape: str,
):
    """In "chain of three by webhooks", seed 33, the last word came too early: before the ticket was passed on."""

    async def story(world: World) -> None:
        numbers = await shared(world, "UNIT_B")
        world.cut_off = {"B"}
        for command in (
            c.Solve(number=numbers["B"], solution=world.word("public")),
            c.Reopen(number=numbers["B"], comment=world.word("public")),
        ):
            await world.hubs["B"].do(command)
        await world.hubs["A"].do(c.StartWork(number=numbers["A"], note=world.word("public")))
        await asyncio.sleep(3600)
        assign = c.Assign(number=numbers["B"], unit="UNIT_A", note=world.word("public"))
        await world.hubs["B"].do(assign)
        world.cut_off = set()
        await world.settle()
        assert await statuses(world, numbers) == {Status.SOLVED}

    simulate(shape, 1, story)


@pytest.mark.parametrize("polled", ["before ours came there", "after ours came there"])
def test_what_a_partner_decided_that_cannot_say_what_it_had_seen_stands_there_in_the_end(
    polled: str,
):
    """It is told once what holds, and answers nothing."""

    async def story(world: World) -> None:
        hub, desk = world.hubs["A"], world.desk
        opening = c.OpenTicket(subject=world.word("subject"), unit="UNIT_DESK", description="All.")
        number = (await hub.do(opening)).ticket.number
        await world.settle()
        [theirs] = desk.tickets.values()
        if polled == "before ours came there":
            deliver, desk.deliver = desk.deliver, _never
            await hub.do(c.PutOnHold(number=number, reason=world.word("public")))
            desk.move(theirs, "resolved", world.word("public"))
            await asyncio.sleep(300)
            desk.deliver = deliver
        else:
            poll, desk.poll = desk.poll, _never
            desk.move(theirs, "resolved", world.word("public"))
            await hub.do(c.PutOnHold(number=number, reason=world.word("public")))
            await asyncio.sleep(300)
            assert theirs.state == "stalled"
            desk.poll = poll
        await world.settle()
        assert (await tickets(hub))[number].status is Status.SOLVED
        assert theirs.state == "resolved"
        said = [each for each in await recorded(hub) if isinstance(each.event, Exchange.Confirmed)]
        assert len(said) == 1

    simulate("desk", 1, story)


async def _never(*_: object) -> None:
    raise Undelivered("not-reached", "no connection", final=False)
