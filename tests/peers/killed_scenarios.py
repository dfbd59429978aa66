"""Ours and two real helpdesks, all of which die without a word: a hub as a program of its own, and who works where."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from adapters.kit.polling import POLLED, PollerHealth
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.secrets import HelpdeskSecrets
from api.demo.peer import Peer
from api.demo.request_tracker import RequestTracker
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.exchange_scenarios import RULE, by_test
from tests.peers import redmine_scenarios, rt_scenarios
from tests.peers.peer_hub import prefix
from tests.peers.redmine_server import Redmine
from tests.serving import Served

UNIT_OF = {"rt": "ROC_DE", "redmine": "ROC_IT"}


class Federation:
    """Our ledger, seen from beside the hub's own process, which can be killed."""

    def __init__(self, store: PostgresStore, service: Served, peers: dict[str, Peer]) -> None:
        self.store, self.ledger = store, Ledger(store)
        self.service, self.peers = service, peers

    # -- blows ---------------------------------------------------------------------------------------

    def blows(self) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
        """How something ends and begins again, one after the other, round and round.

        In the thread of the tests, which lives on: a server ends with the thread that started it.
        """
        rt, redmine = self.peers["rt"], self.peers["redmine"]
        while True:
            yield rt.kill, rt.serve
            yield self.service.killed, self.service.start
            yield redmine.kill, redmine.serve
            yield rt.kill_database, rt.serve_database
            yield self.service.killed, self.service.start
            yield redmine.kill_database, redmine.serve_database

    # -- our people ----------------------------------------------------------------------------------

    async def open_ticket(self, unit: str, subject: str) -> int:
        with by_test():
            opening = c.OpenTicket(subject=subject, description=f"{subject} is broken.", unit=unit)
            return (await self.ledger.execute(opening, actor=RULE)).ticket.number

    async def execute(self, *commands: c.Command) -> None:
        with by_test():
            await self.ledger.execute(*commands, actor=RULE)

    async def solve(self, number: int, solution: str) -> None:
        if (await self.ledger.ticket(number)).status is not Status.IN_PROGRESS:
            await self.execute(c.StartWork(number=number))  # not every product does it by itself
        await self.execute(c.Solve(number=number, solution=solution))

    # -- waiting -------------------------------------------------------------------------------------

    async def exchange(self, partner: str, number: int) -> Exchange | None:
        stream = await self.store.holder(f"exchange:{partner}", str(number))
        return await self.ledger.load(Exchange, stream) if isinstance(stream, UUID) else None

    async def settled(self, partner: str, numbers: Sequence[int], seconds: float) -> list[Exchange]:
        """Wait until all that happened to these tickets is told, or decided not to be."""
        found = []
        async with asyncio.timeout(seconds):
            for number in numbers:
                last = (await self.ledger.history(number))[-1].position
                while (  # noqa: ASYNC110 - another process does it
                    (exchange := await self.exchange(partner, number)) is None
                    or exchange.messages
                    or exchange.decided_until < last
                    or not exchange.external_id
                ):
                    await asyncio.sleep(0.2)
                found.append(exchange)
        return found

    async def opened(self, subjects: Sequence[str], seconds: float) -> dict[str, int]:
        """Wait until there are tickets with these subjects; their numbers. Fails when one is there twice."""
        wanted, numbers, position = set(subjects), dict[str, int](), 0
        async with asyncio.timeout(seconds):
            while (page := await self.store.log(position, 1_000)) or wanted - numbers.keys():
                for recorded in page:
                    position = recorded.position
                    if isinstance(event := recorded.event, Ticket.Opened):
                        subject = await self.text(event.subject)
                        assert subject not in numbers, f"{subject} is there twice"
                        numbers[subject] = event.number
                await asyncio.sleep(0 if page else 0.1)
        return numbers

    async def in_state(self, status: Status, numbers: Sequence[int], seconds: float) -> None:
        async with asyncio.timeout(seconds):
            for number in numbers:
                while (await self.ledger.ticket(number)).status is not status:  # noqa: ASYNC110
                    await asyncio.sleep(0.2)

    async def asked(self, seconds: float = 120) -> None:
        """Wait until both partners have been asked for the first time: all after that is news."""
        checkpoints = Checkpoints(self.store)
        async with asyncio.timeout(seconds):
            while True:
                kept = await checkpoints.memories(POLLED)
                known = {n: msgspec.json.decode(m, type=PollerHealth) for n, m in kept.items()}
                if all(name in known and known[name].asked_at for name in UNIT_OF):
                    return
                await asyncio.sleep(0.1)

    # -- reading -------------------------------------------------------------------------------------

    async def text(self, sealed) -> str:
        return (await self.store.contents([sealed.id]))[sealed.id].text()

    async def comments(self, number: int) -> list[str]:
        return [
            await self.text(each.event.text)
            for each in await self.ledger.history(number)
            if isinstance(each.event, Ticket.Commented)
        ]

    async def said(self, number: int) -> set[str]:
        solution = (await self.ledger.ticket(number)).solution
        return {*(await self.comments(number)), *([await self.text(solution)] if solution else [])}

    async def parked(self) -> list[Exchange.Parked]:
        found, position = [], 0
        while page := await self.store.log(position, 1_000):
            position = page[-1].position
            found += [each.event for each in page if isinstance(each.event, Exchange.Parked)]
        return found


@asynccontextmanager
async def federation(
    folder: Path, database: str, tracker: RequestTracker, redmine: Redmine
) -> AsyncIterator[Federation]:
    """A hub with the partners ``rt`` (for ROC_DE) and ``redmine`` (for ROC_IT), both asked already."""
    settings = {
        "DATABASE_URL": database, "EXCHANGE": "1", "ALLOW_PRIVATE_PARTNERS": "1", "PARTNER_POLL_S": "0.5",
        "PREFIX": prefix(database),
    }  # fmt: skip
    async with await PostgresStore.open(database) as store:
        service = Served(folder, **settings)
        hub = Federation(store, service, {"rt": tracker, "redmine": redmine})
        rt_address = tracker.url.replace("://", "://bridge@") + "/?queue=ROC_DE&intake=To_GGUS"
        with by_test():
            for name in sorted({*rt_scenarios.UNITS, *redmine_scenarios.UNITS}):
                unit = SupportUnit(named_id(SupportUnit.KIND, name))
                unit.register(name, kind=UnitKind.NGI)
                await hub.ledger.save(unit)
            for name, address, secret in (
                ("rt", rt_address, tracker.passwords["bridge"]),
                ("redmine", redmine_scenarios.address_of(redmine.url), redmine.keys["bridge"]),
            ):
                await HelpdeskSecrets(store).keep(name, secret)
                partner = Helpdesk(named_id(Helpdesk.KIND, name))
                partner.register(name, name, [UNIT_OF[name]], address=address)
                partner.set_policy(Policy.FULL)
                partner.set_interface(InterfaceState.LIVE)
                await hub.ledger.save(partner)
        service.start()
        try:
            await hub.asked()
            yield hub
        finally:
            if service.process.poll() is None:
                service.killed()
