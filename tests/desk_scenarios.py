"""What the tests with stand-ins of helpdesks share: a hub that is connected to one of them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

from adapters.kit.assembly import Installation, assemble
from adapters.kit.carriers import Connector
from adapters.kit.contract import Adapter
from adapters.kit.mail_out import NoMailOut
from adapters.kit.retry import Patience
from adapters.registry import ADAPTERS
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
from tests.peers.peer_hub import LinkedInLog

UNITS = ("TPM", "NGI_DE", "ROC_DE", "ROC_IT")
QUICK = Patience(first_s=0.05, longest_s=0.5, attempts_max=200)
DESK = "desk"
LONG_S = 60


class DeskHub(Hub):
    """With one partner, named ``desk``."""

    async def about(self, number: int) -> Exchange:
        stream = await self.store.holder(f"exchange:{DESK}", str(number))
        assert isinstance(stream, UUID)
        return await self.parts.conversations.load(stream)

    async def linked_to(self, number: int) -> str:
        """Wait until their ticket for ours is known; its identifier."""
        async with asyncio.timeout(LONG_S):
            while True:
                if await self.store.holder(f"exchange:{DESK}", str(number)):
                    exchange = await self.about(number)
                    if exchange.external_id:
                        return exchange.external_id
                await self.wakeup.wait(await self.store.head(), 0.1)

    async def polled(self) -> None:
        """Wait until the poller has its beginning."""
        async with asyncio.timeout(LONG_S):
            while not (health := self.parts.worker.pollers.health.get(DESK)) or not health.asked_at:
                await self.wakeup.wait(await self.store.head(), 0.1)

    async def quiet(self, number: int) -> Exchange:
        """Wait until everything that happened to the ticket is told, or decided not to be."""
        last = (await self.ledger.history(number))[-1].position
        async with asyncio.timeout(LONG_S):
            while (exchange := await self.about(number)).messages or exchange.decided_until < last:
                await self.wakeup.wait(await self.store.head(), 0.1)
        return exchange

    async def heard(self, kind: type, count: int = 1) -> list:
        return await self.wait_for(kind, count, seconds=LONG_S)


@asynccontextmanager
async def desk_hub(
    database: str,
    adapter: Adapter,
    connector: Connector,
    address: str,
    secret: str,
    *,
    policy: Policy = Policy.FULL,
    poll_every_s: float = 0.2,
    name: str = "GGUS",
    tables: Tables | None = None,
) -> AsyncGenerator[DeskHub]:
    """A hub with a partner that works for ROC_DE and ROC_IT. Nothing works before ``hub.work()``.

    ``tables`` are the partner's own, instead of those of its adapter.
    """
    adapters: Mapping[str, Adapter] = {**ADAPTERS, adapter.name: adapter}
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
            patience=QUICK,
            connectors={adapter.name: connector},
            secrets=secrets,
            allow_private=True,
            poll_every_s=poll_every_s,
            linked=LinkedInLog(store),
            confirm_s=0.5,
        )
        stack.push_async_callback(parts.carriers.close)
        if await store.head() == 0:
            await secrets.keep(DESK, secret)
            await _register(ledger, policy, adapter, address, tables)
        running = DeskHub(store, ledger, parts, wakeup, 0, asyncio.Event())
        try:
            yield running
        finally:
            await end(*running.tasks)


async def _register(
    ledger: Ledger, policy: Policy, adapter: Adapter, address: str, tables: Tables | None
) -> None:
    with by_test():
        for name in UNITS:
            unit = SupportUnit(named_id(SupportUnit.KIND, name))
            unit.register(name, kind=UnitKind.NGI)
            await ledger.save(unit)
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, DESK))
        helpdesk.register(DESK, adapter.name, ["ROC_DE", "ROC_IT"], address=address)
        helpdesk.set_policy(policy)
        if tables:
            helpdesk.publish_mapping(adapter.mapping, tables)
        helpdesk.set_interface(InterfaceState.LIVE)
        await ledger.save(helpdesk)
