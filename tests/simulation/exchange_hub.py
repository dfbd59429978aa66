"""One hub of a simulated federation: the whole kit over a store that can crash it at any of its steps."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from adapters.kit.assembly import ExchangeParts, Installation, assemble
from adapters.kit.doorkeeping import OpenDoors
from adapters.kit.inbox import Inbox, Received
from adapters.kit.mail_door import NotTaken
from adapters.kit.reply_addresses import SigningKey
from adapters.kit.retry import Patience, Undelivered
from adapters.registry import ADAPTERS
from adapters.store.memory import MemoryStore
from api.webhooks import WebhookDoor
from domain import clock
from domain.directory import SupportUnit, UnitKind
from domain.errors import StoreUnavailable
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.store import Recorded
from tests.simulation.exchange_feeds import HubFeeds
from tests.simulation.exchange_wires import REFUSALS

USER = Actor.rule("user@1")
PATIENCE = Patience(first_s=2, longest_s=120, attempts_max=8)
BEGINNING = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
PER_S_MAX = 5.0
"""Messages of one partner: ten times as many for a moment."""
_STEPS = (
    "append", "stream", "log", "head", "holder", "contents", "answer", "next_number",
    "next_numbers", "erase",
)  # fmt: skip


class Life:
    """A store as one life of the hub sees it: with its death every call in it ends nowhere."""

    def __init__(self, memory: MemoryStore, step: Callable[[], Awaitable[None]]) -> None:
        self._memory = memory
        for name in _STEPS:
            setattr(self, name, self._between_steps(getattr(memory, name), step))

    @staticmethod
    def _between_steps(call, step):
        async def stepped(*given, **more):
            await step()
            answer = await call(*given, **more)
            await step()
            return answer

        return stepped

    async def wait(self, after: int, timeout: float) -> int:  # noqa: ASYNC109
        # Nothing but its own log wakes a hub here: it need not look every second.
        return await self._memory.wait(after, timeout * 30)


def _in_one_step_or_two(inbox: Inbox, chance: Random) -> None:
    """Keep some messages alone, as if something stood in the way: then a crash may lie before their effect."""
    take, receive = inbox.take, inbox.receive

    async def taken(*what: Any, **more: Any) -> Received | None:
        return await (take if chance.random() < 0.7 else receive)(*what, **more)

    inbox.take = taken


class Hub:
    def __init__(self, name: str, world, *, skew: timedelta) -> None:
        self.name, self.world, self.skew = name, world, skew
        self.prefix = 2 * name
        """Before its ticket numbers."""
        self.domain = f"{name.lower()}.test"
        self.memory = MemoryStore()
        self.saved: dict[str, list[tuple[int, bytes]]] = {}
        """Checkpoints: all there ever were."""
        self.wrong_clock = timedelta()
        """How much more it is wrong for a while."""
        self.parts: ExchangeParts | None = None
        self.lives = 0
        self.crash_in = 0
        """Steps of the store until the next crash; 0 for none."""
        self.read: list[Recorded] = []
        self.feeds = HubFeeds(self, Random(f"feeds of {name} {world.rng.random()}"))
        self._tasks: dict[asyncio.Task, None] = {}

    def _clock(self) -> datetime:
        return BEGINNING + self.skew + self.wrong_clock + timedelta(seconds=self.world.loop.time())

    # -- lives ---------------------------------------------------------------------------------------

    def live(self) -> None:
        """Begin a new life with what the store holds."""
        self.lives += 1
        life = self.lives

        async def step() -> None:
            if self.world.slow_steps:
                await asyncio.sleep(self.world.rng.choice((0, 0, 0, 0.001, 0.02)))
            if life == self.lives and self.crash_in:
                self.crash_in -= 1
                if not self.crash_in:
                    self.die()
            if life != self.lives or self.parts is None:
                await asyncio.get_running_loop().create_future()

        store: Any = Life(self.memory, step)
        self.ledger = Ledger(store)
        self.parts = assemble(
            self.ledger,
            adapters={**ADAPTERS, **self.world.adapters},
            installation=Installation(name=self.prefix, mail_domain=self.domain),
            transport=self,
            wakeup=store,
            checkpoints=self,
            patience=PATIENCE,
            connectors=self.world.connectors,
            secrets=self,
            allow_private=True,
            reply_keys=self._keys,
            poll_every_s=60,
        )
        self.door = WebhookDoor(self.parts, self, OpenDoors(), per_s_max=PER_S_MAX)
        _in_one_step_or_two(self.parts.inbox, Random(f"{self.name} {life}"))
        self.spawn(self.parts.worker.run(asyncio.Event()))
        if self.world.kinds:
            self.feeds.live(store, step, PATIENCE)

    def die(self) -> None:
        """Fall over, and get up again some time later."""
        self.world.crashes += 1
        self.lives += 1
        self.parts = None
        if self.world.happens(0.2):
            self._forget()
        tasks, self._tasks = list(self._tasks), {}
        loop = asyncio.get_running_loop()
        for task in tasks:
            loop.call_soon(task.cancel)
            loop.call_later(0.001, task.cancel)
        loop.call_later(self.world.rng.uniform(1, 300), self.live)

    def spawn(self, coroutine: Coroutine) -> asyncio.Task:
        """A task on the hub's own clock that ends with its life."""

        async def on_our_clock() -> Any:
            with clock.using(self._clock):
                return await coroutine

        loop = asyncio.get_running_loop()
        task = loop.create_task(on_our_clock(), context=contextvars.Context())
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    async def load(self, name: str) -> tuple[int, bytes]:
        return self.saved.get(name, [(0, b"")])[-1]

    async def save(self, name: str, position: int, memory: bytes) -> None:
        self.saved.setdefault(name, [(0, b"")]).append((position, memory))

    def _forget(self) -> None:
        """An earlier checkpoint is what is left: of what was done since, the log alone knows."""
        for saved in self.saved.values():
            del saved[self.world.rng.randint(1, len(saved)) :]

    async def _keys(self) -> list[SigningKey]:
        return [SigningKey(self.name.encode())]

    async def secret(self, helpdesk: str) -> str:
        return self.world.keys.secret(self.name, helpdesk.upper())

    # -- what comes ----------------------------------------------------------------------------------

    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:
        return await self.world.carry(raw, sender, recipient)

    async def take(self, raw: bytes, sender: str, recipient: str) -> str:
        """As its mail server. Raises ``Undelivered``."""
        if self.parts is None:
            raise Undelivered("not-reached", "nobody answers", final=False)
        try:
            received = await self._answer(self.parts.mail_door.take(sender, recipient, raw))
        except NotTaken as refusal:
            raise Undelivered("smtp", str(refusal), final=not refusal.later) from refusal
        except StoreUnavailable as error:
            raise Undelivered("smtp-451", str(error), final=False) from error
        if received is None:
            return "had it before"
        self.parts.worker.stir(received)
        return "kept"

    async def take_event(self, helpdesk: str, headers: Mapping[str, str], body: bytes) -> int:
        """As its web server: the status. Raises ``Undelivered``."""
        if self.parts is None:
            raise Undelivered("not-reached", "nobody answers", final=False)
        try:
            received = await self._answer(self.door.take(helpdesk, "/events", headers, body))
        except tuple(REFUSALS) as refusal:
            return next(status for kind, status in REFUSALS.items() if isinstance(refusal, kind))
        return 204 if received is None else 202

    async def _answer(self, coroutine: Coroutine) -> Any:
        """Of a door. Raises ``Undelivered``."""
        task = self.spawn(coroutine)
        await asyncio.wait([task])
        if task.cancelled() or self.parts is None:
            raise Undelivered("not-reached", "it fell over meanwhile", final=False)
        return task.result()

    # -- people --------------------------------------------------------------------------------------

    async def do(self, *commands) -> Any:
        """What a user asks for, as a task of this life; None when it fell over meanwhile."""
        if self.parts is None:
            return None
        task = self.spawn(self._execute(*commands))
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    async def _execute(self, *commands) -> Any:
        with acting(Provenance(USER.name, random_id(), "simulation")):
            return await self.ledger.execute(*commands, actor=USER)

    @property
    def idle(self) -> bool:
        """Whether it is alive and nothing waits in it."""
        return self.parts is not None and not self.parts.worker._waiting()

    async def resume(self, stream: UUID, reference: int) -> None:
        assert self.parts is not None

        async def operate() -> None:
            with acting(Provenance(USER.name, random_id(), "simulation")):
                await self.parts.conversations.change(
                    stream, lambda found: found.resume(reference, skip=False)
                )

        await self.spawn(operate())

    async def send_by_hand(self, number: int, helpdesk: str) -> None:
        assert self.parts is not None
        by_hand = self.parts.by_hand

        async def operate() -> None:
            with acting(Provenance(USER.name, random_id(), "simulation")):
                await by_hand.send(USER, number, helpdesk)

        await self.spawn(operate())

    async def register(self, units: list[str], partners: list[Helpdesk | tuple]) -> None:
        """Written past the lives: the directory is not what is simulated."""
        policy = Policy.CLOSING_ONLY if self.world.closing_only else Policy.FULL
        ledger = Ledger(self.memory)
        with acting(Provenance(USER.name, random_id(), "simulation")):
            for name in units:
                unit = SupportUnit(named_id(SupportUnit.KIND, name))
                unit.register(name, kind=UnitKind.NGI)
                await ledger.save(unit)
            for name, adapter, theirs, address, sender in partners:
                helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
                helpdesk.register(name, adapter, theirs, address=address, sender=sender)
                helpdesk.set_policy(policy)
                helpdesk.set_interface(InterfaceState.LIVE)
                await ledger.save(helpdesk)
