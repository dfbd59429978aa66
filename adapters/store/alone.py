"""One of several processes works, the others stand by: by an advisory lock that dies with its connection."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from adapters.store.connection import Connection, connect, service_conninfo
from adapters.tasks import end

TRY_LOCK: Final = "SELECT pg_try_advisory_lock(%b::bigint)"
STILL_THERE: Final = "SELECT 1"
EXCHANGE_LOCK: Final = 5640100004
PUSH_LOCK: Final = 5640100005
CONFORMANCE_LOCK: Final = 5640100006
COMPARISON_LOCK: Final = 5640100009
RETRANSLATION_LOCK: Final = 5640100015
MAILBOX_LOCKS: Final = 1_440_000_000_000
"""From here on 2^32 locks, one for each mailbox."""
_LOOK_S: Final = 1.0
_ANSWER_S_MAX: Final = 3.0


async def alone(
    conninfo: str,
    lock: int,
    work: Callable[[asyncio.Event], Awaitable[None]],
    stop: asyncio.Event,
) -> None:
    """Wait for the lock, then work until ``stop`` is set; end at once when the lock may be lost.

    Raises ``psycopg.OperationalError`` or ``TimeoutError`` when the connection breaks: another process
    may be working already, so the caller is to begin from the start.
    """
    connection = await connect(service_conninfo(conninfo, "sole worker"))
    try:
        while not await _locked(connection, lock):
            if await _stopped_within(stop, _LOOK_S):
                return
        working = asyncio.ensure_future(work(stop))
        watching = asyncio.create_task(_watch(connection))
        try:
            await asyncio.wait([working, watching], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
            else:
                await watching
        finally:
            await end(working, watching)
    finally:
        await connection.close()


async def _locked(connection: Connection, lock: int) -> bool:
    row = await (await connection.execute(TRY_LOCK, [lock], binary=True)).fetchone()
    assert row is not None
    return bool(row[0])


async def _watch(connection: Connection) -> None:
    """Ask from time to time, until the connection does not answer."""
    while True:
        await asyncio.sleep(_LOOK_S)
        async with asyncio.timeout(_ANSWER_S_MAX):
            await connection.execute(STILL_THERE)


async def _stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
    return stop.is_set()
