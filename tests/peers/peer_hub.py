"""A hub connected to one real helpdesk with an interface, and what tests ask of it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager

from adapters.kit.interface import Connector
from adapters.kit.retry import Patience
from adapters.registry import ADAPTERS, CONNECTORS
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.exchange_scenarios import by_test
from tests.interface_hub import LONG_S, QUICK, InterfaceHub, interface_hub, live_partner


class PeerHub(InterfaceHub):
    """The partner has the name of its adapter."""

    name = ""
    """Stands before our numbers."""

    async def linked_to(self, number: int, seconds: float = LONG_S) -> int:
        """Wait until their ticket for ours is known; its number."""
        return int(await super().linked_to(number, seconds))

    async def set_interface(self, state: InterfaceState) -> None:
        partner = await self.ledger.load(Helpdesk, named_id(Helpdesk.KIND, self.partner))
        assert partner is not None
        with by_test():
            partner.set_interface(state)
            await self.ledger.save(partner)


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
    helpdesk = live_partner(partner, ADAPTERS[partner], units, address, policy)
    async with interface_hub(
        kind, database, helpdesk, secret, units=all_units, adapters=ADAPTERS, connectors=connectors,
        name=prefix(database), patience=patience, poll_every_s=poll_every_s, confirm_s=1,
    ) as running:  # fmt: skip
        running.name = prefix(database)
        yield running
