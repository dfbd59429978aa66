"""A partner neither touches nor learns of a ticket that is exchanged with another: all adapters, all recorded messages.

Every recorded message that a partner may send is sent by a second partner, where ticket 17 is the first one's,
where it is nobody's, and where there is none. What becomes of it must be the same each time.
"""

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from adapters.kit.assembly import ExchangeParts, Installation, assemble
from adapters.kit.contract import Reading
from adapters.kit.hops import as_for_us
from adapters.kit.mail_door import NotTaken
from adapters.kit.sharing import of_conversation, shared
from adapters.registry import ADAPTERS, CONNECTORS
from adapters.store.memory import MemoryStore
from domain.clock import using
from domain.content import Sealed, SealedFile
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id, ticket_id
from domain.ledger import Ledger
from domain.ticket import Ticket
from tests.contract.test_adapters import AT, NUMBER, examples, ticket_after
from tests.exchange_scenarios import by_test

OWN = 5
"""A ticket that is exchanged with the second partner."""
SENDER = "machine@second.test"


class _Nothing:
    """Nothing leaves, and nothing is remembered."""

    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:
        raise AssertionError

    async def load(self, _: str) -> tuple[int, bytes]:
        return 0, b""

    async def save(self, name: str, position: int, memory: bytes) -> None: ...


class World:
    """A ledger with two partners of one kind."""

    def __init__(self, adapter: str) -> None:
        self.store = MemoryStore()
        self.ledger = Ledger(self.store)
        nothing = _Nothing()
        self.parts: ExchangeParts = assemble(
            self.ledger,
            adapters=ADAPTERS,
            installation=Installation(name="GGUS", mail_domain="ggus.test"),
            transport=nothing,
            wakeup=self.store,
            checkpoints=nothing,
        )
        self.partners = {}
        for name in ("first", "second"):
            partner = self.partners[name] = Helpdesk(named_id(Helpdesk.KIND, name))
            unit = "ROC_US" if name == "first" else "NGI_IT"
            partner.register(
                name, adapter, [unit], address=f"machine@{name}.test", sender=f"machine@{name}.test"
            )
            partner.set_policy(Policy.FULL)
            partner.set_interface(InterfaceState.LIVE)

    async def build(self, *, first: str | None, foreign: bool, own: str | None) -> None:
        """``first``: the identifier under which the first partner has ticket 17; None where it has not.

        ``foreign``: whether there is a ticket 17 at all. ``own``: the second partner's identifier of ticket 5.
        """
        await self.ledger.save(*self.partners.values())
        if foreign:
            await self.ledger.save(ticket_after(["assign:ROC_US"]))
        if first is not None:
            await self.ledger.save(_exchange("first", NUMBER, first))
        if own is not None:
            ticket = Ticket(ticket_id(OWN))
            ticket.open(OWN, subject="Their own", description="Theirs.")
            await self.ledger.save(ticket)
            await self.ledger.save(_exchange("second", OWN, own))
        self.before = await self.store.head()

    async def take(self, raw: bytes, *, by_mail: bool) -> list[Any]:
        """Let the second partner send it: all that is kept and done because of it, without what is random."""
        partner = self.partners["second"]
        try:
            if by_mail:
                received = await self.parts.mail_door.take(SENDER, "second@ggus.test", raw)
            else:
                received = await self.parts.inbox.receive(partner, raw, "message-1")
        except NotTaken as refusal:
            return [refusal.code, str(refusal)]
        assert received is not None
        await self.parts.inbox.apply(received.exchange)
        return [_plain(each.event) for each in await self.store.log(self.before, 100)]

    async def is_left_alone(self) -> None:
        for each in await self.store.log(self.before, 100):
            assert each.event.originator_id != ticket_id(NUMBER), each.event
        assert await self.store.holder("exchange:second", str(NUMBER)) is None


def _exchange(helpdesk: str, number: int, external_id: str) -> Exchange:
    exchange = Exchange(random_id())
    exchange.open(helpdesk, number, external_id=external_id, link_key=external_id)
    return exchange


def _plain(event: Any) -> dict[str, Any]:
    """What an event says, apart from identifiers, salts and commitments."""
    said = {
        name: value
        for name in event.__struct_fields__
        if not isinstance(value := getattr(event, name), Sealed | SealedFile)
        and name not in ("originator_id", "occurred_at", "provenance", "submitter")
    }
    return {"is": type(event).__name__, **msgspec.to_builtins(said)}


def reading_of(adapter: str, path: Path) -> Reading:
    try:
        found = ADAPTERS[adapter].read(path.read_bytes())
    except Exception:  # noqa: BLE001 - recorded garbage: of every kind
        return Reading()
    return as_for_us(found, "GGUS") if isinstance(found, Reading) else Reading()


@pytest.mark.parametrize(
    "knows_own", [False, True], ids=["a stranger", "a partner in another ticket"]
)
@pytest.mark.parametrize(("adapter", "path"), examples("in"))
async def test_what_another_partner_sends_about_a_ticket_is_as_if_there_were_none(
    adapter: str, path: Path, knows_own: bool
):
    theirs, raw = reading_of(adapter, path).external_id, path.read_bytes()  # noqa: ASYNC240
    by_mail = adapter not in CONNECTORS
    outcomes = []
    with using(lambda: AT), by_test():
        for foreign, first in ((True, theirs or "4711"), (True, None), (False, None)):
            world = World(adapter)
            await world.build(
                first=first, foreign=foreign, own=(theirs or "0815") if knows_own else None
            )
            outcomes.append(await world.take(raw, by_mail=by_mail))
            await world.is_left_alone()
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_partner_looks_at_no_ticket_but_those_that_are_exchanged_with_it(adapter: str):
    with using(lambda: AT), by_test():
        world = World(adapter)
        await world.build(first="4711", foreign=True, own="0815")
        conversations = world.parts.conversations
        second = world.partners["second"]
        for name in ("GGUS-17", "ggus-17", "17", "4711", "GGUS-999", "0815 #2", "GGUS-05", ""):
            assert await shared(conversations, second, name) is None, name
        for name in (f"GGUS-{OWN}", "0815"):
            found = await shared(conversations, second, name)
            assert found is not None
            assert (found.asked, found.id, found.yours) == (name, f"GGUS-{OWN}", "0815")
            assert await shared(conversations, world.partners["first"], name) is None
        theirs = await world.store.holder("exchange:first", str(NUMBER))
        assert isinstance(theirs, UUID)
        assert await of_conversation(conversations, second, theirs) is None


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_among_the_recorded_messages_of_each_adapter_are_some_that_name_the_ticket(adapter: str):
    paths = [each.values[1] for each in examples("in") if each.values[0] == adapter]
    assert any(reading_of(adapter, path).number == NUMBER for path in paths)
