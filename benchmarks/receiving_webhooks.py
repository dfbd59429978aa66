"""Webhooks of a partner, taken in at the service's own route; the baseline is a route that takes bytes and answers.

Ours has its connections as the program serves them, the baseline has the web server's own.
"""

import base64
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from adapters.store.secrets import HelpdeskSecrets
from api.app import create_app
from api.bootstrap import running
from api.joining import JoiningProtocol
from api.settings import Environment, Settings
from benchmarks.common import Bench
from benchmarks.deliver import sink_beside
from benchmarks.feed import served
from benchmarks.receiving import CONNECTIONS, MESSAGES, PARTNER, Receiver, register

_KEY: Final = "whsec_" + base64.b64encode(bytes(range(32))).decode()
_PATH: Final = f"/api/v1/partners/{PARTNER}/events"

PROGRAM: Final = '''
import asyncio, base64, hashlib, hmac, sys, time

EVENT = """{{"specversion":"1.0","id":"{ticket}-{part}","source":"https://desk.osg.test/tickets",\\
"type":"org.ticketledger.ticket.{change}","time":"2026-01-01T00:00:00Z","data":{{"change":"{change}",\\
"ticket":{{"id":"{ticket}","version":{part},"subject":"Transfers fail","description":"{text}"}},"text":"{text}"}}}}"""
TEXT = "The transfer fails again since this morning; the log says the disk is full."
path, key, connections, parts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
key = base64.b64decode(key.removeprefix("whsec_"))


def request(ticket, part):
    change = "commented" if part else "opened"
    body = EVENT.format(ticket=ticket, part=part + 1, change=change, text=f"{part}: {TEXT}").encode()
    name, stamp = f"{ticket}-{part + 1}", int(time.time())
    signed = hmac.digest(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    head = (
        f"POST {path} HTTP/1.1\\r\\nHost: hub.test\\r\\nContent-Type: application/cloudevents+json\\r\\n"
        f"webhook-id: {name}\\r\\nwebhook-timestamp: {stamp}\\r\\n"
        f"webhook-signature: v1,{base64.b64encode(signed).decode()}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
    )
    return head.encode() + body


async def connection(port, tickets):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for ticket in tickets:
        for part in range(parts):
            writer.write(request(ticket, part))
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            assert head[9:12] == b"202", head
            size = head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0]
            await reader.readexactly(int(size))
    writer.close()


async def send(port, first, count):
    tickets = range(first, first + count)
    await asyncio.gather(*(connection(port, tickets[at::connections]) for at in range(connections)))


for line in sys.stdin:
    asyncio.run(send(*map(int, line.split())))
    print("sent", flush=True)
'''
ARGUMENTS: Final = (_PATH, _KEY, str(CONNECTIONS), str(MESSAGES))


@asynccontextmanager
async def hub(bench: Bench) -> AsyncGenerator[Receiver]:
    """The service with a partner; of its workers the exchange alone."""
    settings = Settings(
        database_url=SecretStr(await bench.database()), environment=Environment.TEST,
        allow_private_partners=True, partner_messages_per_s_max=100_000,
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(sink_beside())
        services = await stack.enter_async_context(running(settings, work=False))
        await HelpdeskSecrets(services.store).keep(PARTNER, _KEY)
        await register(services.ledger, "webhook", address=f"http://127.0.0.1:{sink}/events")
        port = await stack.enter_async_context(served(create_app(services), JoiningProtocol))
        receiver = Receiver(services.store, services.exchange.worker, port)
        async with receiver.working():
            yield receiver


@asynccontextmanager
async def bare() -> AsyncGenerator[int]:
    app = FastAPI()

    @app.post(_PATH)
    async def take(request: Request) -> Response:
        await request.body()
        return Response(b'{"kept":true}', 202, media_type="application/json")

    async with served(app) as port:
        yield port
