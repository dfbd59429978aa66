"""Whether helpdesks that share a ticket agree about it when a federation has come to rest, and why not."""

from collections import Counter
from collections.abc import Sequence

from adapters.kit.states import stage
from domain.lifecycle import FINAL, OPEN, TERMINAL, Status
from domain.ticket import Ticket
from tests.simulation.exchange_desk import theirs_of
from tests.simulation.exchange_world import World, exchanges, tickets

Link = tuple[tuple[str, int], tuple[str, int]]
APART = "apart"


def _state_apart(ours: Ticket, theirs: Ticket, *, closing_only: bool) -> str:
    """How two states of one ticket belong together. To verify or to close is told, and is not the other's to do."""
    statuses = {ours.status, theirs.status}
    if ours.status is theirs.status:
        return "one state"
    if closing_only and (statuses <= OPEN or statuses <= TERMINAL):
        return "both open or both over, as agreed on"
    if statuses & FINAL and statuses <= TERMINAL:
        return "one is final"
    if stage(ours.status) == stage(theirs.status) and statuses <= OPEN:
        return "before work"  # a ticket that was reopened and passed on
    return APART


async def agreement(world: World, links: Sequence[Link]) -> Counter[str]:
    """Nobody waits for an operator: both sides of every link have one state, unit and priority. How many, and why not."""
    counted: Counter[str] = Counter()
    of = {name: await tickets(hub) for name, hub in world.hubs.items()}
    for one, other in links:
        if one[0] > other[0]:
            continue
        ours, theirs = of[one[0]][one[1]], of[other[0]][other[1]]
        shown = f"{one} and {other}"
        counted[state := _state_apart(ours, theirs, closing_only=world.closing_only)] += 1
        assert state != APART, f"{shown} are {ours.status.value} and {theirs.status.value}"
        if state == "one is final" or ours.status in TERMINAL:
            same = (ours.unit, ours.priority) == (theirs.unit, theirs.priority)
            counted["over with one unit and priority" if same else "over with others"] += 1
            continue
        units = {ours.unit, theirs.unit}
        if len(units) > 1 and units & set(world.own.values()):
            counted["a unit that the other lacks"] += 1
            units = set()
        if world.closing_only:
            counted["priority is not told"] += 1
            continue
        for field in ("unit", "priority") if units else ("priority",):
            values = (getattr(ours, field), getattr(theirs, field))
            assert values[0] == values[1], f"{shown} have for {field} {values}"
    return counted + await _with_the_desk(world)


def _at_the_desk(ours: Status, theirs: str) -> str:
    if theirs_of(ours) == theirs:
        return "desk agrees"
    if ours in FINAL:
        return "desk opened what is final"
    # That work is to begin it is not told; and "open" of who has no word for a question ends none.
    return APART if (ours in TERMINAL) != (theirs == "resolved") else "desk has another word"


async def _with_the_desk(world: World) -> Counter[str]:
    """It has three words for ten states, and cannot say what it had seen: it is told what holds."""
    counted: Counter[str] = Counter()
    for hub in world.hubs.values():
        of = await tickets(hub)
        for exchange in (await exchanges(hub)).values():
            if exchange.helpdesk == "desk" and exchange.number and exchange.external_id:
                theirs = world.desk.tickets[int(exchange.external_id)]
                ours = of[exchange.number].status
                counted[state := _at_the_desk(ours, theirs.state)] += 1
                shown = f"{hub.name}-{exchange.number} and the desk's {theirs.id}"
                assert state != APART, f"{shown} are {ours.value} and {theirs.state}"
    return counted
