"""A file in an event whose partner breaks off in the middle: no flood, and it is named in the end."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from adapters.helpdesks.webhook.connector import WebhookCourier
from adapters.helpdesks.webhook.keys import Keys
from adapters.helpdesks.webhook.message import STRUCTURED, Message, written
from adapters.kit.attaching import ATTEMPTS_MAX
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import ID_HEADER
from adapters.kit.webhook_out import BROKE_OFF, WebhookOut
from tests.peers.webhook_scenarios import KEY

FILE = bytes(range(256)) * 4_000


class Narrow:
    """A server that takes so many bytes of a body, and no more."""

    def __init__(self, takes: int, status: int = 204) -> None:
        self.takes, self.status = takes, status
        self.bodies: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        body = await reader.readexactly(min(size, self.takes))
        self.bodies.append(body)
        if size <= self.takes:
            status = 204 if size < len(FILE) else self.status
            writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        writer.transport.abort() if size > self.takes else writer.close()


@asynccontextmanager
async def to(server: Narrow) -> AsyncGenerator[WebhookCourier]:
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/events"
    async with listening, WebhookOut(allow_private=True) as out:
        yield WebhookCourier(out, url, Keys.of(KEY))


def parcel(event_id: str = "a.1@hub.test") -> Parcel:
    file = {"name": "core", "size": len(FILE), "data_base64": base64.b64encode(FILE).decode()}
    event = {"id": event_id, "data": {"change": "attached", "file": file}}
    headers = {"content-type": STRUCTURED, ID_HEADER: event_id}
    return Parcel(raw=written(Message("/events", headers, json.dumps(event).encode())))


async def test_an_event_with_a_file_arrives_whole_where_it_can():
    server = Narrow(10_000_000)
    async with to(server) as courier:
        await courier.deliver(parcel())
    [body] = server.bodies
    assert base64.b64decode(json.loads(body)["data"]["file"]["data_base64"]) == FILE


async def test_what_breaks_off_is_sent_a_few_times_and_then_without_the_data():
    server = Narrow(100_000)
    async with to(server) as courier:
        for _ in range(ATTEMPTS_MAX - 1):
            with pytest.raises(Undelivered) as broken:
                await courier.deliver(parcel())
            assert (broken.value.code, broken.value.final) == (BROKE_OFF, False)
        delivered = await courier.deliver(parcel())
    assert delivered.receipt.endswith("taken without the data of its file: broke-off")
    assert len(server.bodies) == ATTEMPTS_MAX + 1
    named = json.loads(server.bodies[-1])
    assert (named["id"], named["data"]["file"]) == (
        "a.1@hub.test", {"name": "core", "size": len(FILE)}
    )  # fmt: skip


async def test_a_partner_that_says_too_large_gets_the_name_at_once():
    server = Narrow(10_000_000, status=413)
    async with to(server) as courier:
        delivered = await courier.deliver(parcel())
    assert delivered.receipt.endswith("http-413")
    assert "data_base64" not in json.loads(server.bodies[-1])["data"]["file"]


async def test_a_partner_that_is_away_is_no_matter_of_the_file():
    server = Narrow(0)
    async with to(server) as courier:
        pass
    async with WebhookOut(allow_private=True) as out:
        courier = WebhookCourier(out, courier._url, Keys.of(KEY))
        for _ in range(ATTEMPTS_MAX + 2):
            with pytest.raises(Undelivered) as away:
                await courier.deliver(parcel())
            assert away.value.code == "not-reached"
