"""Request Tracker restored from an old backup: what was lost is found, put right or raised, and nothing comes twice."""

import subprocess

import pytest

from adapters.store import server_binaries
from api.demo import request_tracker as rt
from api.demo.peer import DATABASE_USER
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.exchange_scenarios import by_test
from tests.peers.conftest import demand, started
from tests.peers.rt_scenarios import Desk, custom, prefix, rt_hub

BACKED_UP = 10
LATER = 3


@pytest.fixture
def own_tracker():
    """Give an RT of its own: others would not bear to be restored."""
    demand("Request Tracker", rt.missing())
    with started(rt.RequestTracker) as tracker:
        yield tracker


class Backup:
    """Of RT's database, as its administrators make one."""

    def __init__(self, tracker) -> None:
        self._tracker, self._file = tracker, tracker.folder / "backup.sql"

    def make(self) -> None:
        with self._file.open("wb") as file:
            self._run("pg_dump", "rt5", stdout=file)

    def restore(self) -> None:
        """The web server stands still meanwhile."""
        self._tracker.kill()
        self._run("dropdb", "--force", "rt5")
        self._run("createdb", "rt5")
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", self._file, "rt5")
        self._tracker.serve()

    def _run(self, program: str, *arguments, **how) -> None:
        folder = server_binaries.system_folder()
        assert folder is not None
        command = [folder / program, "-h", self._tracker.folder / "socket", "-U", DATABASE_USER]
        how.setdefault("stdout", subprocess.DEVNULL)
        subprocess.run([*map(str, [*command, *arguments])], check=True, timeout=120, **how)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_after_a_restore_from_an_old_backup_both_sides_agree_and_nothing_came_twice(  # noqa: C901 - a story
    database, own_tracker
):
    backup = Backup(own_tracker)
    async with rt_hub(database, own_tracker) as ours, Desk(own_tracker, "supporter") as desk:
        ours.work()
        await ours.polled()
        old = [await ours.open_ticket("ROC_DE", subject=f"Before {n}") for n in range(BACKED_UP)]
        theirs = {number: await ours.linked_to(number) for number in old}
        for number in old:
            await ours.quiet(number)
        backup.make()

        # What the backup does not have: texts and states of both sides, new tickets of ours, one of theirs.
        for number in old[:4]:
            await ours.execute(c.Comment(number=number, text=f"said after the backup: {number}"))
        for number in old[4:7]:
            await desk.reply(theirs[number], f"Done with {number}.", Status="resolved")
        await ours.execute(c.StartWork(number=old[7]), c.Solve(number=old[7], solution="By us."))
        new = [await ours.open_ticket("ROC_DE", subject=f"After {n}") for n in range(LATER)]
        lost = {number: await ours.linked_to(number) for number in new}
        await desk.open("To_GGUS", "Theirs, after the backup", Content="Broken.")
        await ours.wait_for(Ticket.Opened, BACKED_UP + LATER + 1, seconds=60)
        await ours.wait_for(Ticket.Solved, 4, seconds=60)
        numbers = [*old, *new, BACKED_UP + LATER + 1]
        for number in numbers:
            await ours.quiet(number)
        texts = {number: await _texts(ours, number) for number in numbers}
        await ours.rest()

        backup.restore()
        # Life goes on there before we look: numbers of tickets and of transactions are given a second time.
        async with Desk(own_tracker, "supporter") as after:
            strangers = [
                await after.open("ROC_DE", f"Nothing to do with you {n}", Content="x")
                for n in range(2)
            ]
            wanted = await after.open("To_GGUS", "A new one after the restore", Content="Help.")
            assert {*strangers, wanted} & set(lost.values()), "the trap is set"
            await after.reply(theirs[old[8]], "Word after the restore.")

            ours.work()
            await ours.wait_for(Ticket.Opened, len(numbers) + 1, seconds=60)
            for number in new:
                await _linked_anew(ours, number, lost[number])
            for number in numbers:
                await ours.quiet(number)
            with by_test():
                await ours.parts.comparison.pages.compare("rt", repair=True)
            for number in numbers:
                await ours.quiet(number)
            with by_test():
                page = await ours.parts.comparison.pages.compare("rt", repair=False)
            assert page.diverging == []
            assert (page.compared, page.next) == (len(numbers) + 1, None)

            for number in numbers:
                exchange = await ours.rt_exchange(number)
                assert await after.with_our_number(database, number) == [int(exchange.external_id)]
                ticket = await after.ticket(exchange.external_id)
                over = (await ours.ledger.ticket(number)).status is Status.SOLVED
                assert (ticket["Status"] == "resolved") is over
                assert exchange.diverged == {}
            for number in old[:4]:
                said = await after.texts(theirs[number], "Correspond")
                assert said == [f"said after the backup: {number}"]
            for stranger in strangers:
                ticket = await after.ticket(stranger)
                assert custom(ticket, "ExternalID") == ""
                assert await after.texts(stranger) == ["x"], "nothing was written to others"
            # The word after the restore is new here; all else was here already.
            assert await _texts(ours, old[8]) == [*texts[old[8]], "Word after the restore."]
            for number in set(numbers) - {old[8]}:
                assert await _texts(ours, number) == texts[number]
            assert len(await ours.events(Ticket.Solved)) == 4
            opened = await ours.events(Ticket.Opened)
            assert await ours.text(opened[-1].subject) == "A new one after the restore"
            assert len(opened) == len(numbers) + 1
            assert custom(await after.ticket(wanted), "ExternalID") == (
                f"{prefix(database)}-{len(opened)}"
            )
            assert await ours.events(Exchange.Parked) == []


async def _linked_anew(ours, number: int, lost: int) -> None:
    await ours.wait_for(Exchange.Unlinked, LATER, seconds=60)
    await ours.linked_to(number)


async def _texts(ours, number: int) -> list[str]:
    return [
        await ours.text(each.event.text)
        for each in await ours.ledger.history(number)
        if isinstance(each.event, Ticket.Commented)
    ]
