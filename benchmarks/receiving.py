"""What both halves of ``receive`` share: the partner, the exchange at work, and when it has done it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from adapters.kit.worker import ExchangeWorker
from adapters.store.engine import PostgresStore
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.formats import TOPICS
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.vocabulary import TPM

PARTNER: Final = "osg"
CONNECTIONS: Final = 16
MESSAGES: Final = 5
"""About each ticket: it is opened, then they comment."""
SETTLED: Final = """
    SELECT count(*) FILTER (WHERE topic = %b), count(*) FILTER (WHERE topic <> %b)
      FROM ledger.event WHERE position > %b AND topic = ANY(%b)
"""
_OTHER_OUTCOMES: Final = (Exchange.Ignored, Exchange.MessageRefused, Exchange.Parked)


class Receiver:
    """A hub that takes messages at ``port``."""

    def __init__(self, store: PostgresStore, worker: ExchangeWorker, port: int) -> None:
        self.store, self._worker, self.port = store, worker, port

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(self._worker.run(stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def settled(self, after: int, count: int) -> int:
        """Wait until so many messages have their outcome; how many of these were not applied."""
        applied = TOPICS[Exchange.Applied]
        topics = [applied, *(TOPICS[kind] for kind in _OTHER_OUTCOMES)]
        async with asyncio.timeout(120):
            while True:
                row = [applied, applied, after, topics]
                ((done, others),) = await self.store.rows(SETTLED, row)
                if done + others >= count:
                    return int(others)
                await asyncio.sleep(0.02)

    async def quiet(self) -> None:
        """Wait until the partner was answered, too: nobody else's figures are to bear that."""
        async with asyncio.timeout(120):
            head = -1
            while True:
                before, head = head, await self.store.head()
                if head == before == self._worker.position:
                    return
                await asyncio.sleep(0.2)


async def register(ledger: Ledger, adapter: str, *, address: str, sender: str = "") -> None:
    with acting(Provenance("rule:bench@1", random_id(), "bench")):
        unit = SupportUnit(named_id(SupportUnit.KIND, TPM))
        unit.register(TPM, kind=UnitKind.NGI)
        partner = Helpdesk(named_id(Helpdesk.KIND, PARTNER))
        partner.register(PARTNER, adapter, address=address, sender=sender)
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.LIVE)
    for each in (unit, partner):
        await ledger.save(each)
