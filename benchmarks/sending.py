"""A program beside ours that sends what a benchmark receives: its processor time is nobody's."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Sender:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = 0

    def first(self, count: int) -> int:
        """The first of so many numbers that nobody had before."""
        self._numbers += count
        return self._numbers - count + 1

    async def send(self, *what: int) -> None:
        """One line for the program; return when it says that it has sent everything."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, what)).encode() + b"\n")
        async with asyncio.timeout(120):
            assert await self._process.stdout.readline() == b"sent\n"


@asynccontextmanager
async def sending(program: str, *arguments: str) -> AsyncGenerator[Sender]:
    """The program reads lines of numbers, and writes ``sent`` after each."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Sender(process)
    finally:
        process.kill()
        await process.wait()
