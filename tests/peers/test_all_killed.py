"""A real Request Tracker, a real Redmine, their databases and our own process are killed again and again, while
people work on all three sides. In the end all agree.

``TICKETLEDGER_KILLED_TICKETS`` says with how many tickets.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from msgspec import Struct, field

from domain import commands as c
from domain.lifecycle import Status
from tests.peers.killed_scenarios import UNIT_OF, Federation, federation
from tests.peers.peer_hub import prefix
from tests.peers.redmine_scenarios import Desk as RedmineDesk
from tests.peers.rt_scenarios import Desk as RtDesk

TICKETS = int(os.environ.get("TICKETLEDGER_KILLED_TICKETS", "24"))
BLOWS = 12
"""In each of three phases a third of them; every kind of blow twice."""
PATIENCE_S = 180 + 10 * TICKETS


class Case(Struct, kw_only=True):
    """One request, and what was said about it."""

    partner: str
    ours: bool
    """Began here."""
    subject: str
    number: int = 0
    theirs: int = 0
    said: list[str] = field(default_factory=list)

    def line(self, who: str) -> str:
        """Something that was not said before."""
        self.said.append(f"{who} about {self.subject}: line {len(self.said)}.")
        return self.said[-1]


@pytest.mark.slow
@pytest.mark.timeout(600 + 30 * TICKETS)
async def test_after_kills_on_all_sides_in_the_middle_of_many_tickets_all_agree(
    database, tmp_path, request_tracker, redmine, supporter, analyst
):
    began = monotonic()
    cases = [
        Case(partner=partner, ours=ours, subject=f"{prefix(database)} {partner} {ours} {n:03}")
        for n in range(TICKETS // 4) for ours in (True, False) for partner in UNIT_OF
    ]  # fmt: skip
    async with federation(tmp_path, database, request_tracker, redmine) as hub:
        desks = Desks(supporter, analyst)
        blows = Blows(hub, len(cases))

        for n, case in enumerate(cases):
            async with blows.at(n):
                if case.ours:
                    case.number = await hub.open_ticket(UNIT_OF[case.partner], case.subject)
                    await hub.execute(c.Comment(number=case.number, text=case.line("We")))
            if not case.ours:
                case.theirs = await desks.open(case)
        numbers = await hub.opened([case.subject for case in cases], PATIENCE_S)
        for case in cases:
            assert case.number in (0, numbers[case.subject])
            case.number = numbers[case.subject]
        await _learn(hub, cases)
        print(f"\nopened: {monotonic() - began:.0f} s")

        for n, case in enumerate(cases):
            async with blows.at(n):
                await hub.execute(c.Comment(number=case.number, text=case.line("We")))
            await desks.say(case, case.line("They"))
        await _learn(hub, cases)
        print(f"discussed: {monotonic() - began:.0f} s")

        for n, case in enumerate(cases):
            solution = case.line("Done")
            async with blows.at(n):
                if not case.ours:
                    await hub.solve(case.number, solution)
            if case.ours:
                await desks.say(case, solution, solved=True)
        await hub.in_state(Status.SOLVED, [case.number for case in cases], PATIENCE_S)
        await _learn(hub, cases)
        print(f"solved: {monotonic() - began:.0f} s")

        assert await hub.parked() == []
        assert await hub.opened([case.subject for case in cases], 30) == numbers
        for case in cases:
            await _agree_here(hub, case)
        shares = (cases[n::4] for n in range(4))
        await asyncio.gather(*(_agree_there(desks, share, database) for share in shares))
        print(f"compared: {monotonic() - began:.0f} s; {blows.dealt} blows, {TICKETS} tickets")


class Blows:
    """Kills something at evenly spread moments of a phase, and lets it begin again a little later."""

    def __init__(self, hub: Federation, steps: int) -> None:
        self._all = hub.blows()
        self._every = max(1, 3 * steps // BLOWS)
        self.dealt = 0

    @asynccontextmanager
    async def at(self, step: int) -> AsyncIterator[None]:
        if step % self._every != self._every // 2:
            yield
            return
        kill, begin_again = next(self._all)
        kill()
        self.dealt += 1
        yield
        await asyncio.sleep(0.5)
        begin_again()


class Desks:
    """Who works at the partners, each in the words of its product."""

    def __init__(self, supporter: RtDesk, analyst: RedmineDesk) -> None:
        self._rt, self._redmine = supporter, analyst

    async def open(self, case: Case) -> int:
        text = f"{case.subject} is broken."
        if case.partner == "rt":
            return await self._rt.open("To_GGUS", case.subject, Content=text)
        return await self._redmine.open("To_GGUS", case.subject, description=text)

    async def say(self, case: Case, text: str, *, solved: bool = False) -> None:
        if case.partner == "rt":
            await self._rt.reply(case.theirs, text, **{"Status": "resolved"} if solved else {})
        else:
            await self._redmine.note(case.theirs, text, **{"status": "Resolved"} if solved else {})

    async def state(self, case: Case) -> str:
        if case.partner == "rt":
            return str((await self._rt.ticket(case.theirs))["Status"])
        return str((await self._redmine.issue(case.theirs))["status"]["name"]).lower()

    async def texts(self, case: Case) -> str:
        if case.partner == "rt":
            return "\n".join(await self._rt.texts(case.theirs))
        issue = await self._redmine.issue(case.theirs)
        return "\n".join(
            [issue["description"], *(each["notes"] or "" for each in issue["journals"])]
        )

    async def with_our_number(self, case: Case, database: str) -> list[int]:
        if case.partner == "rt":
            return await self._rt.with_our_number(database, case.number)
        return await self._redmine.with_our_number(f"{prefix(database)}-{case.number}")

    async def about(self, case: Case) -> list[int]:
        """All tickets there with this subject."""
        if case.partner == "rt":
            return await self._rt.found(f"Subject = '{case.subject}'")
        return await self._redmine.found(subject=case.subject)


async def _learn(hub: Federation, cases: Sequence[Case]) -> None:
    """Wait until each side has said everything to the other."""
    for partner in UNIT_OF:
        mine = [case for case in cases if case.partner == partner]
        exchanges = await hub.settled(partner, [case.number for case in mine], PATIENCE_S)
        for case, exchange in zip(mine, exchanges, strict=True):
            assert case.theirs in (0, int(exchange.external_id))
            case.theirs = int(exchange.external_id)
    async with asyncio.timeout(PATIENCE_S):
        for case in cases:
            while not {*case.said} <= await hub.said(case.number):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)


async def _agree_here(hub: Federation, case: Case) -> None:
    """Each line once, and the solution that was given."""
    ticket = await hub.ledger.ticket(case.number)
    assert (ticket.status, await hub.text(ticket.solution)) == (Status.SOLVED, case.said[-1])
    comments = await hub.comments(case.number)
    # A solution may also be kept as the entry that it was there.
    assert sorted({*comments, case.said[-1]}) == sorted(case.said), case
    assert len(comments) == len({*comments}), case


async def _agree_there(desks: Desks, cases: Sequence[Case], database: str) -> None:
    for case in cases:
        assert await desks.state(case) == "resolved", case
        assert await desks.with_our_number(case, database) == [case.theirs], case
        assert await desks.about(case) == [case.theirs], case
        texts = await desks.texts(case)
        assert [texts.count(line) for line in case.said] == [1] * len(case.said), (case, texts)
