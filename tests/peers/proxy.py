"""A connection to a helpdesk that breaks or holds back when a test says so: what we then know is not what happened."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

import httpx2

PAGE = b"<html><body>Service is being maintained</body></html>"
_PASSED_ON: Final = (
    "accept", "authorization", "content-type", "cookie", "referer", "x-redmine-api-key",
)  # fmt: skip
_PASSED_BACK: Final = ("content-type", "date", "etag", "location", "set-cookie")


class Proxy:
    """On loopback, in front of one server.

    ``trouble`` says, after each call was acted on, what becomes of it. Nothing: the answer. ``cut``: the
    connection ends. ``500``: another answer. ``html``: a page with status 200.

    ``lost`` says of a call, with the bytes of its body, whether it breaks off before it has arrived.

    ``held_back`` says, before a call is acted on, whether it has to wait: until ``let_go``, also when the
    caller has given up meanwhile.
    """

    def __init__(self, url: str) -> None:
        self.trouble: Callable[[str, str], str] = lambda _method, _path: ""
        self.lost: Callable[[str, str, int], bool] = lambda _method, _path, _size: False
        self.held_back: Callable[[str, str], bool] = lambda _method, _path: False
        self.holding, self.let_go = asyncio.Event(), asyncio.Event()
        self.calls: list[tuple[str, str]] = []
        """Those that were acted on."""
        self.url = ""
        self._there = url
        self._client = httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False)
        self._server: asyncio.Server | None = None

    def hold_again(self) -> None:
        """From now on; what was let go stays so."""
        self.holding, self.let_go = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._client.aclose()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._pass_on(reader, writer)
        writer.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        named = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(named.get("content-length", 0)))
        if self.lost(method, path, len(body)):
            return
        if self.held_back(method, path):
            self.holding.set()
            await self.let_go.wait()
        kept = {name: value for name, value in named.items() if name in _PASSED_ON}
        if "referer" in kept:  # their own pages, as they know them
            kept["referer"] = kept["referer"].replace(self.url, self._there)
        self._client.cookies.clear()
        answer = await self._client.request(method, path, content=body, headers=kept)
        self.calls.append((method, path))
        trouble = self.trouble(method, path)
        if trouble == "cut":
            return
        back = [(n, v) for n, v in answer.headers.multi_items() if n.lower() in _PASSED_BACK]
        status, told, content = {
            "": (answer.status_code, back, answer.content),
            "500": (500, [("Content-Type", "text/html")], b"<h1>Internal error</h1>"),
            "html": (200, [("Content-Type", "text/html; charset=utf-8")], PAGE),
        }[trouble]
        lines = [f"{name}: {value}\r\n" for name, value in told]
        about = f"HTTP/1.1 {status} x\r\n{''.join(lines)}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(about.encode() + content)
        await writer.drain()
