"""What stand-ins for helpdesks share: a real HTTP server on loopback that misbehaves when told.

A stand-in enforces the documentation that its adapter was built from. It is no proof that the product does
what its documentation says.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from socket import socket
from typing import Any, ClassVar, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.files import cut

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class Refusal(Exception):
    """An answer without success, in the product's own form."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body


def _document(request: Request, raw: bytes, takes_files: str) -> Any:
    if takes_files and re.search(takes_files, request.url.path):
        return raw
    if raw and "application/json" not in request.headers.get("content-type", ""):
        raise Refusal(415, {"error": "not JSON"})
    return json.loads(raw) if raw else None


class _Server(uvicorn.Server):
    """One that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@dataclass
class Fault:
    """What happens to the next request that fits, once."""

    kind: str
    """``500`` and ``html``: refused without effect; ``500 after``: has its effect, and fails; ``429``;
    ``413``: too large for a server in between; ``cut``: half of a file, and no more; ``late``: fails, and has its
    effect when ``arrive`` says so."""
    method: str = ""
    path: str = ""


@dataclass
class Standin:
    """Base: subclasses bring ``routes`` as pairs of "METHOD path" and a coroutine."""

    skew: timedelta = timedelta()
    """How wrong its clock is."""
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Every request: method and path."""
    read_only: bool = False
    """Whether our account may only look."""
    most_per_second: int = 0
    """More are answered with 429; 0 for no limit."""
    _late_writes: list[Callable[[], Awaitable[tuple[int, Any]]]] = field(default_factory=list)
    _moments: list[float] = field(default_factory=list)
    url: str = ""
    takes_files: str = ""
    """Pattern of paths that take something else than JSON: as bytes."""
    DATA: ClassVar[tuple[str, ...]] = ()
    """What is in its database, so what a backup has: also where its numbers go on."""

    def backup(self) -> dict[str, Any]:
        return deepcopy({name: getattr(self, name) for name in self.DATA})

    def restore(self, backup: dict[str, Any]) -> None:
        """As its administrators do it: all that was done since is gone, and numbers are given again."""
        for name, value in deepcopy(backup).items():
            setattr(self, name, value)

    async def arrive(self) -> None:
        """What was on its way takes effect now."""
        while self._late_writes:
            await self._late_writes.pop(0)()

    def routes(self) -> dict[str, Callable[[Request, Any], Awaitable[tuple[int, Any]]]]:
        raise NotImplementedError

    def admit(self, request: Request) -> None:
        """Raise ``Refusal`` for who may not come in."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skew

    async def __aenter__(self) -> Self:
        routes = []
        for name, act in self.routes().items():
            method, _, path = name.partition(" ")
            routes.append(Route(path, self._guarded(act), methods=[method]))
        config = uvicorn.Config(
            Starlette(routes=routes), host="127.0.0.1", port=0, log_level="error", lifespan="off",
            date_header=False, ws="none",
        )  # fmt: skip
        self._server = _Server(config)
        # Not serve(): that would take the signals that end the tests.
        self._task = asyncio.create_task(self._server._serve())
        async with asyncio.timeout(30):
            await self._server.up.wait()
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        await self._task

    def _guarded(
        self, act: Callable[[Request, Any], Awaitable[tuple[int, Any]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            response = await self._answer(act, request)
            response.headers["date"] = format_datetime(self.now(), usegmt=True)
            return response

        return answer

    async def _answer(
        self, act: Callable[[Request, Any], Awaitable[tuple[int, Any]]], request: Request
    ) -> Response:
        self.asked.append(f"{request.method} {request.url.path}")
        fault = self._fault(request)
        if fault == "429" or self._too_many():
            return JSONResponse({"error": "too many"}, 429, {"Retry-After": "1"})
        if fault == "html":
            return Response(HTML, 200, media_type="text/html")
        if fault == "413":
            return JSONResponse({"error": "Request Entity Too Large"}, 413)
        if fault == "500":
            return Response(HTML, 500, media_type="text/html")
        try:
            self.admit(request)
            self._must_let_write(request)
            said = _document(request, await request.body(), self.takes_files)
            if fault == "late":
                self._late_writes.append(partial(act, request, said))
                return Response(HTML, 504, media_type="text/html")
            status, body = await act(request, said)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        if fault == "500 after":
            return Response(HTML, 500, media_type="text/html")
        if isinstance(body, Response):
            return cut(body) if fault == "cut" else body
        if body is None:
            return Response(status_code=status)
        return JSONResponse(body, status)

    def _must_let_write(self, request: Request) -> None:
        reads = request.method == "GET" or request.url.path.endswith("/jql")
        if self.read_only and not reads:
            raise Refusal(403, {"error": "Not authorized"})

    def _fault(self, request: Request) -> str:
        for fault in self.faults:
            if fault.method in ("", request.method) and re.search(fault.path, request.url.path):
                self.faults.remove(fault)
                return fault.kind
        return ""

    def _too_many(self) -> bool:
        if not self.most_per_second:
            return False
        now = asyncio.get_running_loop().time()
        self._moments = [each for each in self._moments if each > now - 1]
        if len(self._moments) >= self.most_per_second:
            return True
        self._moments.append(now)
        return False
