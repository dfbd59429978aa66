"""A partner is down while much is said that it should hear: through the service as it runs, and the real store.

TICKETLEDGER_BACKLOG_UPDATES says how many updates wait for it. With 100,000 it takes a good while.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from uuid import UUID

import msgspec
import psutil
import pytest

from adapters.helpdesks.webhook.message import STRUCTURED, Message, written
from adapters.kit.progress import Progress
from adapters.kit.webhook import ID_HEADER
from adapters.kit.worker import NAME
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.secrets import HelpdeskSecrets
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor
from tests.serving import Served

UPDATES = int(os.environ.get("TICKETLEDGER_BACKLOG_UPDATES", "3000"))
TICKETS = 10
"""With updates that the service itself decides on; the others are written into the log as if it had."""
OF_EACH = 10
"""Updates of one ticket."""
AT_ONCE = 8
"""Conversations that are written at a time, and messages that may be on their way at a kill."""
MEMORY_MAX = 150_000_000
"""Bytes that waiting and draining may cost, however much waits."""
ATTEMPTS_MAX = 40
"""At a partner that is down, in the minutes of this test; there are thousands of messages."""
PATIENCE_S = 120 + UPDATES / 20
KEY = "whsec_dGhpcyBpcyBhIGtleSBvZiB0aGUgdGVzdHM="
RULE = Actor.rule("test@1")
UNITS = {"down": "ROC_DOWN", "fine": "ROC_FINE"}


class Desk:
    """A partner that takes webhooks, or ends every connection as soon as it is made."""

    def __init__(self) -> None:
        self.up = True
        self.taken: list[str] = []
        self.attempts = 0
        self.port = 0
        self._grown = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                self.attempts += 1
                if not self.up:
                    break
                length = next(x for x in head.split("\r\n") if x.startswith("content-length:"))
                body = await reader.readexactly(int(length.partition(":")[2]))
                async with self._grown:
                    self.taken.append(msgspec.json.decode(body)["id"])
                    self._grown.notify_all()
                writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        writer.close()

    async def has(self, count: int, seconds: float) -> None:
        async with asyncio.timeout(seconds), self._grown:
            await self._grown.wait_for(lambda: len({*self.taken}) >= count)


@asynccontextmanager
async def desk() -> AsyncGenerator[Desk]:
    running = Desk()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0, family=socket.AF_INET)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running


class Watched:
    """The service as a program of its own: what it needs, and how it takes a kill."""

    def __init__(self, folder: Path, database: str) -> None:
        settings = {"DATABASE_URL": database, "EXCHANGE": "1", "ALLOW_PRIVATE_PARTNERS": "1"}
        self.service = Served(folder, **settings)
        self.most = 0
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.service.start()
        self.most = 0
        self._watch = asyncio.create_task(self._measure())

    async def _measure(self) -> None:
        process = psutil.Process(self.service.process.pid)
        while True:
            with suppress(psutil.NoSuchProcess):
                self.most = max(self.most, process.memory_info().rss)
            await asyncio.sleep(0.2)

    def cpu_s(self) -> float:
        """Seconds of a processor that the service used since it was started."""
        times = psutil.Process(self.service.process.pid).cpu_times()
        return times.user + times.system

    async def kill(self) -> None:
        if self._watch:
            self._watch.cancel()
            self.service.killed()
            self._watch = None


class Hub:
    """Our ledger, written to from beside the service."""

    def __init__(self, store: PostgresStore) -> None:
        self.store, self.ledger = store, Ledger(store)

    async def register(self, desks: dict[str, Desk]) -> None:
        with acting(Provenance(RULE.name, UUID(int=1), "test")):
            for name, at in desks.items():
                unit = SupportUnit(named_id(SupportUnit.KIND, UNITS[name]))
                unit.register(UNITS[name], kind=UnitKind.NGI)
                await self.ledger.save(unit)
                await HelpdeskSecrets(self.store).keep(name, KEY)
                partner = Helpdesk(named_id(Helpdesk.KIND, name))
                address = f"http://127.0.0.1:{at.port}/events"
                partner.register(name, "webhook", [UNITS[name]], address=address)
                partner.set_policy(Policy.FULL)
                partner.set_interface(InterfaceState.LIVE)
                await self.ledger.save(partner)

    async def open(self, name: str) -> int:
        opening = c.OpenTicket(subject="Transfers fail", description="All.", unit=UNITS[name])
        with acting(Provenance(RULE.name, UUID(int=1), "test")):
            return (await self.ledger.execute(opening, actor=RULE)).ticket.number

    async def decide(self, first: int, count: int) -> None:
        """Let messages of further conversations wait, as if they had been decided on."""
        with acting(Provenance(RULE.name, UUID(int=1), "test")):
            for number in range(first, first + count):
                exchange = Exchange(random_id())
                exchange.open("down", number)
                for n in range(1, 1 + OF_EACH):
                    body = msgspec.json.encode({"id": f"{number}.{n}", "text": "x" * 500})
                    headers = {"content-type": STRUCTURED, ID_HEADER: f"{number}.{n}"}
                    raw = written(Message("/", headers, body))
                    exchange.decide_dispatch(n, "test", raw, "application/http")
                await self.ledger.save(exchange)

    async def back(self) -> None:
        """An operator says that the partner is there again, so that nobody waits for the next attempt."""
        with acting(Provenance(RULE.name, UUID(int=1), "test")):
            for state in (InterfaceState.PAUSED, InterfaceState.LIVE):
                partner = await self.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "down"))
                assert partner is not None
                partner.set_interface(state)
                await self.ledger.save(partner)

    async def update(self, number: int) -> None:
        said = [c.Comment(number=number, text=f"Update {n}.") for n in range(OF_EACH)]
        with acting(Provenance(RULE.name, UUID(int=1), "test")):
            await self.ledger.execute(*said, actor=RULE)

    async def progress(self) -> tuple[int, Progress]:
        position, memory = await Checkpoints(self.store).load(NAME)
        return position, Progress.read(memory)

    async def followed(self, seconds: float) -> None:
        """Wait until everything so far is decided on."""
        head = await self.store.head()
        async with asyncio.timeout(seconds):
            while (await self.progress())[0] < head:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(600 + UPDATES / 5)
async def test_what_waits_for_a_partner_that_is_down_costs_bounded_memory_and_nobody_else_waits(
    database, tmp_path
):
    watched = Watched(tmp_path, database)
    async with await PostgresStore.open(database) as store, desk() as down, desk() as fine:
        hub = Hub(store)
        await hub.register({"down": down, "fine": fine})
        watched.start()
        try:
            await _day(hub, watched, down, fine)
        finally:
            await watched.kill()


async def _day(hub: Hub, watched: Watched, down: Desk, fine: Desk) -> None:
    await hub.open("down")
    await hub.open("fine")
    await fine.has(1, 60)
    await down.has(1, 60)
    before = watched.most

    down.up, down.attempts = False, 0
    began = monotonic()
    numbers = [await hub.open("down") for _ in range(TICKETS)]
    await hub.followed(PATIENCE_S)
    waits = []
    for number in numbers:
        await hub.update(number)
        waits.append(await _wait_of(hub, fine))
    others = UPDATES // OF_EACH - TICKETS
    share = others // AT_ONCE
    await asyncio.gather(*(hub.decide(1_000_000 * n, share) for n in range(1, 1 + AT_ONCE)))
    waits.append(await _wait_of(hub, fine))
    await hub.followed(PATIENCE_S)
    messages = 1 + TICKETS + (TICKETS + share * AT_ONCE) * OF_EACH
    _, progress = await hub.progress()
    assert progress.outgoing["down"], "it waits"
    print(
        f"\n{messages} messages wait after {monotonic() - began:.0f} s:"
        f" {(watched.most - before) / 1e6:.0f} MB more than {before / 1e6:.0f}, {down.attempts} attempts,"
        f" the other partner waited {_shown(waits)}"
    )
    assert watched.most - before < MEMORY_MAX
    assert down.attempts < ATTEMPTS_MAX

    attempts = down.attempts
    await watched.kill()
    watched.start()
    began = monotonic()
    waits = [await _wait_of(hub, fine) for _ in range(5)]
    await hub.followed(PATIENCE_S)
    _, after = await hub.progress()
    print(
        f"killed and started: the other partner waited {_shown(waits)}, all was followed after"
        f" {monotonic() - began:.1f} s, {watched.most / 1e6:.0f} MB, {down.attempts - attempts} attempts"
    )
    assert after.probes.get("down", 0) >= progress.probes["down"], "it is still known to be down"
    assert watched.most - before < MEMORY_MAX
    assert down.attempts - attempts < ATTEMPTS_MAX

    down.up = True
    await hub.back()
    began, cpu_s, most = monotonic(), watched.cpu_s(), watched.most
    all_told = asyncio.create_task(down.has(messages, PATIENCE_S))
    waits = []
    while not all_told.done():
        waits.append(await _wait_of(hub, fine))
        await asyncio.sleep(0.2)
    await all_told
    seconds, cpu_s = monotonic() - began, watched.cpu_s() - cpu_s
    print(
        f"up again: drained after {seconds:.0f} s, {messages / seconds:.0f} messages/s,"
        f" {cpu_s:.0f} s of a processor, {watched.most / 1e6:.0f} MB ({most / 1e6:.0f} before),"
        f" the other partner waited {_shown(waits)}, {len(down.taken)} messages for it"
    )
    assert watched.most - before < MEMORY_MAX
    assert len({*down.taken}) == messages
    assert len(down.taken) - len({*down.taken}) <= AT_ONCE, "at a kill, what was on its way"


async def _wait_of(hub: Hub, fine: Desk) -> float:
    """How long a message for the other partner takes. Bounded by far more than it should be."""
    began, before = monotonic(), len({*fine.taken})
    await hub.open("fine")
    await fine.has(before + 1, 60)
    return monotonic() - began


def _shown(waits: list[float]) -> str:
    waits = sorted(waits)
    return f"{waits[len(waits) // 2] * 1000:.0f} ms (median), {waits[-1] * 1000:.0f} ms (longest) of {len(waits)}"
