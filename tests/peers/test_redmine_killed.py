"""Redmine killed in the middle of its work, and us too: in the end both sides agree.

``TICKETLEDGER_KILLED_TICKETS`` says with how many tickets.
"""

import os
from time import monotonic

import pytest

from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.peers.redmine_scenarios import Desk, redmine_hub

TICKETS = int(os.environ.get("TICKETLEDGER_KILLED_TICKETS", "40"))
KILLS = 3
PATIENCE_S = 120 + 6 * TICKETS


@pytest.mark.slow
@pytest.mark.timeout(900 + 20 * TICKETS)
async def test_after_kills_on_both_sides_in_the_middle_of_many_tickets_all_agree(
    database, redmine, analyst
):
    """Half of the tickets are ours, half are theirs; all are written to from both sides."""
    began = monotonic()
    half = TICKETS // 2
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        await hub.polled()
        await _open_ours(hub, redmine, half)
    # Now we ourselves: the block above ended in the middle of whatever it did.
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        for n in range(half):
            await analyst.open("To_GGUS", f"Theirs {n}", description="x")
            if n == half // 2:
                _kill_and_start(redmine)
        opened = await hub.wait_for(Ticket.Opened, TICKETS, seconds=PATIENCE_S)
        numbers = [each.number for each in opened]
        await _all_quiet(hub, numbers)
        for n, number in enumerate(numbers):
            await hub.execute(c.Comment(number=number, text=f"second of {number}"))
            if n == half:
                _kill_and_start(redmine)
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        await _all_quiet(hub, numbers)
        theirs = {number: int((await hub.exchanged(number)).external_id) for number in numbers}
        for n, number in enumerate(numbers):
            await analyst.note(theirs[number], f"Done with {number}.", status="Resolved")
            if n == half:
                _kill_and_start(redmine)
        await hub.wait_for(Ticket.Solved, TICKETS, seconds=PATIENCE_S)
        await _all_quiet(hub, numbers)
        assert await hub.events(Exchange.Parked) == []
        assert len(await hub.events(Ticket.Opened)) == TICKETS
        assert len(set(theirs.values())) == TICKETS
        for number in numbers:
            await _agree(hub, analyst, number, theirs[number])
        subjects = sorted([f"Ours {n}" for n in range(half)] + [f"Theirs {n}" for n in range(half)])
        assert await _subjects(analyst, min(theirs.values())) == subjects, "no orphan, no double"
    print(f"\n{TICKETS} tickets: {monotonic() - began:.0f} s")


async def _open_ours(hub, redmine, count: int) -> None:
    for n in range(count):
        number = await hub.open_ticket("ROC_DE", subject=f"Ours {n}")
        await hub.execute(c.Comment(number=number, text=f"first of {number}"))
    for kill in range(KILLS):
        await hub.wait_for(Exchange.Dispatched, 2 + kill * count // 4, seconds=PATIENCE_S)
        _kill_and_start(redmine)


async def _all_quiet(hub, numbers: list[int]) -> None:
    for number in numbers:
        await hub.quiet(number, seconds=PATIENCE_S)


async def _agree(hub, analyst: Desk, number: int, theirs: int) -> None:
    ticket = await hub.ledger.ticket(number)
    assert ticket.status is Status.SOLVED
    assert await hub.text(ticket.solution) == f"Done with {number}."
    assert await analyst.with_our_number(f"{hub.name}-{number}") == [theirs]
    issue = await analyst.issue(theirs)
    assert issue["status"]["name"] == "Resolved"
    # What was said before the ticket went there is part of its first text.
    description = issue["description"].replace("\r\n", "\n")  # Redmine's way to keep line ends
    told = [*description.split("\n\n")[1:], *(await analyst.notes(theirs))]
    entries = [
        await hub.text(each.event.text)
        for each in await hub.ledger.history(number)
        if isinstance(each.event, Ticket.Commented)
    ]
    assert told == [*entries, f"Done with {number}."]
    assert entries[-1] == f"second of {number}"


async def _subjects(analyst: Desk, least: int) -> list[str]:
    rows: list[str] = []
    offset = 0
    while True:
        page = await analyst.ask("/issues.json", status_id="*", limit=100, offset=offset, sort="id")
        rows += [
            each["subject"] for each in page["issues"]
            if each["id"] >= least and each["subject"].startswith(("Ours ", "Theirs "))
        ]  # fmt: skip
        offset += 100
        if offset >= page["total_count"]:
            return sorted(rows)


def _kill_and_start(redmine) -> None:
    """In this thread, which lives on: the server ends with the thread that started it."""
    redmine.kill()
    redmine.serve()
