"""A connection to Redmine that breaks when a test says so: after Redmine acted, before we hear of it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import httpx2

PAGE = b"<html><body>Service is being maintained</body></html>"


class Proxy:
    """On loopback, in front of one server. ``trouble`` says, after each call was acted on, what becomes of it.

    Nothing: the answer. ``cut``: the connection ends. ``500``: another answer. ``html``: a page with status 200.
    """

    def __init__(self, url: str) -> None:
        self.trouble: Callable[[str, str], str] = lambda _method, _path: ""
        self.calls: list[tuple[str, str]] = []
        self.url = ""
        self._client = httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False)
        self._server: asyncio.Server | None = None

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
        kept = {
            n: v for n, v in named.items() if n in ("x-redmine-api-key", "content-type", "accept")
        }
        answer = await self._client.request(method, path, content=body, headers=kept)
        self.calls.append((method, path))
        trouble = self.trouble(method, path)
        if trouble == "cut":
            return
        status, kind, content = {
            "": (answer.status_code, answer.headers.get("content-type", ""), answer.content),
            "500": (500, "text/html", b"<h1>Internal error</h1>"),
            "html": (200, "text/html; charset=utf-8", PAGE),
        }[trouble]
        about = f"HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
        writer.write(about.encode() + content)
        await writer.drain()
