"""Conversations that are read from the store while others write: what is overtaken is not kept."""

import asyncio
from uuid import UUID

import pytest

from adapters.kit.conversations import Conversations
from adapters.store.memory import MemoryStore
from domain.exchange import Exchange
from domain.identifiers import random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.store import Recorded


class SlowStore(MemoryStore):
    """The first answer is long on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = asyncio.Event()
        self.arrives: asyncio.Event | None = None

    async def stream(self, originator_id: UUID, **more: int | None) -> list[Recorded]:
        found = await super().stream(originator_id, **more)
        if self.arrives is not None:
            arrives, self.arrives = self.arrives, None
            self.slow.set()
            await arrives.wait()
        return found


def _decide(exchange: Exchange) -> None:
    exchange.decide_dispatch(exchange.version, "opening@1", b"the ticket", "text/plain")


@pytest.mark.parametrize("known", [True, False], ids=["written here", "told by the log alone"])
async def test_a_reading_that_was_overtaken_is_not_taken_for_what_is_stored(known: bool):
    """Who follows the log took it so, and told the partner nothing of the next change: as if all were to begin."""
    store = SlowStore()
    here, elsewhere = (Conversations(Ledger(store), {}, _no_place) for _ in range(2))
    exchange = Exchange(random_id())
    with acting(Provenance("rule:exchange@1", random_id(), "test")):
        exchange.open("osg", 1)
        await elsewhere.save(exchange)
        store.arrives = arrives = asyncio.Event()
        reading = asyncio.create_task(here.load(exchange.id))
        await store.slow.wait()
        await (here if known else elsewhere).change(exchange.id, _decide)
    here.recent.follow(exchange.id, 2)
    if known:
        here.recent.forget(exchange.id)  # such as after an attempt that came to nothing
    arrives.set()
    assert (await reading).version == 1
    assert (await here.kept_or_load(exchange.id)).version == 2


def _no_place(_: object) -> None:
    raise AssertionError("nobody is told here")
