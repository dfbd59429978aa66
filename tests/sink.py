"""A partner's system that takes webhooks: a small HTTP server that checks everything, and misbehaves when told."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from tests.feeds import Reader, read

Behaviour = Callable[[int], tuple[int, str, float]]
"""From the number of the request (from 1) to a status, more headers, and seconds to wait before answering."""


def well(_: int) -> tuple[int, str, float]:
    return 204, "", 0


class Sink:
    def __init__(self) -> None:
        self.port = 0
        self.reader = Reader()
        self.secrets: list[str] = []
        self.requests = 0
        self.environments: set[str] = set()
        self.repeated = 0
        self.unsigned: list[str] = []
        self.behaviour: Behaviour = well
        self.grown = asyncio.Condition()
        self.at_once = 0
        self.writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/feed"

    async def wait_for(self, sequence: int, seconds: float = 10) -> None:
        async with asyncio.timeout(seconds), self.grown:
            await self.grown.wait_for(lambda: self.reader.mark.sequence >= sequence)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in lines)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.at_once += 1
                assert self.at_once == 1, "deliveries come one after the other"
                status, more, delay = await self._take(headers, body)
                await asyncio.sleep(delay)
                self.at_once -= 1
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{more}\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.at_once = 0
        finally:
            writer.close()

    async def _take(self, headers: dict[str, str], body: bytes) -> tuple[int, str, float]:
        """Act first, then answer as told: also an error after having acted."""
        self.requests += 1
        answer = self.behaviour(self.requests)
        if answer[0] in {REFUSED, GONE}:
            return answer
        self.environments.add(headers["ticketledger-environment"])
        if not self._signed(headers, body):
            self.unsigned.append(headers["webhook-id"])
            return 401, "", 0
        event = read(body)
        assert headers["webhook-id"] == event.id
        async with self.grown:
            if event.data.sequence <= self.reader.mark.sequence:
                self.repeated += 1
            else:
                self.reader.take(event)
            self.grown.notify_all()
        return answer

    def _signed(self, headers: dict[str, str], body: bytes) -> bool:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        given = [each.removeprefix("v1,") for each in headers["webhook-signature"].split(" ")]
        for secret in self.secrets:
            key = base64.b64decode(secret.removeprefix("whsec_"))
            good = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
            if any(hmac.compare_digest(each, good) for each in given):
                return True
        return False


REFUSED: Final = 503
"""Not looked at."""
GONE: Final = 410


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    running = Sink()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for writer in running.writers:
            writer.close()
        await asyncio.sleep(0)
