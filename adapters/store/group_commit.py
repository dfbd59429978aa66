"""The writer: commands that arrive together are appended in one transaction, each with its own outcome.

One connection, one batch under way at a time; whatever arrives meanwhile is the next batch. Three ways:

*Straight*: one statement. If somebody is to blame it fails as a whole, and then
*checked*: under the store's lock each command is judged by itself, the innocent ones are appended.
*After a loss* of the connection the outcome is unknown: the same as checked, but what is found stored
byte by byte was ours and succeeded. A second loss in a row is reported as ``StoreUnavailable``.
"""

import asyncio
from asyncio import Future, Task
from collections import deque
from typing import Final

import psycopg
from psycopg import errors

from adapters.store import statements
from adapters.store.connection import PATIENCE_S, Connection, connect_within, first_line
from adapters.store.parcel import Parcel
from adapters.store.verdicts import judge
from domain.errors import StoreUnavailable
from domain.store import Receipt

BATCH_EVENTS_MAX: Final = 4000
BATCH_BYTES_MAX: Final = 8 << 20
QUEUE_PARCELS_MAX: Final = 20_000
QUEUE_BYTES_MAX: Final = 64 << 20
STATEMENT_S_MAX: Final = 10.0
"""The server gives up a statement after this; waiting for another writer's lock counts."""
_SILENCE_S_MAX: Final = STATEMENT_S_MAX + 2.0
"""Without an answer for so long the connection is given up: the server is frozen or gone."""


