"""Files fetched over lines that break: they go on where they stopped, and end as what they were."""

import asyncio
import hashlib
import re
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.kit.downloads import BREAKS_MAX, Downloads, NotFetched, Wanted
from adapters.kit.http import Api
from adapters.kit.retry import Undelivered

FILE = hashlib.sha256(b"seed").digest() * 90_000
PATH = "/file"
HEADERS = {"X-Key": "secret"}


@dataclass
class Line:
    """A server of one file whose answers break off after some bytes."""

    body: bytes = FILE
    breaks_after: list[int] = field(default_factory=list)
    """Bytes of the next answers' bodies; after these, all of it."""
    ranges: bool = True
    head: str = "200 OK"
    where: str = ""
    asked: list[str] = field(default_factory=list)
    """What each request said, headers and all."""
    sent: int = 0
    url: str = ""

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(asked)
        start, status, more = 0, self.head, f"Location: {self.where}\r\n" if self.where else ""
        if self.ranges:
            more += f"ETag: {self.tag}\r\n"
            wanted = re.search(r"range: bytes=(\d+)-", asked, re.IGNORECASE)
            if wanted and f"If-Range: {self.tag}" in asked:
                start, status = int(wanted[1]), "206 Partial Content"
                more += f"Content-Range: bytes {start}-{len(self.body) - 1}/{len(self.body)}\r\n"
        part = self.body[start:] if status[0] == "2" else b""
        head = (
            f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(part)}\r\nConnection: close\r\n\r\n"
        )
        part = part[: self.breaks_after.pop(0)] if self.breaks_after else part
        try:
            writer.write(head.encode())
            for at in range(0, len(part), 65_536):
                writer.write(part[at : at + 65_536])
                await writer.drain()
                self.sent += len(part[at : at + 65_536])
        except ConnectionError:
            return  # the other side has read enough
        finally:
            writer.close()


@asynccontextmanager
async def served(line: Line) -> AsyncGenerator[Line]:
    server = await asyncio.start_server(line.answer, "127.0.0.1", 0)
    line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield line


@asynccontextmanager
async def fetching(line: Line) -> AsyncGenerator[Downloads]:
    async with served(line):
        api = Api(line.url, allow_private=True)
        try:
            yield Downloads(api, HEADERS)
        finally:
            await api.close()


def wanted(line: Line, **more: str) -> Wanted:
    return Wanted(path=PATH, size=len(line.body), **more)


async def test_a_file_that_breaks_off_goes_on_where_it_stopped():
    line = Line(breaks_after=[1_000_000, 700_000])
    async with fetching(line) as downloads:
        sha256 = hashlib.sha256(FILE).hexdigest()
        assert await downloads.fetch(wanted(line, sha256=sha256)) == FILE
    assert line.sent == len(FILE), "no byte travelled twice"
    assert "Range: bytes=1700000-" in line.asked[2]


async def test_what_there_is_of_a_file_stays_until_the_next_question():
    line = Line(breaks_after=[1_000_000, 0])
    async with fetching(line) as downloads:
        with pytest.raises(Undelivered, match="peer closed") as broken:
            await downloads.fetch(wanted(line))
        assert not broken.value.final
        assert await downloads.fetch(wanted(line)) == FILE
        assert line.sent == len(FILE)
        assert await downloads.fetch(wanted(line)) == FILE
        assert len(line.asked) == 3, "kept for an attempt that fails later"
        downloads.used()
        await downloads.fetch(wanted(line))
        assert len(line.asked) == 4


async def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning():
    line = Line(breaks_after=[1_000_000, 0])
    async with fetching(line) as downloads:
        with pytest.raises(Undelivered):
            await downloads.fetch(wanted(line))
        line.body = FILE[::-1]
        assert await downloads.fetch(wanted(line)) == FILE[::-1]


async def test_without_ranges_a_broken_file_begins_anew_and_not_for_ever():
    line = Line(ranges=False, breaks_after=[50_000] * 100)
    async with fetching(line) as downloads:
        for _ in range(BREAKS_MAX - 1):
            with pytest.raises(Undelivered):
                await downloads.fetch(wanted(line))
        left = await downloads.fetch(wanted(line))
        assert left == NotFetched(f"it could not be fetched in {BREAKS_MAX} attempts: not-reached")
    assert len(line.asked) == BREAKS_MAX, "one attempt a question: the poller waits between them"


async def test_what_is_not_the_file_that_was_listed_is_not_taken():
    line = Line()
    async with fetching(line) as downloads:
        with pytest.raises(Undelivered, match="not the file that was listed"):
            await downloads.fetch(wanted(line, sha256="0" * 64))
        with pytest.raises(Undelivered, match="not the file that was listed"):
            await downloads.fetch(Wanted(path=PATH, size=5))


@pytest.mark.parametrize("listed", [True, False])
async def test_fifty_megabytes_are_neither_read_nor_held(listed):
    line = Line(body=bytes(50_000_000))
    async with fetching(line) as downloads:
        tracemalloc.start()
        try:
            left = await downloads.fetch(Wanted(path=PATH, size=50_000_000 if listed else 0))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert left == NotFetched("too large: 50000000 bytes, at most 8000000 are taken")
    assert len(line.asked) == (0 if listed else 1)
    assert peak < 3_000_000
    assert line.sent < 10_000_000


async def test_a_file_is_found_where_the_partner_points_to_and_nobody_else_sees_our_key():
    async with served(Line()) as media:
        line = Line(head="303 See Other", where=f"{media.url}/blob", ranges=False)
        async with fetching(line) as downloads:
            assert await downloads.fetch(Wanted(path=PATH, size=len(FILE))) == FILE
            assert "X-Key: secret" in line.asked[0]
            assert "secret" not in media.asked[0]
            line.where, line.head = f"{line.url}/again", "302 Found"
            with pytest.raises(Undelivered, match="leads nowhere"):
                await downloads.fetch(Wanted(path="/loop"))


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ("404 Not Found", "it was withdrawn"),
        ("403 Forbidden", "our account may not read it"),
        ("451 No", "the partner refuses it with status 451"),
    ],
)
async def test_a_file_that_is_not_given_stays_there_with_the_reason(head, why):
    async with fetching(Line(head=head)) as downloads:
        assert await downloads.fetch(Wanted(path=PATH)) == NotFetched(why)
