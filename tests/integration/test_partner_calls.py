"""Calls to partners' interfaces: what an answer means, and where calls may go. Against a small real server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.http import Api
from adapters.kit.reachable import permitted_address
from adapters.kit.retry import Patience, Undelivered
from adapters.kit.webhook import Delivery
from adapters.kit.webhook_out import WebhookOut
from domain.errors import Invalid
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from tests.exchange_scenarios import by_test

JSON = "application/json"


class Partner:
    """Answers every call as it was told to."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked: list[bytes] = []
        self.url = ""

    def says(self, status: int, body: bytes = b"{}", kind: str = JSON, extra: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}Connection: close\r\n\r\n"
        self.answer = head.encode() + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def partner() -> AsyncIterator[Partner]:
    partner = Partner()
    server = await asyncio.start_server(partner.serve, "127.0.0.1", 0)
    partner.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield partner


async def failure_of(partner: Partner) -> Undelivered:
    """What a call by way of RT's session comes to."""
    session = Session(Terms.of(partner.url.replace("://", "://bridge@")), "x", allow_private=True)
    try:
        with pytest.raises(Undelivered) as failure:
            await session.tickets("id = 1")
    finally:
        await session.close()
    return failure.value


@pytest.mark.parametrize(
    ("status", "code", "final"),
    [
        (400, "http-400", True), (401, "unauthorised", False), (302, "unauthorised", False),
        (403, "forbidden", True), (404, "not-found", True), (412, "changed-meanwhile", False),
        (422, "http-422", True), (429, "too-many", False), (500, "http-500", False),
        (502, "http-502", False), (503, "http-503", False),
    ],
)  # fmt: skip
async def test_a_failure_is_transient_or_permanent_by_its_status(partner, status, code, final):
    partner.says(status)
    failure = await failure_of(partner)
    assert (failure.code, failure.final) == (code, final)


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"<html>maintenance</html>", "text/html", "no-json"),
        (b"<html>maintenance</html>", JSON, "no-json"),
        (b"", JSON, "no-json"),
        (b'"\xff"', JSON, "no-json"),
        (b"[" * 100_000, JSON, "no-json"),
        (b"[]", JSON, "strange-answer"),
        (b'{"items": {}}', JSON, "strange-answer"),
        (b'{"items": [{"id": "x"}]}', JSON, "strange-answer"),
    ],
)
async def test_an_answer_that_is_not_what_was_agreed_is_tried_again(partner, body, kind, code):
    partner.says(200, body, kind)
    failure = await failure_of(partner)
    assert (failure.code, failure.final) == (code, False)


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (200, b"<!DOCTYPE html><title>Sign in</title>", "text/html; charset=utf-8", "web-page"),
        (200, b"\n<p>Please sign in</p>", "text/html", "web-page"),
        (202, b"<HTML><form></form></HTML>", JSON, "web-page"),
        (200, b"<html/>", "application/xhtml+xml", "web-page"),
        (302, b"", "text/html", "redirected"),
        (308, b"", JSON, "redirected"),
        (200, b"ok", "text/html", ""),
        (200, b"", "text/html", ""),
        (204, b"", JSON, ""),
        (200, b"{}", JSON, ""),
        (201, b"<taken/>", "application/xml", ""),
    ],
)
async def test_a_page_for_people_does_not_say_that_a_webhook_was_taken(
    partner, status, body, kind, code
):
    partner.says(status, body, kind, "Location: /login\r\n" if status > 299 else "")
    async with WebhookOut(allow_private=True) as out:
        delivery = Delivery("one", 1, b"{}")
        if not code:
            await out.send(partner.url, delivery, [b"key"])
            return
        with pytest.raises(Undelivered) as failure:
            await out.send(partner.url, delivery, [b"key"])
    assert (failure.value.code, failure.value.final) == (code, False)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("99999999", 3600.0), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0), ("soon", None)],
)
async def test_a_partner_that_asks_to_be_left_alone_is(partner, header, seconds):
    partner.says(503, extra=f"Retry-After: {header}\r\n")
    failure = await failure_of(partner)
    assert failure.retry_after_s == seconds
    pause_s = Patience(first_s=0.01, longest_s=0.02).pause_s(1, failure.retry_after_s)
    assert pause_s >= (seconds or 0)