class GroupCommit:
    """Takes parcels, gives futures. Belongs to one event loop."""

    def __init__(self, conninfo: str) -> None:
        """``conninfo`` is that of a service connection with ``statement_timeout`` set."""
        self._conninfo = conninfo
        self._connection: Connection | None = None
        self._queue: deque[Parcel] = deque()
        self._queued_bytes = 0
        self._writer: Task[None] | None = None
        self._closed = False
        self.batches = self.checked = self.losses = 0
        """Counted since the start, for metrics and tests."""

    async def open(self) -> None:
        """Connect, so that a wrong address is told at the start. Raises ``StoreUnavailable``."""
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        self._connection = await connect_within(self._conninfo, deadline)

    async def close(self) -> None:
        """Take no more, finish what is under way, disconnect."""
        self._closed = True
        if self._writer:
            await self._writer
        if self._connection:
            await self._connection.close()

    def submit(self, parcel: Parcel) -> Future[Receipt]:
        """Queue a measured parcel. Cancelling the future keeps back what was not sent yet.

        Raises ``StoreUnavailable`` at once when too much waits already.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if (
            len(self._queue) >= QUEUE_PARCELS_MAX
            or self._queued_bytes + parcel.size > QUEUE_BYTES_MAX
        ):
            raise StoreUnavailable("too many writes are waiting; try again in a moment")
        loop = asyncio.get_running_loop()
        parcel.receipt = loop.create_future()
        self._queue.append(parcel)
        self._queued_bytes += parcel.size
        if self._writer is None:
            self._writer = loop.create_task(self._drain())
        return parcel.receipt

    async def _drain(self) -> None:
        batch: list[Parcel] = []
        try:
            while self._queue:
                batch = self._next_batch()
                if batch:
                    await self._commit(batch)
        except BaseException as error:
            # Ours: a mistake in this file or a loop that is shut down. Nobody may wait for ever.
            for parcel in (*batch, *self._take_all()):
                _refuse(parcel, error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._writer = None

    def _next_batch(self) -> list[Parcel]:
        batch: list[Parcel] = []
        events = size = 0
        queue = self._queue
        while queue:
            parcel = queue[0]
            events += len(parcel.ids)
            size += parcel.size
            if batch and (events > BATCH_EVENTS_MAX or size > BATCH_BYTES_MAX):
                break
            self._queued_bytes -= queue.popleft().size
            if parcel.receipt.done():  # its caller went away
                events -= len(parcel.ids)
                size -= parcel.size
            else:
                batch.append(parcel)
        return batch

    def _take_all(self) -> list[Parcel]:
        waiting = list(self._queue)
        self._queue.clear()
        self._queued_bytes = 0
        return waiting

    async def _commit(self, batch: list[Parcel]) -> None:
        self.batches += 1
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        lost: BaseException | None = None
        for _ in range(2):
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await connect_within(self._conninfo, deadline)
            except StoreUnavailable as error:
                # Whoever came meanwhile has waited too; the next to come tries again.
                _refuse_all([*batch, *self._take_all()], str(error))
                return
            try:
                async with asyncio.timeout(_SILENCE_S_MAX):
                    if lost is None:
                        await self._append(self._connection, batch)
                    else:
                        await self._append_checked(self._connection, batch, after_loss=True)
            except (psycopg.Error, TimeoutError) as error:
                self.losses += 1
                lost = error
                batch = [parcel for parcel in batch if not parcel.receipt.done()]
                await self._connection.close()
                deadline = asyncio.get_running_loop().time() + PATIENCE_S
            else:
                return
        assert lost is not None
        _refuse_all(batch, f"the database was lost twice: {first_line(lost)}")

    async def _append(self, connection: Connection, batch: list[Parcel]) -> None:
        """Raises ``psycopg.Error`` when the connection is lost, and only then."""
        try:
            _tell(batch, await statements.send(connection, batch))
        except errors.UniqueViolation:
            await self._append_checked(connection, batch)
        except psycopg.Error as error:
            if connection.closed:
                raise
            await self._append_each(connection, batch, error)

    async def _append_checked(
        self, connection: Connection, batch: list[Parcel], *, after_loss: bool = False
    ) -> None:
        self.checked += 1
        try:
            async with connection.transaction():
                await statements.lock(connection)
                stored = await statements.stored_already(connection, batch) if after_loss else {}
                standing = await statements.standing(connection, batch)
                for place, receipt in stored.items():
                    _tell([batch[place]], [receipt])
                unknown = [parcel for place, parcel in enumerate(batch) if place not in stored]
                verdicts = [(parcel, judge(parcel, standing)) for parcel in unknown]
                good = [parcel for parcel, refusal in verdicts if refusal is None]
                receipts = await statements.send(connection, good) if good else []
            _tell(good, receipts)
            for parcel, refusal in verdicts:
                if (
                    refusal
                ):  # not before the commit: it may lean on a command that was stored with it
                    _refuse(parcel, refusal)
        except psycopg.Error as error:
            if connection.closed:
                raise
            await self._append_each(connection, [p for p in batch if not p.receipt.done()], error)

    async def _append_each(
        self, connection: Connection, batch: list[Parcel], error: psycopg.Error
    ) -> None:
        """The statement was refused for another reason than a conflict: find out whose fault it is."""
        if _unavailable(error):
            if isinstance(error, errors.ReadOnlySqlTransaction):
                await connection.close()  # a standby answered: the next batch looks for the primary
            _refuse_all(batch, f"the database refuses: {first_line(error)}")
        elif len(batch) == 1:
            _refuse(batch[0], error)
        else:
            for parcel in batch:
                await self._append(connection, [parcel])


def _unavailable(error: psycopg.Error) -> bool:
    """Whether it would go better another time: no space, no memory, a timeout, a standby, a deadlock."""
    return isinstance(
        error,
        (
            errors.QueryCanceled,
            errors.ReadOnlySqlTransaction,
            errors.LockNotAvailable,
            errors.DeadlockDetected,
            errors.SerializationFailure,
            errors.DiskFull,
            errors.OutOfMemory,
            errors.InsufficientResources,
            errors.IoError,
        ),
    )


def _tell(parcels: list[Parcel], receipts: list[Receipt]) -> None:
    for parcel, receipt in zip(parcels, receipts, strict=True):
        if not parcel.receipt.done():  # its caller may have gone away while it was sent
            parcel.receipt.set_result(receipt)


def _refuse(parcel: Parcel, error: BaseException) -> None:
    if not parcel.receipt.done():
        parcel.receipt.set_exception(error)


def _refuse_all(parcels: list[Parcel], message: str) -> None:
    for parcel in parcels:
        _refuse(parcel, StoreUnavailable(message))
