"""Looking at the tickets of a partner that answers as our published interface says, or otherwise."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.helpdesks.webhook.connector import WebhookConnector
from adapters.helpdesks.webhook.looking import look_signed
from adapters.kit.answers import instant
from adapters.kit.interface import Seen
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import must_be_signed
from adapters.registry import ADAPTERS
from domain import clock
from tests.peers.webhook_scenarios import KEY
from tests.places import place_for

JSON, PAGE = "application/json", "text/html"


class Desk:
    """Answers looks as it was told to, where they are signed."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes, str] = (200, b"{}", JSON)
        self.port = 0
        self.queries: list[str] = []

    def says(self, document: Any) -> None:
        self.answer = (200, json.dumps(document).encode(), JSON)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.partition(": ") for line in lines if line]
        headers = {name.lower(): value for name, _, value in pairs}
        query = urlsplit(first.split(" ")[1]).query
        key = base64.b64decode(KEY.removeprefix("whsec_"))
        must_be_signed(headers, look_signed(query.encode()), [key], clock.now())
        self.queries.append(query)
        status, body, kind = self.answer
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nLocation: /\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    running = Desk()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    async with server:
        yield running


@asynccontextmanager
async def looking(
    desk: Desk, where: str = "tickets?tenant=3", *, allow_private: bool = True
) -> Any:
    address = f"http://127.0.0.1:{desk.port}/a/events#tickets={where}"
    place = place_for(ADAPTERS["webhook"], their_address=address)
    line = WebhookConnector().connect(place, KEY, allow_private=allow_private)
    assert line.observer is not None
    yield line.observer
    await line.close()


async def test_what_a_partner_tells_of_its_tickets_is_seen(desk):
    desk.says({
        "tickets": [
            {"asked": "a b&c", "yours": "GGUS-17", "opened_at": "2026-03-02T09:00:00+01:00",
             "state": "new", "unit": "ROC_US", "priority": "urgent", "taken": ["1.2@x"], "more": 1},
            {"asked": "2", "yours": "OSG-17", "settled": False},
            {"asked": "3", "into": "4"},
            {"asked": "4", "deleted": True},
        ],
        "missing": ["5"],
    })  # fmt: skip
    async with looking(desk) as observer:
        found = await observer.look(["a b&c", "2", "3", "4", "5"])
    assert desk.queries == ["tenant=3&ticket=a+b%26c&ticket=2&ticket=3&ticket=4&ticket=5"]
    assert found == [
        Seen(
            external_id="a b&c", opened_at=instant("2026-03-02T08:00:00Z"), number=17, state="new",
            unit="ROC_US", priority="urgent", messages=frozenset({"<1.2@x>"}),
        ),
        Seen(external_id="2", quiet=False),
        Seen(external_id="3", moved_to="4"),
        Seen(external_id="4", gone=True, state="deleted"),
        Seen(external_id="5", gone=True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((200, b"{}", JSON), "strange-answer"),
        ((200, b'{"tickets": []}', JSON), "strange-answer"),
        ((200, b'{"tickets": [{"asked": 1}]}', JSON), "strange-answer"),
        ((200, b"<html>Sign in</html>", PAGE), "no-json"),
        ((302, b"", PAGE), "http-302"),
        ((401, b"", JSON), "unauthorised"),
        ((404, b"", JSON), "not-found"),
        ((503, b"", JSON), "http-503"),
    ],
)
async def test_what_is_no_answer_to_a_look_says_of_no_ticket_that_it_is_gone(desk, answer, code):
    desk.answer = answer
    async with looking(desk) as observer:
        with pytest.raises(Undelivered) as failure:
            await observer.look(["1"])
    assert failure.value.code == code


async def test_looks_lead_into_no_network_of_ours(desk):
    place = place_for(
        ADAPTERS["webhook"],
        their_address=f"https://desk.example.org/events#tickets=https://127.0.0.1:{desk.port}/tickets",
    )
    line = WebhookConnector().connect(place, KEY, allow_private=False)
    assert line.observer is not None
    with pytest.raises(Undelivered) as failure:
        await line.observer.look(["1"])
    await line.close()
    assert (failure.value.code, desk.queries) == ("private-address", [])


async def test_only_an_address_that_says_where_can_be_looked_at():
    place = place_for(ADAPTERS["webhook"], their_address="https://desk.example.org/events")
    line = WebhookConnector().connect(place, KEY, allow_private=False)
    assert line.observer is None
    await line.close()
    for fragment in ("tickets", "ticket=x", "tickets=ftp://a/b", "tickets=a&tickets=b", "tickets=https://u@a/b", "tickets=a%23b"):  # fmt: skip
        with pytest.raises(Undelivered) as failure:
            WebhookConnector().check(f"https://desk.example.org/events#{fragment}")
        assert failure.value.code == "bad-address", fragment


def test_an_address_that_is_not_encrypted_is_refused_with_what_would_permit_it():
    for address in ("http://10.0.0.1/events", "https://desk.example.org/events#tickets=http://10.0.0.1/x"):  # fmt: skip
        place = place_for(ADAPTERS["webhook"], their_address=address)
        with pytest.raises(Undelivered, match="ALLOW_PRIVATE_PARTNERS") as failure:
            WebhookConnector().connect(place, KEY, allow_private=False)
        assert (failure.value.code, failure.value.final) == ("not-encrypted", True)
