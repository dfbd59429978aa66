"""A hub that is connected to one helpdesk with an interface, real or a stand-in, and what tests ask of it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar
from uuid import UUID

from adapters.kit.assembly import Installation, assemble
from adapters.kit.contract import Adapter
from adapters.kit.interface import Connector
from adapters.kit.mail_out import NoMailOut
from adapters.kit.retry import Patience
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
from domain.words import Tables
from tests.exchange_scenarios import Hub, by_test

QUICK = Patience(first_s=0.05, longest_s=0.5, attempts_max=200)
LONG_S = 60


class InterfaceHub(Hub):
    partner = ""
    """Name of the helpdesk."""

    async def about(self, number: int) -> Exchange:
        """The conversation about our ticket."""
        stream = await self.store.holder(f"exchange:{self.partner}", str(number))
        assert isinstance(stream, UUID)
        return await self.parts.conversations.load(stream)

    async def linked_to(self, number: int, seconds: float = LONG_S) -> str:
        """Wait until their ticket for ours is known; its identifier."""
        async with asyncio.timeout(seconds):
            while True:
                if await self.store.holder(f"exchange:{self.partner}", str(number)):
                    exchange = await self.about(number)
                    if exchange.external_id:
                        return exchange.external_id
                await self.wakeup.wait(await self.store.head(), 0.1)

    async def polled(self, seconds: float = LONG_S) -> None:
        """Wait until the poller has its beginning."""
        pollers = self.parts.worker.pollers
        async with asyncio.timeout(seconds):
            while not (health := pollers.health.get(self.partner)) or not health.asked_at:
                await self.wakeup.wait(await self.store.head(), 0.1)

    async def quiet(self, number: int, seconds: float = LONG_S) -> Exchange:
        """Wait until everything that happened to the ticket is told, or decided not to be."""
        last = (await self.ledger.history(number))[-1].position
        async with asyncio.timeout(seconds):
            while (exchange := await self.about(number)).messages or exchange.decided_until < last:
                await self.wakeup.wait(await self.store.head(), 0.1)
        return exchange


HubT = TypeVar("HubT", bound=InterfaceHub)


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


@asynccontextmanager
async def interface_hub(
    kind: type[HubT],
    database: str,
    partner: Helpdesk,
    secret: str,
    *,
    units: Sequence[str],
    adapters: Mapping[str, Adapter],
    connectors: Mapping[str, Connector],
    name: str,
    patience: Patience,
    poll_every_s: float,
    confirm_s: float,
) -> AsyncGenerator[HubT]:
    """Nothing works before ``hub.work()``.

    ``partner``: registered, and not stored yet. ``name``: stands before our numbers.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(await PostgresStore.open(database))
        wakeup = await stack.enter_async_context(Wakeup(database))
        ledger = Ledger(store)
        secrets = HelpdeskSecrets(store)
        parts = assemble(
            ledger,
            adapters=adapters,
            installation=Installation(
                name=name, mail_domain="hub.test", page="https://hub.test/tickets/{number}"
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
            confirm_s=confirm_s,
        )
        stack.push_async_callback(parts.carriers.close)
        if await store.head() == 0:
            await secrets.keep(partner.name, secret)
            with by_test():
                for each in units:
                    unit = SupportUnit(named_id(SupportUnit.KIND, each))
                    unit.register(each, kind=UnitKind.NGI)
                    await ledger.save(unit)
                await ledger.save(partner)
        running = kind(store, ledger, parts, wakeup, 0, asyncio.Event())
        running.partner = partner.name
        try:
            yield running
        finally:
            await end(*running.tasks)


def live_partner(
    name: str,
    adapter: Adapter,
    units: Sequence[str],
    address: str,
    policy: Policy,
    tables: Tables | None = None,
) -> Helpdesk:
    """Works for these units. ``tables`` are its own, instead of those of its adapter."""
    helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
    with by_test():
        helpdesk.register(name, adapter.name, units, address=address)
        helpdesk.set_policy(policy)
        if tables:
            helpdesk.publish_mapping(adapter.mapping, tables)
        helpdesk.set_interface(InterfaceState.LIVE)
    return helpdesk
