"""What the tests with stand-ins of helpdesks share: a hub that is connected to one of them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from adapters.kit.contract import Adapter
from adapters.kit.interface import Connector
from adapters.registry import ADAPTERS
from domain.helpdesk import Policy
from domain.words import Tables
from tests.interface_hub import LONG_S, QUICK, InterfaceHub, interface_hub, live_partner

UNITS = ("TPM", "NGI_DE", "ROC_DE", "ROC_IT")
DESK = "desk"


class DeskHub(InterfaceHub):
    """With one partner, named ``desk``."""

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
    helpdesk = live_partner(DESK, adapter, ["ROC_DE", "ROC_IT"], address, policy, tables)
    async with interface_hub(
        DeskHub, database, helpdesk, secret, units=UNITS,
        adapters={**ADAPTERS, adapter.name: adapter}, connectors={adapter.name: connector},
        name=name, patience=QUICK, poll_every_s=poll_every_s, confirm_s=0.5,
    ) as running:  # fmt: skip
        yield running
