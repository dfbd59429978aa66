"""Request Tracker killed in the middle of its work, and us too: in the end both sides agree.

``TICKETLEDGER_KILLED_TICKETS`` says with how many tickets.
"""

import itertools
import os
from time import monotonic

import pytest

from adapters.kit.settling import TEXT_S
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.peers.rt_scenarios import rt_hub

TICKETS = int(os.environ.get("TICKETLEDGER_KILLED_TICKETS", "20"))
KILLS = 3
PATIENCE_S = 600 + 20 * TICKETS
"""However busy the machine is. Nothing waits longer than it has to."""


@pytest.mark.slow
@pytest.mark.timeout(1800 + 60 * TICKETS)
async def test_after_kills_on_both_sides_in_the_middle_of_many_tickets_all_agree(
    database, request_tracker, supporter
):
    numbers: list[int] = []
    async with rt_hub(database, request_tracker, settle_s=TEXT_S) as ours:
        ours.work()
        await ours.polled()
        for n in range(TICKETS):
            number = await ours.open_ticket("ROC_DE", subject=f"Ticket {n}")
            numbers.append(number)
            await ours.execute(c.Comment(number=number, text=f"first of {number}"))
            await ours.execute(c.Comment(number=number, text=f"second of {number}"))
        for kill in range(KILLS):
            await ours.wait_for(Exchange.Dispatched, 3 + 6 * kill, seconds=PATIENCE_S)
            _kill_and_start(request_tracker)
    # Now we ourselves: the block above ended in the middle of whatever it did.
    async with rt_hub(database, request_tracker, settle_s=TEXT_S) as ours:
        ours.work()
        for number in numbers:
            await ours.quiet(number, seconds=PATIENCE_S)
        # And their side works on all of them, while RT dies once more.
        theirs = {number: int((await ours.rt_exchange(number)).external_id) for number in numbers}
        for number in itertools.islice(numbers, TICKETS // 2):
            await supporter.reply(theirs[number], f"Done with {number}.", Status="resolved")
        _kill_and_start(request_tracker)
        for number in itertools.islice(numbers, TICKETS // 2, None):
            await supporter.reply(theirs[number], f"Done with {number}.", Status="resolved")
        await ours.wait_for(Ticket.Solved, TICKETS, seconds=PATIENCE_S)

        assert len(set(theirs.values())) == TICKETS
        for number in numbers:
            ticket = await ours.ledger.ticket(number)
            assert ticket.status is Status.SOLVED
            assert await ours.text(ticket.solution) == f"Done with {number}."
            assert await supporter.with_our_number(database, number) == [theirs[number]]
            assert (await supporter.ticket(theirs[number]))["Status"] == "resolved"
            # What was said before the ticket went there is part of its first text.
            told = "\n\n".join(await supporter.texts(theirs[number], "Create", "Correspond"))
            assert told.split("\n\n")[1:] == [
                f"first of {number}", f"second of {number}", f"Done with {number}.",
            ]  # fmt: skip
            assert await _entries(ours, number) == [
                f"first of {number}", f"second of {number}", f"Done with {number}.",
            ]  # fmt: skip
        made = await supporter.found("Subject LIKE 'Ticket %' AND Queue = 'ROC_DE'")
        mine = [each for each in made if each >= min(theirs.values())]
        assert sorted(mine) == sorted(theirs.values()), "no orphan without a number"
        assert await ours.events(Exchange.Parked) == []
        assert len(await ours.events(Ticket.Opened)) == TICKETS


def _kill_and_start(request_tracker) -> None:
    """In this thread, which lives on: the server ends with the thread that started it."""
    request_tracker.kill()
    request_tracker.serve()


async def _entries(ours, number: int) -> list[str]:
    return [
        await ours.text(each.event.text)
        for each in await ours.ledger.history(number)
        if isinstance(each.event, Ticket.Commented)
    ]


@pytest.mark.slow
async def test_how_fast_messages_arrive(database, request_tracker, supporter):
    """Bounds that leave room for a busy machine; the figures are printed with ``-s``."""
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        numbers = [await ours.open_ticket("ROC_DE") for _ in range(4)]
        theirs = [await ours.linked_to(number) for number in numbers]
        started = monotonic()
        for number, text in itertools.product(numbers, ("one", "two", "three", "four", "five")):
            await ours.execute(c.Comment(number=number, text=text))
        for number in numbers:
            await ours.quiet(number)
        out_s = (monotonic() - started) / 20

        waits = []
        for _ in range(5):
            await supporter.reply(theirs[0], "answer")
            said_at = monotonic()
            ours.parts.worker.pollers.hint("rt")
            await ours.wait_for(Ticket.Commented, 21 + len(waits))
            waits.append(monotonic() - said_at)
        print(
            f"\nout: {1 / out_s:.1f} messages/s; in after a hint: median {sorted(waits)[2] * 1000:.0f} ms"
        )
        assert out_s < 3
        assert sorted(waits)[2] < 5
