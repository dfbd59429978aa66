"""Webhooks on their way: certificates, lines that are kept and hung up, partners that stall or answer without end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext

import pytest

from adapters.kit.retry import Undelivered
from adapters.kit.webhook import Delivery
from adapters.kit.webhook_out import WebhookOut
from tests.certificates import Authority

KEYS = [b"key"]
ONE = Delivery("one", 1, b"{}")
Acts = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(acts: Acts, identity: SSLContext | None = None) -> AsyncGenerator[int]:
    """The port."""

    tasks = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            await acts(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # they hung up
        finally:
            writer.close()

    listening = await asyncio.start_server(kept, "127.0.0.1", 0, ssl=identity)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def asked(reader: asyncio.StreamReader) -> str:
    """The head of a request, in small letters; its body is read, too."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
    return head


def says(text: str = "204 x\r\nContent-Length: 0\r\n\r\n") -> bytes:
    return b"HTTP/1.1 " + text.encode()


async def failure_of(out: WebhookOut, url: str, delivery: Delivery = ONE) -> Undelivered:
    with pytest.raises(Undelivered) as failure:
        await out.send(url, delivery, KEYS)
    return failure.value


async def test_the_certificate_must_be_the_names_though_the_address_is_called(tmp_path):
    heads = []

    async def takes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await asked(reader))
        writer.write(says())

    ours = Authority(tmp_path, "DNS:localhost")
    async with (
        server(takes, ours.identity()) as port,
        WebhookOut(allow_private=True, trust=ours.trust()) as out,
    ):
        await out.send(f"https://localhost:{port}/events?a=b%2Fc", ONE, KEYS)
        refused = await failure_of(out, f"https://127.0.0.1:{port}/events")
    assert (refused.code, refused.final) == ("not-reached", False)
    assert "certificate" in str(refused).lower()
    [head] = heads
    assert head.startswith("post /events?a=b")
    assert f"\r\nhost: localhost:{port}\r\n" in head
    assert head.count("\r\nhost: ") == head.count("\r\ncontent-type: application/cloudevents") == 1


async def test_an_unknown_authority_is_told_nothing(tmp_path):
    async def nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        raise AssertionError

    async with (
        server(nobody, Authority(tmp_path).identity()) as port,
        WebhookOut(allow_private=True) as out,
    ):
        refused = await failure_of(out, f"https://localhost:{port}/events")
    assert refused.code == "not-reached"
    assert "certificate" in str(refused).lower()


async def test_a_line_is_kept_and_one_that_was_hung_up_is_opened_anew():
    lines, taken = [], []

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(writer)
        for _ in range(2):
            taken.append(await asked(reader))
            writer.write(says())

    async with server(twice) as port, WebhookOut(allow_private=True) as out:
        for _ in range(4):
            await out.send(f"http://127.0.0.1:{port}/", ONE, KEYS)
    assert (len(lines), len(taken)) == (2, 4)


async def test_a_partner_that_hangs_up_each_time_is_left_after_the_second():
    lines = []

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        lines.append(writer)

    async with server(rude) as port, WebhookOut(allow_private=True) as out:
        left = await failure_of(out, f"http://127.0.0.1:{port}/")
    assert (left.code, left.final, len(lines)) == ("not-reached", False, 2)


@pytest.mark.parametrize("size", [2, 5_000_000])
async def test_a_partner_that_stops_reading_or_answering_is_left_in_time(size):
    async def stalls(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with server(stalls) as port, WebhookOut(allow_private=True, answer_s_max=0.3) as out:
        begun = asyncio.get_running_loop().time()
        left = await failure_of(out, f"http://127.0.0.1:{port}/", Delivery("one", 1, b"x" * size))
        assert asyncio.get_running_loop().time() - begun < 30
    assert (left.code, left.final) == ("slow", False)


async def test_what_a_slow_line_takes_bit_by_bit_arrives():
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = 3_000_000
        while left:
            left -= len(await reader.read(min(left, 250_000)))
            await asyncio.sleep(0.05)
        writer.write(says())

    async with server(slowly) as port, WebhookOut(allow_private=True, answer_s_max=2.0) as out:
        await out.send(f"http://127.0.0.1:{port}/", Delivery("one", 1, b"x" * 3_000_000), KEYS)


async def test_an_answer_without_end_is_not_waited_for():
    async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(says("200 x\r\nTransfer-Encoding: chunked\r\n\r\n"))
        while True:
            writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            await writer.drain()

    async with server(talks) as port, WebhookOut(allow_private=True) as out:
        await out.send(f"http://127.0.0.1:{port}/", ONE, KEYS)


@pytest.mark.parametrize("answer", ["", "SSH-2.0-x\r\n", "HTTP/1.1 banana\r\n\r\n"])
async def test_what_is_no_answer_is_tried_again_later(answer):
    async def babbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(answer.encode())

    async with server(babbles) as port, WebhookOut(allow_private=True) as out:
        failure = await failure_of(out, f"http://127.0.0.1:{port}/")
    assert (failure.code, failure.final) == ("not-reached", False)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"302 x\r\nLocation: /\xff\xfe\r\n", "redirected"),
        (b"500 \xff\r\nRetry-After: \xff\r\n", "http-500"),
        (b"200 x\r\nX-Long: " + b"x" * 100_000 + b"\r\n", "not-reached"),
        (b"200 x\r\nX \x00: y\r\n", "not-reached"),
        (b"200 x\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\n", ""),
        (b"200 x\r\nSet-Cookie: a=b; Domain=x\r\n", ""),
    ],
)
async def test_whatever_a_partner_says_can_be_kept(answer, code):
    async def says_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            assert "cookie" not in await asked(reader)
            writer.write(b"HTTP/1.1 " + answer + b"Content-Length: 2\r\n\r\n\xff\xfe")

    async with server(says_so) as port, WebhookOut(allow_private=True) as out:
        url = f"http://127.0.0.1:{port}/"
        if not code:
            await out.send(url, ONE, KEYS)
            await out.send(url, ONE, KEYS)
            return
        failure = await failure_of(out, url)
    assert failure.code == code
    assert str(failure).encode()
    assert len(str(failure)) <= 600
    assert "\n" not in str(failure)


@pytest.mark.parametrize("url", ["http://[::1", "http://", "http://localhost:99999/"])
async def test_an_address_that_is_none_leads_nowhere(url):
    async with WebhookOut(allow_private=True) as out:
        failure = await failure_of(out, url)
    assert failure.code == "not-reached"
