"""Services that are connected by webhooks over real sockets: hubs with partners, and what a partner sends by hand."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import uvicorn
from pydantic import SecretStr

from adapters.kit.retry import Patience
from adapters.store.secrets import HelpdeskSecrets
from api.bootstrap import Services, running
from api.settings import Environment, Settings
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.exchange_scenarios import RULE, by_test

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
UNITS = ("TPM", "NGI_DE", "NGI_IT", "ROC_US")


class Hub:
    """A whole service at a port of its own."""

    def __init__(self, services: Services, url: str) -> None:
        self.services, self.url = services, url
        self.ledger, self.store = services.ledger, services.store

    def address(self, partner: str) -> str:
        return f"{self.url}/api/v1/partners/{partner}/events"

    async def partner(
        self, name: str, address: str, units: Sequence[str] = (), *, secret: str = KEY,
        policy: Policy = Policy.FULL,
    ) -> None:  # fmt: skip
        await HelpdeskSecrets(self.store).keep(name, secret)
        partner = Helpdesk(named_id(Helpdesk.KIND, name))
        with by_test():
            partner.register(name, "webhook", units, address=address)
            partner.set_policy(policy)
            partner.set_interface(InterfaceState.LIVE)
            await self.ledger.save(partner)

    async def open_ticket(self, unit: str = "", **fields: Any) -> int:
        opening = c.OpenTicket(
            subject=fields.pop("subject", "Transfers fail"),
            description=fields.pop("description", "All of them."),
            unit=unit,
            **fields,
        )
        with by_test():
            return (await self.ledger.execute(opening, actor=RULE)).ticket.number

    async def execute(self, *commands: c.Command) -> None:
        with by_test():
            await self.ledger.execute(*commands, actor=RULE)

    async def events(self, *kinds: type) -> list[Any]:
        return [r.event for r in await self.store.log(0, 10_000) if isinstance(r.event, kinds)]

    async def wait_for(self, kind: type, count: int = 1, seconds: float = 60) -> list[Any]:
        """All events of a kind, as soon as there are so many."""
        async with asyncio.timeout(seconds):
            while len(found := await self.events(kind)) < count:
                await self.services.wakeup.wait(await self.store.head(), 0.1)
        return found

    async def exchange(self, partner: str, number: int) -> Exchange:
        stream = await self.store.holder(f"exchange:{partner}", str(number))
        assert stream is not None
        return await self.services.exchange.conversations.load(stream)

    async def settled(self, partner: str, number: int, seconds: float = 60) -> Exchange:
        """Wait until everything that happened to the ticket is told, or decided not to be."""
        async with asyncio.timeout(seconds):
            while True:
                last = (await self.ledger.history(number))[-1].position
                exchange = await self.exchange(partner, number)
                if not exchange.messages and exchange.decided_until >= last:
                    return exchange
                await self.services.wakeup.wait(await self.store.head(), 0.1)

    async def text(self, sealed: Any) -> str:
        return (await self.store.contents([sealed.id]))[sealed.id].text()

    async def texts(self, kind: type, field: str) -> list[str]:
        return [await self.text(getattr(each, field)) for each in await self.events(kind)]


@asynccontextmanager
async def hub(database: str, prefix: str, **settings: Any) -> AsyncGenerator[Hub]:
    """A running service with the usual support units."""
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(
            running(
                Settings(
                    database_url=SecretStr(database), environment=Environment.TEST, prefix=prefix,
                    exchange=True, allow_private_partners=True, **settings,
                )
            )
        )  # fmt: skip
        if not await services.store.head():
            with by_test():
                for name in UNITS:
                    unit = SupportUnit(named_id(SupportUnit.KIND, name))
                    unit.register(name, kind=UnitKind.NGI)
                    await services.ledger.save(unit)
        url = await stack.enter_async_context(served(services))
        quick = Patience(first_s=0.05, longest_s=0.5, attempts_max=500)
        services.exchange.outbox._patience = quick
        yield Hub(services, url)


@asynccontextmanager
async def served(services: Services) -> AsyncGenerator[str]:
    """The service on a socket; its address."""
    from api.app import create_app

    config = uvicorn.Config(create_app(services), port=0, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


class Partner:
    """What a partner sends, signed or otherwise."""

    def __init__(self, url: str, secret: str = KEY) -> None:
        self.url, self._key = url, base64.b64decode(secret.removeprefix("whsec_"))
        self._client = httpx2.AsyncClient(timeout=60, trust_env=False)
        self._count = 0

    async def close(self) -> None:
        await self._client.aclose()

    def event(self, change: str, ticket: dict[str, Any], **more: Any) -> dict[str, Any]:
        self._count += 1
        attributes = {
            "specversion": "1.0", "id": f"theirs-{self._count}", "source": "https://desk.example.org",
            "type": f"org.ticketledger.ticket.{change}", "time": "2026-03-02T09:00:00Z",
        }  # fmt: skip
        attributes |= {
            name: more.pop(name) for name in list(more) if name in ("id", "type", "hops")
        }
        return attributes | {"data": {"change": change, "ticket": ticket, **more}}

    async def send(self, event: Any, **changes: Any) -> httpx2.Response:
        """Structured. ``changes``: ``at`` (seconds from now), ``id``, ``headers``, ``spoil`` (of the signature)."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        id_ = changes.get("id") or (event["id"] if isinstance(event, dict) else "bytes-1")
        headers = {"content-type": "application/cloudevents+json"} | changes.get("headers", {})
        signed = self.signed(id_, body, changes.get("at", 0.0))
        spoil: Callable[[dict[str, str]], dict[str, str]] = changes.get("spoil", lambda same: same)
        return await self._client.post(self.url, content=body, headers=headers | spoil(signed))

    async def send_binary(self, event: dict[str, Any], **headers: str) -> httpx2.Response:
        data = json.dumps(event["data"]).encode()
        attributes = {f"ce-{name}": value for name, value in event.items() if name != "data"}
        signed = self.signed(event["id"], data)
        return await self._client.post(
            self.url, content=data,
            headers={"content-type": "application/json"} | attributes | signed | headers,
        )  # fmt: skip

    def signed(self, id_: str, body: bytes, at_s: float = 0.0) -> dict[str, str]:
        stamp = str(int(time.time() + at_s))
        digest = hmac.digest(self._key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": id_,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
