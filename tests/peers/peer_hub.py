"""A hub connected to one real helpdesk with an interface, and what tests ask of it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from adapters.kit.assembly import Installation, assemble
from adapters.kit.carriers import Connector
from adapters.kit.mail_out import NoMailOut
from adapters.kit.retry import Patience
from adapters.registry import ADAPTERS, CONNECTORS
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.secrets import HelpdeskSecrets
from adapters.store.wakeup import Wakeup
from adapters.tasks import end
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.ledger import Ledger
from tests.exchange_scenarios import Hub, by_test

QUICK = Patience(first_s=0.05, longest_s=0.5, attempts_max=200)


class PeerHub(Hub):
    partner = ""
    """Name of the helpdesk, and of its adapter."""
    name = ""
    """Stands before our numbers."""

    async def exchanged(self, number: int) -> Exchange:
        """The conversation about our ticket."""
        stream = await self.store.holder(f"exchange:{self.partner}", str(number))
        assert isinstance(stream, UUID)
        return await self.parts.conversations.load(stream)

    async def linked_to(self, number: int, seconds: float = 60) -> int:
        """Wait until their ticket for ours is known; its number."""
        async with asyncio.timeout(seconds):
            while True:
                if await self.store.holder(f"exchange:{self.partner}", str(number)):
                    exchange = await self.exchanged(number)
                    if exchange.external_id:
                        return int(exchange.external_id)
                await self.wakeup.wait(await self.store.head(), 0.1)

    async def set_interface(self, state: InterfaceState) -> None:
        partner = await self.ledger.load(Helpdesk, named_id(Helpdesk.KIND, self.partner))
        assert partner is not None
        with by_test():
            partner.set_interface(state)
            await self.ledger.save(partner)

    async def polled(self, seconds: float = 60) -> None:
        """Wait until the poller has its beginning."""
        pollers = self.parts.worker.pollers
        async with asyncio.timeout(seconds):
            while not (health := pollers.health.get(self.partner)) or not health.asked_at:
                await self.wakeup.wait(await self.store.head(), 0.1)

    async def quiet(self, number: int, seconds: float = 60) -> Exchange:
        """Wait until everything that happened to the ticket is told, or decided not to be."""
        last = (await self.ledger.history(number))[-1].position
        async with asyncio.timeout(seconds):
            while (
                exchange := await self.exchanged(number)
            ).messages or exchange.decided_until < last:
                await self.wakeup.wait(await self.store.head(), 0.1)
        return exchange


class LinkedInLog:
    """The linked tickets without a projection."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    async def page(self, helpdesk: str, after: UUID, limit: int) -> list[UUID]:
        opened = [
            each.event.originator_id
            for each in await self._store.log(0, 100_000)
            if isinstance(each.event, Exchange.Opened) and each.event.helpdesk == helpdesk
        ]
        return [each for each in sorted(opened) if each > after][:limit]

    async def helpdesks(self) -> list[str]:
        return []


def prefix(database: str) -> str:
    """What stands before our numbers: another one for each test, since all tests have one peer."""
    return "GGUS" + "".join(filter(str.isdigit, database.rpartition("dbname=")[2]))


@asynccontextmanager
async def peer_hub(
    database: str,
    partner: str,
    *,
    address: str,
    secret: str,
    units: Sequence[str],
    all_units: Sequence[str],
    policy: Policy = Policy.FULL,
    patience: Patience = QUICK,
    poll_every_s: float = 0.3,
    kind: type[PeerHub] = PeerHub,
    connectors: Mapping[str, Connector] = CONNECTORS,
) -> AsyncGenerator[PeerHub]:
    """A hub with a partner that has this adapter and works for ``units``. Nothing works before ``hub.work()``."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(await PostgresStore.open(database))
        wakeup = await stack.enter_async_context(Wakeup(database))
        ledger = Ledger(store)
        secrets = HelpdeskSecrets(store)
        parts = assemble(
            ledger,
            adapters=ADAPTERS,
            installation=Installation(
                name=prefix(database),
                mail_domain="hub.test",
                page="https://hub.test/tickets/{number}",
            ),
            transport=NoMailOut(),
            wakeup=wakeup,
            checkpoints=Checkpoints(store),
            patience=patience,
            connectors=connectors,
            secrets=secrets,
            allow_private=True,
            poll_every_s=poll_every_s,
            linked=LinkedInLog(store),
            confirm_s=1,
        )
        stack.push_async_callback(parts.carriers.close)
        if await store.head() == 0:
            await secrets.keep(partner, secret)
            with by_test():
                for name in all_units:
                    unit = SupportUnit(named_id(SupportUnit.KIND, name))
                    unit.register(name, kind=UnitKind.NGI)
                    await ledger.save(unit)
                helpdesk = Helpdesk(named_id(Helpdesk.KIND, partner))
                helpdesk.register(partner, partner, units, address=address)
                helpdesk.set_policy(policy)
                helpdesk.set_interface(InterfaceState.LIVE)
                await ledger.save(helpdesk)
        running = kind(store, ledger, parts, wakeup, 0, asyncio.Event())
        running.partner, running.name = partner, prefix(database)
        try:
            yield running
        finally:
            await end(*running.tasks)
