"""The story of a helpdesk that is restored from an old backup, the same for each real one."""

import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from adapters.store import server_binaries
from api.demo.peer import DATABASE_USER, Peer
from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.exchange_scenarios import by_test
from tests.peers.peer_hub import PeerHub

BACKED_UP = 10
LATER = 3


class Backup:
    """Of a helpdesk's database, as its administrators make one."""

    def __init__(self, peer: Peer, name: str) -> None:
        self._peer, self._name, self._file = peer, name, peer.folder / "backup.sql"

    def make(self) -> None:
        with self._file.open("wb") as file:
            self._run("pg_dump", self._name, stdout=file)

    def restore(self) -> None:
        """The web server stands still meanwhile."""
        self._peer.kill()
        self._run("dropdb", "--force", self._name)
        self._run("createdb", self._name)
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", self._file, self._name)
        self._peer.serve()

    def _run(self, program: str, *arguments: object, **how: object) -> None:
        folder = server_binaries.system_folder()
        assert folder is not None
        command = [folder / program, "-h", self._peer.folder / "socket", "-U", DATABASE_USER]
        how.setdefault("stdout", subprocess.DEVNULL)
        subprocess.run([*map(str, [*command, *arguments])], check=True, timeout=120, **how)


class People(Protocol):
    """Who works at the helpdesk, in its words."""

    async def open_for_us(self, subject: str) -> int: ...
    async def open_for_others(self, subject: str, text: str) -> int: ...
    async def write(self, ticket: int, text: str) -> None: ...
    async def solve(self, ticket: int, text: str) -> None: ...

    async def over(self, ticket: int) -> bool: ...
    async def bears(self, ticket: int) -> str:
        """What stands in the field for our number."""
        ...

    async def bearing(self, ours: str) -> list[int]:
        """The tickets with our number."""
        ...

    async def said(self, ticket: int) -> list[str]:
        """What was said in public after the ticket was opened."""
        ...

    async def untouched(self, ticket: int, text: str) -> bool:
        """Whether nobody wrote anything to it since it was opened with this text."""
        ...


@dataclass
class Story:
    hub: PeerHub
    backup: Backup
    people: Callable[[], AbstractAsyncContextManager[People]]
    """Their sessions do not survive the restore."""
    old: list[int] = field(default_factory=list)
    """Tickets of ours that the backup has, by our numbers; with theirs."""
    theirs: dict[int, int] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    """Tickets of ours that were made after the backup, with their numbers there."""
    numbers: list[int] = field(default_factory=list)
    texts: dict[int, list[str]] = field(default_factory=dict)

    async def told(self) -> None:
        """From beginning to end."""
        async with self.people() as people:
            await self._before(people)
        self.backup.restore()
        async with self.people() as people:
            await self._after(people)

    async def _before(self, people: People) -> None:
        hub = self.hub
        hub.work()
        await hub.polled()
        self.old = [
            await hub.open_ticket("ROC_DE", subject=f"Before {n}") for n in range(BACKED_UP)
        ]
        self.theirs = {number: await hub.linked_to(number) for number in self.old}
        for number in self.old:
            await hub.quiet(number)
        self.backup.make()

        # What the backup does not have: texts and states of both sides, new tickets of ours, one of theirs.
        old = self.old
        for number in old[:4]:
            await hub.execute(c.Comment(number=number, text=f"said after the backup: {number}"))
        for number in old[4:7]:
            await people.solve(self.theirs[number], f"Done with {number}.")
        await hub.execute(c.StartWork(number=old[7]), c.Solve(number=old[7], solution="By us."))
        new = [await hub.open_ticket("ROC_DE", subject=f"After {n}") for n in range(LATER)]
        self.lost = {number: await hub.linked_to(number) for number in new}
        await people.open_for_us("Theirs, after the backup")
        await hub.wait_for(Ticket.Opened, BACKED_UP + LATER + 1, seconds=60)
        await hub.wait_for(Ticket.Solved, 4, seconds=60)
        self.numbers = [*old, *new, BACKED_UP + LATER + 1]
        for number in self.numbers:
            await hub.quiet(number)
        self.texts = {number: await self._texts(number) for number in self.numbers}
        await hub.rest()

    async def _after(self, people: People) -> None:
        """Life goes on there before we look: numbers are given a second time."""
        hub, numbers = self.hub, self.numbers
        strangers = [
            await people.open_for_others(f"Nothing to do with you {n}", "x") for n in range(2)
        ]
        wanted = await people.open_for_us("A new one after the restore")
        assert {*strangers, wanted} & set(self.lost.values()), "the trap is set"
        await people.write(self.theirs[self.old[8]], "Word after the restore.")

        hub.work()
        await hub.wait_for(Ticket.Opened, len(numbers) + 1, seconds=60)
        await hub.wait_for(Exchange.Unlinked, LATER, seconds=60)
        for number in self.lost:
            await hub.linked_to(number)
        await self._all_quiet()
        with by_test():
            await hub.parts.comparison.pages.compare(hub.partner, repair=True)
        await self._all_quiet()
        with by_test():
            page = await hub.parts.comparison.pages.compare(hub.partner, repair=False)
        assert page.diverging == []
        assert (page.compared, page.next) == (len(numbers) + 1, None)
        await self._agree(people, strangers, wanted)

    async def _agree(self, people: People, strangers: list[int], wanted: int) -> None:
        hub = self.hub
        for number in self.numbers:
            exchange = await hub.about(number)
            assert await people.bearing(f"{hub.name}-{number}") == [int(exchange.external_id)]
            over = (await hub.ledger.ticket(number)).status is Status.SOLVED
            assert await people.over(int(exchange.external_id)) is over
            assert exchange.diverged == {}
        for number in self.old[:4]:
            assert await people.said(self.theirs[number]) == [f"said after the backup: {number}"]
        for stranger in strangers:
            assert await people.bears(stranger) == ""
            assert await people.untouched(stranger, "x"), "nothing was written to others"
        # The word after the restore is new here; all else was here already.
        talked = self.old[8]
        assert await self._texts(talked) == [*self.texts[talked], "Word after the restore."]
        for number in set(self.numbers) - {talked}:
            assert await self._texts(number) == self.texts[number]
        assert len(await hub.events(Ticket.Solved)) == 4
        opened = await hub.events(Ticket.Opened)
        assert await hub.text(opened[-1].subject) == "A new one after the restore"
        assert len(opened) == len(self.numbers) + 1
        assert await people.bears(wanted) == f"{hub.name}-{len(opened)}"
        assert await hub.events(Exchange.Parked) == []

    async def _all_quiet(self) -> None:
        for number in self.numbers:
            await self.hub.quiet(number)

    async def _texts(self, number: int) -> list[str]:
        return [
            await self.hub.text(each.event.text)
            for each in await self.hub.ledger.history(number)
            if isinstance(each.event, Ticket.Commented)
        ]
