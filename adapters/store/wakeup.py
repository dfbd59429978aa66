"""Tells waiters within the process that the log has grown, and passes hints on: one connection for all of them.

It listens to what ``ledger.append`` notifies. A connection that broke is replaced; what was missed
meanwhile, or lost in any other way, is found by looking at the log once a second.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Callable
from typing import Final, Self

import psycopg

from adapters.store.connection import CHANNEL, Connection, connect, service_conninfo
from adapters.tasks import end

POLL_S: Final = 1.0
_PAUSE_S: Final = 0.2
_SILENCE_S_MAX: Final = 3.0

LISTEN: Final = f"LISTEN {CHANNEL}"
HINTS: Final = "ticketledger_hints"
LISTEN_TO_HINTS: Final = f"LISTEN {HINTS}"
HINT: Final = "SELECT pg_notify('ticketledger_hints', %b)"
"""Tell every process that a helpdesk, by its name, may have something new. A lost hint costs little."""
HEAD: Final = "SELECT coalesce(max(position), 0) FROM ledger.event"


class Wakeup:
    """Use as an asynchronous context manager, in the loop of those who wait."""

    def __init__(self, conninfo: str) -> None:
        """``conninfo`` is that of a user who may take the service's role."""
        self._conninfo = service_conninfo(conninfo, "wakeup")
        self._head = 0
        self._changed: Future[None] | None = None
        self._listener: Task[None] | None = None
        self.hinted: Callable[[str], None] = _nobody
        """Called with the payload of a hint of any process."""
        self.connections = 0
        """Made since the start: more than one means that it had to be replaced."""

    @property
    def head(self) -> int:
        """The last position heard of; 0 before the first connection."""
        return self._head

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._changed = loop.create_future()
        self._listener = loop.create_task(self._listen_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        await end(self._listener)

    async def wait(self, after: int, timeout: float) -> int:  # noqa: ASYNC109 - running out is an answer
        """Return the head as soon as it is beyond ``after``, or whatever it is after ``timeout`` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while self._head <= after and (remaining := deadline - loop.time()) > 0:
            assert self._changed is not None, "wait only inside the context"
            await asyncio.wait([self._changed], timeout=remaining)
        return self._head

    def _reached(self, head: int) -> None:
        if head > self._head:
            self._head = head
            assert self._changed is not None
            self._changed.set_result(None)
            self._changed = asyncio.get_running_loop().create_future()

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                connection = await connect(self._conninfo)
                try:
                    await self._listen(connection)
                finally:
                    await connection.close()
            except (psycopg.Error, TimeoutError):
                await asyncio.sleep(_PAUSE_S)

    async def _listen(self, connection: Connection) -> None:
        """Listen until the connection breaks: ``psycopg.OperationalError`` or ``TimeoutError``."""
        self.connections += 1
        await connection.execute(LISTEN)
        await connection.execute(LISTEN_TO_HINTS)
        heard = False  # what was appended before we listened is found by looking
        while True:
            if not heard:
                async with asyncio.timeout(_SILENCE_S_MAX):
                    row = await (await connection.execute(HEAD)).fetchone()
                assert row is not None
                self._reached(row[0])
            heard = False
            async for notification in connection.notifies(timeout=POLL_S, stop_after=1):
                heard = True
                if notification.channel == HINTS:
                    self.hinted(notification.payload)
                else:
                    self._reached(int(notification.payload))


def _nobody(_: str) -> None:
    """Nobody in this process cares."""
