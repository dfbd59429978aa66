"""Redmine killed in the middle of its work, and us too: in the end both sides agree.

``TICKETLEDGER_KILLED_TICKETS`` says with how many tickets.
"""

import asyncio
import os
from collections import Counter
from time import monotonic

import pytest

from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.peers.redmine_scenarios import Desk, custom, redmine_hub

TICKETS = int(os.environ.get("TICKETLEDGER_KILLED_TICKETS", "40"))
KILLS = 3
PATIENCE_S = 600 + 20 * TICKETS
"""However busy the machine is. Nothing waits longer than it has to."""


@pytest.mark.slow
@pytest.mark.timeout(1800 + 60 * TICKETS)
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
        theirs = {number: int((await hub.about(number)).external_id) for number in numbers}
        for n, number in enumerate(numbers):
            await analyst.note(theirs[number], f"Done with {number}.", status="Resolved")
            if n == half:
                _kill_and_start(redmine)
        await hub.wait_for(Ticket.Solved, TICKETS, seconds=PATIENCE_S)
        await _all_quiet(hub, numbers)
        subjects = sorted([f"Ours {n}" for n in range(half)] + [f"Theirs {n}" for n in range(half)])
        differences = await _differences_that_stay(hub, analyst, theirs, subjects)
        assert not differences, "\n".join(differences)
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


async def _differences_that_stay(
    hub, analyst: Desk, theirs: dict[int, int], subjects: list[str]
) -> list[str]:
    """What was still on its way to Redmine when it was written again is taken back a moment later."""
    end = monotonic() + PATIENCE_S
    while found := [
        *(await _differences(hub, analyst, theirs, subjects)),
        *[line for number in theirs for line in await _of(hub, analyst, number, theirs[number])],
    ]:
        if monotonic() > end:
            break
        await asyncio.sleep(1)
    return found


async def _differences(
    hub, analyst: Desk, theirs: dict[int, int], subjects: list[str]
) -> list[str]:
    found = [
        f"parked: {each.code}: {await hub.text(each.detail)}"
        for each in await hub.events(Exchange.Parked)
    ]
    if (opened := len(await hub.events(Ticket.Opened))) != TICKETS:
        found.append(f"{opened} tickets were opened")
    if len(set(theirs.values())) != TICKETS:
        found.append(f"their issues: {sorted(theirs.values())}")
    there = await _subjects(analyst, min(theirs.values()))
    if there != subjects:
        odd = sorted((Counter(there) - Counter(subjects)).elements())
        lost = sorted((Counter(subjects) - Counter(there)).elements())
        found.append(f"issues too many: {odd}, too few: {lost}")
    return found


async def _of(hub, analyst: Desk, number: int, theirs: int) -> list[str]:
    """Where ticket and issue differ from each other, or from what was done to them."""
    ticket, issue = await hub.ledger.ticket(number), await analyst.issue(theirs)
    # What was said before the ticket went there is part of its first text.
    description = issue["description"].replace("\r\n", "\n")  # Redmine's way to keep line ends
    told = [*description.split("\n\n")[1:], *(await analyst.notes(theirs))]
    entries = [
        await hub.text(each.event.text)
        for each in await hub.ledger.history(number)
        if isinstance(each.event, Ticket.Commented)
    ]
    done = f"Done with {number}."
    ours = f"{hub.name}-{number}"
    pairs = [
        ("our state", ticket.status, Status.SOLVED),
        ("our solution", await hub.text(ticket.solution) if ticket.solution else "", done),
        ("issues with our number", await analyst.with_our_number(ours), [theirs]),
        ("their state", issue["status"]["name"], "Resolved"),
        ("their texts", told, [*entries, done]),
        ("our last entry", entries[-1:], [f"second of {number}"]),
    ]
    return [
        f"{ours}, #{theirs}: {what}: {is_!r}, not {should_be!r}"
        for what, is_, should_be in pairs
        if is_ != should_be
    ]


async def _subjects(analyst: Desk, least: int) -> list[str]:
    """Of the issues of this test, but for those that were made twice and taken back."""
    rows: list[str] = []
    offset = 0
    while True:
        page = await analyst.ask("/issues.json", status_id="*", limit=100, offset=offset, sort="id")
        rows += [
            each["subject"] for each in page["issues"]
            if each["id"] >= least and each["subject"].startswith(("Ours ", "Theirs "))
            and (custom(each, "ExternalID") or each["status"]["name"] != "Rejected")
        ]  # fmt: skip
        offset += 100
        if offset >= page["total_count"]:
            return sorted(rows)


def _kill_and_start(redmine) -> None:
    """In this thread, which lives on: the server ends with the thread that started it."""
    redmine.kill()
    redmine.serve()
