"""Every way in which changes of two sides can cross, in one federation: both end equal, and nothing is lost.

The sides: A, on which every request began, and B. Each has a unit that the other does not know.
"""

import asyncio
import os
import random
from collections.abc import Iterator
from itertools import product

import pytest

from domain import commands as c
from domain.errors import Refused
from domain.exchange import Exchange
from tests.simulation.exchange_world import World, exchanges, recorded
from tests.simulation.test_exchange import SHAPES, simulate

ALL = int(os.environ.get("TICKETLEDGER_CROSSINGS", "0"))
"""A seed: some of all cases with two changes of each side, and all units; else every pair, and what was hard."""
OWN = {"A": "UNIT_ABBEY", "B": "UNIT_BARN"}
UNITS = ("UNIT_A", "UNIT_B", "UNIT_PEOPLE", *OWN.values())
"""Who has the ticket when the changes cross: A's, B's, one that works for neither, and one that only one side knows."""


CHANGES = {
    "starts": lambda number, word, _: c.StartWork(number=number, note=word),
    "asks": lambda number, word, _: c.RequestReply(number=number, question=word),
    "holds": lambda number, word, _: c.PutOnHold(number=number, reason=word),
    "solves": lambda number, word, _: c.Solve(number=number, solution=word),
    "gives up": lambda number, word, _: c.FindUnsolvable(number=number, reason=word),
    "to A": lambda number, word, _: c.Assign(number=number, unit="UNIT_A", note=word),
    "to B": lambda number, word, _: c.Assign(number=number, unit="UNIT_B", note=word),
    "to its own": lambda number, word, own: c.Assign(number=number, unit=own, note=word),
    "ranks": lambda number, word, own: c.Reclassify(
        number=number, field="priority", value=RANKS[own], justification=word
    ),
    "reopens": lambda number, word, _: c.Reopen(number=number, comment=word),
    "closes": lambda number, _, __: c.Close(number=number),
    "writes": lambda number, word, _: c.Comment(number=number, text=word),
}
RANKS = {"UNIT_ABBEY": "urgent", "UNIT_BARN": "top priority"}
HARD = [
    ("UNIT_B", ("to its own", "holds"), ("starts",)),
    ("UNIT_B", ("holds",), ("to its own", "starts")),
    ("UNIT_B", ("solves", "reopens", "starts"), ("to its own", "holds")),
    ("UNIT_A", ("solves", "closes"), ("to B", "holds")),
    ("UNIT_A", ("ranks", "to B"), ("solves", "reopens")),
    ("UNIT_PEOPLE", ("holds", "starts"), ("asks", "solves")),
    ("UNIT_BARN", ("holds",), ("to B", "writes")),
    ("UNIT_ABBEY", ("holds", "to B"), ("to B",)),
    ("UNIT_ABBEY", ("to B", "asks"), ("asks",)),
]
Case = tuple[str, tuple[str, ...], tuple[str, ...]]


def cases(units: tuple[str, ...]) -> Iterator[Case]:
    """The unit, and what A and B do before they hear of each other."""
    yield from HARD
    plain = [(each,) for each in CHANGES if each not in ("reopens", "closes")]
    some = [(), *plain, ("solves", "reopens"), ("solves", "closes")]
    if ALL:
        some += [each for each in product(CHANGES, repeat=2) if each not in some]
        yield from random.Random(ALL).sample(list(product(UNITS, some, some)), 1_000)
    else:
        yield from product(units, some, some)


async def _act(world: World, name: str, number: int, changes: tuple[str, ...]) -> None:
    for each in changes:
        try:
            await world.hubs[name].do(CHANGES[each](number, world.word("public"), OWN[name]))
        except Refused:
            continue  # what a ticket in this state cannot become


async def _shared(world: World, wanted: list[Case]) -> list[tuple[int, int]]:
    """A ticket for each case: its number at A and at B, and its unit has it."""
    numbers = []
    for _ in wanted:
        opening = c.OpenTicket(subject=world.word("subject"), description="All.", unit="UNIT_B")
        numbers.append((await world.hubs["A"].do(opening)).ticket.number)
    await world.settle()
    there = {
        int(each.external_id.removeprefix("AA-")): each.number
        for each in (await exchanges(world.hubs["B"])).values()
    }
    for (unit, _, _), number in zip(wanted, numbers, strict=True):
        name, mine = ("B", there[number]) if unit == OWN["B"] else ("A", number)
        if unit != "UNIT_B":
            await world.hubs[name].do(c.Assign(number=mine, unit=unit))
    await world.settle()
    return [(number, there[number]) for number in numbers]


@pytest.mark.parametrize(("how", "units"), [("A-B", UNITS[:1]), ("A=B", UNITS[1:2])])
def test_whatever_crosses_both_sides_end_equal_and_nothing_is_lost(how: str, units, monkeypatch):
    monkeypatch.setitem(SHAPES, "crossing", ("AB", [how], {"own": OWN}))
    wanted = list(cases(units))

    async def story(world: World) -> None:
        world.slow_steps = False
        numbers = await _shared(world, wanted)
        for (_, ours, theirs), (here, there) in zip(wanted, numbers, strict=True):
            await asyncio.gather(_act(world, "A", here, ours), _act(world, "B", there, theirs))
        await world.settle()
        for name in OWN:
            said = [
                each.event
                for each in await recorded(world.hubs[name])
                if isinstance(each.event, Exchange.Confirmed)
            ]
            assert len(said) <= 4 * len(wanted)
            print(name, "said what holds", len(said), "times for", len(wanted), "tickets")

    print(simulate("crossing", 1, story))