async def test_an_answer_beyond_the_limit_is_not_read(partner):
    partner.says(200, b"x" * 20_000)
    api = Api(partner.url, allow_private=True, bytes_max=10_000)
    with pytest.raises(Undelivered) as failure:
        await api.call("GET", "/")
    await api.close()
    assert (failure.value.code, failure.value.final) == ("answer-too-large", True)


async def test_nobody_listens(partner):
    api = Api("http://127.0.0.1:1", allow_private=True)
    with pytest.raises(Undelivered) as failure:
        await api.call("GET", "/")
    await api.close()
    assert (failure.value.code, failure.value.final) == ("not-reached", False)


async def test_a_partner_in_a_private_network_is_not_called_unless_that_is_allowed(partner):
    api = Api(partner.url, allow_private=False)
    with pytest.raises(Undelivered) as failure:
        await api.call("GET", "/")
    await api.close()
    assert (failure.value.code, failure.value.final) == ("private-address", True)
    assert partner.asked == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "0x7f000001",
        "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::9.9.9.9", "2002:7f00:1::1", "2002:a00:1::", "::10.0.0.1", "::",
    ],
)  # fmt: skip
async def test_no_spelling_leads_into_our_network(host):
    with pytest.raises(Undelivered) as failure:
        await permitted_address(host, 80, allow_private=False)
    assert failure.value.code in ("private-address", "not-reached")


@pytest.mark.parametrize("url", ["http://9.9.9.9", "http://[64:ff9b::909:909]:8080"])
async def test_a_public_address_is_never_called_in_clear(url):
    api = Api(url, allow_private=True)
    with pytest.raises(Undelivered, match="https") as failure:
        await api.call("GET", "/", headers={"Authorization": "Basic secret"})
    await api.close()
    assert (failure.value.code, failure.value.final) == ("not-encrypted", True)
    async with WebhookOut(allow_private=True) as out:
        with pytest.raises(Undelivered) as failure:
            await out.send(url, Delivery("one", 1, b"{}"), [b"key"])
    assert failure.value.code == "not-encrypted"


async def test_a_public_address_is_used_as_it_was_judged():
    assert await permitted_address("192.88.99.1", 443, allow_private=True) == "192.88.99.1"
    assert await permitted_address("9.9.9.9", 443, allow_private=False) == "9.9.9.9"
    for wrapped in ("64:ff9b::909:909", "2002:909:909::1"):
        assert await permitted_address(wrapped, 443, allow_private=False) == wrapped


@pytest.mark.parametrize(
    "address",
    ["", "rt.example.org", "ftp://bridge@rt.example.org/", "https://rt.example.org/", "https://bridge@/",
     "https://bridge@rt.example.org:99999/", "https://bridge@[::1/"],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_said_to_the_operator(address):
    with pytest.raises(Undelivered) as failure:
        Terms.of(address)
    assert (failure.value.code, failure.value.final) == ("bad-address", True)


def test_the_terms_of_an_address():
    terms = Terms.of("https://bridge@rt.example.org:8443/rt/?queue=A&intake=B&intake=C")
    assert terms.url == "https://rt.example.org:8443/rt"
    assert (terms.account, terms.intake) == ("bridge", {"B", "C"})


def test_a_password_in_an_address_is_refused_because_events_stay():
    helpdesk = Helpdesk(named_id(Helpdesk.KIND, "rt"))
    with by_test(), pytest.raises(Invalid, match="password"):
        helpdesk.register("rt", "rt", address="https://bridge:secret@rt.example.org/")
