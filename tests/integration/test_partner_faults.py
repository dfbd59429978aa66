"""What a wire or a broken server may do to a call: every time a failure in its own words, in bounded time and memory.

The partner is a socket that writes what it was told, byte by byte if need be.
"""

import asyncio
import gzip
import socket
import ssl
import struct
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from adapters.kit.http import Api
from adapters.kit.retry import Undelivered
from tests.certificates import Authority

HEAD = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\n"
Acts = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Wire:
    """Takes a request, acts, and does to the connection what it was told."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self.acted: list[bytes] = []
        self.connections = 0
        self.tasks: set[asyncio.Task[None] | None] = set()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.acted.append(request)
                await self._acts(reader, writer)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def wire(acts: Acts, identity: ssl.SSLContext | None = None) -> AsyncGenerator[Wire]:
    running = Wire(acts)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0, ssl=identity)
    scheme = "https" if identity else "http"
    running.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running
    await asyncio.gather(*running.tasks)


@asynccontextmanager
async def calling(url: str, **options: float) -> AsyncGenerator[Api]:
    api = Api(url, allow_private=True, **options)
    try:
        yield api
    finally:
        await api.close()


async def failure_of(running: Wire, **options: float) -> Undelivered:
    async with calling(running.url, **options) as api:
        with pytest.raises(Undelivered) as failure:
            (await api.call("GET", "/")).json()
    return failure.value


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with a reset, as a server does that dies."""
    plain = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_connection_that_is_reset_after_they_acted_is_tried_again_and_not_by_us_alone():
    """The call is not repeated in silence: only the courier knows what it has to look for first."""

    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async with wire(acts) as running:
        failure = await failure_of(running)
        assert (failure.code, failure.final) == ("not-reached", False)
        assert len(running.acted) == 1


async def test_a_connection_that_they_closed_while_it_was_idle_is_opened_again():
    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with wire(acts) as running, calling(running.url) as api:
        for _ in range(3):
            assert (await api.call("GET", "/")).json() == {}
        assert running.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"HTTP/1.1 200", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Content-Length: minus\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"SSH-2.0-OpenSSH_9\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nwrong",
        HEAD + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n{}",
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "half a piece", "no number of bytes",
         "no length", "tls", "ssh", "not compressed", "a head of a megabyte"],
)  # fmt: skip
async def test_an_answer_that_breaks_off_or_is_no_http_is_tried_again(answer):
    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with wire(acts) as running:
        failure = await failure_of(running)
        assert (failure.code, failure.final) == ("not-reached", False)


async def test_an_answer_in_tiny_pieces_is_whole():
    body = '{"text": "Über 5 % — ✓"}'.encode()

    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
        for at in range(len(answer)):
            writer.write(answer[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)

    async with wire(acts) as running, calling(running.url) as api:
        assert (await api.call("GET", "/")).json() == {"text": "Über 5 % — ✓"}


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 X\r\nX: ", HEAD + b"Content-Length: 9999\r\n\r\n"],
                         ids=["silent", "in the head", "in the body"])  # fmt: skip
async def test_a_partner_that_says_a_little_now_and_then_is_left_when_the_time_is_over(start):
    """Each byte comes in time: only the whole does not."""

    async def acts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while not reader.at_eof():
            writer.write(b"x" if start else b"")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with wire(acts) as running:
        failure = await failure_of(running, in_all_s=0.5)
        assert (failure.code, failure.final) == ("not-reached", False)
        assert "TimeoutError" in str(failure)


async def test_after_calls_that_were_given_up_there_is_still_a_connection_to_be_had():
    """More of them than the client may have connections."""
    slow = True

    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not slow:
            writer.write(HEAD + b"Content-Length: 2\r\n\r\n{}")

    async with wire(acts) as running, calling(running.url, in_all_s=3) as api:
        given_up = [api.call("GET", "/") for _ in range(20)]
        results = await asyncio.gather(*given_up, return_exceptions=True)
        assert {type(each) for each in results} == {Undelivered}
        slow = False
        assert (await api.call("GET", "/")).json() == {}


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_answer_without_end_costs_no_more_memory_than_the_limit(compressed):
    pieces = 400  # of a megabyte
    body = gzip.compress(bytes(1_000_000 * pieces), 1) if compressed else b""
    head = HEAD + (b"Content-Encoding: gzip\r\n" if compressed else b"") + b"\r\n"

    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _ in range(0 if compressed else pieces):
            writer.write(b"0" * 1_000_000)
            await writer.drain()
        writer.write(body)

    async with wire(acts) as running:
        tracemalloc.start()
        try:
            failure = await failure_of(running, bytes_max=2_000_000)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (failure.code, failure.final) == ("answer-too-large", True)
    assert most < 50_000_000


async def test_a_page_instead_of_json_is_tried_again_and_its_words_are_kept():
    page = b"<html><body>Service is being maintained</body></html>"

    async def acts(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        about = f"HTTP/1.1 200 X\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        writer.write(about.encode() + page)

    async with wire(acts) as running:
        failure = await failure_of(running)
        assert (failure.code, failure.final) == ("no-json", False)
        assert "maintained" in str(failure)


@pytest.mark.parametrize("names", ["IP:127.0.0.1", "DNS:other.test"], ids=["unknown authority", "other name"])  # fmt: skip
async def test_a_partner_with_a_wrong_certificate_is_told_nothing(names, tmp_path, monkeypatch):
    authority = Authority(tmp_path, names)
    if "other" in names:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.authority))

    async def acts(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        raise AssertionError

    async with wire(acts, authority.identity()) as running:
        failure = await failure_of(running)
        assert (failure.code, failure.final) == ("not-reached", False)
        assert "certificate" in str(failure).lower()
        assert running.acted == []


async def test_a_partner_that_accepts_and_never_shakes_hands_is_left():
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with calling(url) as api:
            with pytest.raises(Undelivered) as failure:
                await api.call("GET", "/")
        assert (failure.value.code, failure.value.final) == ("not-reached", False)
        await asyncio.wait_for(left.wait(), 30)
