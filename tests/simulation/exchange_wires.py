"""What lies between helpdesks: ways on which messages are lost, doubled and late, and webhooks with keys that change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from adapters.helpdesks.webhook.message import STRUCTURED
from adapters.kit.contract import Unreadable
from adapters.kit.doorkeeping import Shut
from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Delivery,
    shown_secret,
    signatures,
)
from api.webhooks import IdReused, Stranger, TooMany
from domain import clock
from domain.errors import StoreUnavailable

AnswerT = TypeVar("AnswerT")

REFUSALS: dict[type[Exception], int] = {
    Stranger: 401, IdReused: 409, Unreadable: 422, TooMany: 429, Shut: 503, StoreUnavailable: 503,
}  # fmt: skip


class Way:
    """As bad as a network can be, as often as the world wants it."""

    def __init__(self, world) -> None:
        self.world = world

    async def go(
        self, busy: str, arrive: Callable[[], Awaitable[AnswerT]], *, twice: bool = True
    ) -> AnswerT:
        """Let something arrive: once, ``twice``, late, or not at all. Raises ``Undelivered``."""
        world = self.world
        world.carried += 1
        await asyncio.sleep(world.rng.uniform(0.01, 3))
        if world.happens(0.1):
            raise Undelivered("not-reached", "no connection", final=False)
        if world.happens(0.05):
            raise Undelivered(busy, "later", final=False)
        if world.happens(0.1) and twice:
            self._later(arrive)
        if world.happens(0.05):
            if twice:
                self._later(arrive)
            await asyncio.sleep(15)
            raise Undelivered("slow", "it is still under way", final=False)
        answer = await arrive()
        await asyncio.sleep(world.rng.uniform(0.01, 1))
        if world.happens(0.1):
            raise Undelivered("not-reached", "connection lost before the answer", final=False)
        if world.happens(0.05):
            raise Undelivered("http-500", "it failed, after it had acted", final=False)
        return answer

    def _later(self, arrive: Callable[[], Awaitable[object]]) -> None:
        async def arriving() -> None:
            await asyncio.sleep(self.world.rng.expovariate(1 / 1800))
            try:
                await arrive()
            except Undelivered:
                return

        self.world.late(arriving())


class Posting:
    """Signed posts from one hub to another's door."""

    def __init__(self, world) -> None:
        self._world = world

    async def send(self, url: str, delivery: Delivery, keys: Sequence[bytes]) -> None:
        stamp = int(clock.now().timestamp())
        headers = {
            "content-type": STRUCTURED,
            ID_HEADER: delivery.id,
            TIMESTAMP_HEADER: str(stamp),
            SIGNATURE_HEADER: signatures(keys, delivery.id, stamp, delivery.body),
        }

        async def arrive() -> int:
            return await self._world.at_door(url, headers, delivery.body)

        status = await self._world.way.go("http-503", arrive)
        Answer(status, {}, b"").must_succeed()

    async def close(self) -> None:
        """There is no connection."""


def place(url: str) -> tuple[str, str]:
    """Which host is posted to, and about which partner."""
    parts = urlsplit(url)
    return parts.netloc, parts.path.strip("/")


class Keys:
    """Who signs with what, and what the other side accepts."""

    def __init__(self, world) -> None:
        self._world = world
        self._signs: dict[tuple[str, str], str] = {}
        self._accepted: dict[tuple[str, str], list[str]] = {}
        self._changing: set[tuple[str, str]] = set()

    def agree(self, sender: str, receiver: str) -> None:
        self._signs[sender, receiver] = key = self._new()
        self._accepted[sender, receiver] = [key]

    def secret(self, hub: str, partner: str) -> str:
        """As the operators of ``hub`` keep it."""
        incoming = [f"in:{key}" for key in self._accepted.get((partner, hub), [])]
        outgoing = self._signs.get((hub, partner))
        return " ".join([*incoming, *([f"out:{outgoing}"] if outgoing else [])])

    async def change_one(self) -> None:
        """One key becomes another, in the order in which it should, or the other way round for a while."""
        rng = self._world.rng
        way = rng.choice(sorted(self._signs))
        if way in self._changing:
            return
        self._changing.add(way)
        before, after = self._accepted[way], self._new()
        careful = rng.random() < 0.7
        self._accepted[way] = [after, *before] if careful else before
        await asyncio.sleep(rng.uniform(1, 300))
        self._signs[way] = after
        await asyncio.sleep(rng.uniform(1, 600))
        self._accepted[way] = [after]
        self._changing.discard(way)

    def _new(self) -> str:
        secret: bytes = self._world.rng.randbytes(24)
        return shown_secret(secret)
