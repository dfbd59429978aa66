"""The event store on PostgreSQL: ``domain.store.EventStore`` with one writer and a few readers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from adapters.store.connection import PATIENCE_S, Connection, first_line, service_conninfo
from adapters.store.group_commit import STATEMENT_S_MAX, GroupCommit
from adapters.store.numbers import Numbers
from adapters.store.parcel import pack
from adapters.store.stream_reading import StreamReading
from adapters.store.written import Written
from domain.content import Content
from domain.errors import StoreUnavailable
from domain.store import Answer, Append, EventStore, Receipt, Recorded, StoredAnswer

T = TypeVar("T")
ALWAYS: Final = 2**63 - 1
"""A version or position that no log reaches."""

PART: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE originator_id = %b AND originator_version > %b AND originator_version <= %b AND position <= %b
     ORDER BY originator_version
"""
LOG: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE position > %b ORDER BY position LIMIT %b
"""
HEAD: Final = "SELECT coalesce(max(position), 0) FROM ledger.event"
HOLDER: Final = "SELECT originator_id FROM ledger.claim WHERE kind = %b AND key = %b"
CONTENTS: Final = "SELECT id, salt, media_type, body FROM ledger.content WHERE id = ANY(%b)"
ANSWER: Final = """
    SELECT request_hash, body, position, recorded_at FROM ledger.answer WHERE scope = %b AND key = %b
"""
NEXT_NUMBERS: Final = "SELECT nextval('ledger.ticket_number') FROM generate_series(1, %b)"
ERASE: Final = "DELETE FROM ledger.content WHERE id = ANY(%b) RETURNING id"
PURGE: Final = """
    WITH old AS MATERIALIZED (
        SELECT scope, key FROM ledger.answer WHERE recorded_at < %b
         ORDER BY recorded_at LIMIT %b::bigint)
    DELETE FROM ledger.answer USING old
     WHERE answer.scope = old.scope AND answer.key = old.key RETURNING answer.key
"""


_WRITER_SETTINGS: Final = (
    # Planning anew for each array would take as long as appending (measured: 50 of 107 us a call).
    "plan_cache_mode=force_generic_plan",
    # A plan made while the table was tiny would scan it all when it no longer is.
    "enable_seqscan=off",
    # A frozen program must not keep the others from writing.
    "idle_in_transaction_session_timeout=10000",
)


class PostgresStore(EventStore):
    """Open it once per process, in the event loop that uses it."""

    def __init__(self, writer: GroupCommit, pool: AsyncConnectionPool[Connection]) -> None:
        self.writer = writer
        self._numbers = Numbers(self.next_numbers)
        self.pool = pool
        """Service connections in autocommit, for the questions of others too. None is kept long."""
        self.streams = StreamReading(self.rows)
        self._written = Written()

    @classmethod
    async def open(cls, conninfo: str, *, readers_max: int = 4) -> Self:
        """Connect to a migrated database, as the service's role. Raises ``StoreUnavailable``.

        ``conninfo`` is that of a user who may take the role; no more than ``readers_max`` + 1
        connections are used.
        """
        limit = f"statement_timeout={STATEMENT_S_MAX * 1000:.0f}"
        writer = GroupCommit(service_conninfo(conninfo, "writer", limit, *_WRITER_SETTINGS))
        await writer.open()
        pool = AsyncConnectionPool[Connection](
            service_conninfo(conninfo, "reader", "statement_timeout=30000"),
            min_size=1,
            max_size=readers_max,
            open=False,
            timeout=PATIENCE_S,
            # The pool gives up early and begins afresh with the next question, instead of pausing ever longer.
            reconnect_timeout=1.0,
            kwargs={"autocommit": True, "prepare_threshold": 0},
        )
        await pool.open()
        store = cls(writer, pool)
        try:
            await store.head()
        except psycopg.ProgrammingError as error:
            await store.close()
            raise StoreUnavailable("the database holds no ledger: migrate it first") from error
        return store

    async def close(self) -> None:
        """Finish the writes under way and disconnect."""
        await self.writer.close()
        await self.pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- writing -------------------------------------------------------------------------------------

    async def append(self, append: Append) -> Receipt:
        parcel = pack(append)
        self._written.remember(parcel.states, append.events)
        return await self.writer.submit(parcel)

    async def next_number(self) -> int:
        return await self._numbers.next()

    async def next_numbers(self, count: int) -> list[int]:
        return sorted(number for (number,) in await self.rows(NEXT_NUMBERS, [count]))

    async def erase(self, ids: Iterable[UUID]) -> int:
        """Delete contents for ever; how many there were. The events that refer to them stay."""
        return len(await self.rows(ERASE, [list(ids)]))

    async def purge_answers(self, before: datetime, most: int) -> int:
        return len(await self.rows(PURGE, [before, most]))

    # -- reading -------------------------------------------------------------------------------------

    async def stream(
        self,
        originator_id: UUID,
        *,
        after_version: int = 0,
        until_version: int | None = None,
        until_position: int | None = None,
    ) -> list[Recorded]:
        if after_version == 0 and until_version is None and until_position is None:
            return self._recorded(await self.streams.read(originator_id))
        until = ALWAYS if until_version is None else until_version
        position = ALWAYS if until_position is None else until_position
        return self._recorded(
            await self.rows(PART, [originator_id, after_version, until, position])
        )

    async def log(self, after_position: int, limit: int) -> list[Recorded]:
        return self._recorded(await self.rows(LOG, [after_position, limit]))

    def _recorded(self, rows: Sequence[tuple[Any, ...]]) -> list[Recorded]:
        event = self._written.event
        return [
            Recorded(position, recorded_at, event(state)) for position, recorded_at, state in rows
        ]

    async def head(self) -> int:
        ((head,),) = await self.rows(HEAD)
        return int(head)

    async def holder(self, kind: str, key: str) -> UUID | None:
        rows = await self.rows(HOLDER, [kind, key])
        return rows[0][0] if rows else None

    async def contents(self, ids: Iterable[UUID]) -> dict[UUID, Content]:
        wanted = list(ids)
        rows = await self.rows(CONTENTS, [wanted]) if wanted else []
        return {row[0]: Content(*row) for row in rows}

    async def answer(self, scope: str, key: str) -> StoredAnswer | None:
        rows = await self.rows(ANSWER, [scope, key])
        if not rows:
            return None
        request_hash, body, position, recorded_at = rows[0]
        return StoredAnswer(Answer(scope, key, request_hash, body), position, recorded_at)

    async def rows(
        self, query: LiteralString, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows that a statement finds. Raises ``StoreUnavailable``."""

        async def found(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = await connection.execute(query, parameters, binary=True)
            return await cursor.fetchall()

        return await self.ask(found)

    async def ask(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask on a reading connection, anew if the database went away meanwhile.

        Raises ``StoreUnavailable`` within ``PATIENCE_S``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while True:
            try:
                async with self.pool.connection(deadline - loop.time()) as connection:
                    try:
                        return await question(connection)
                    except psycopg.OperationalError as error:
                        if not connection.closed or loop.time() >= deadline:
                            raise _unavailable(error) from error
            except (PoolTimeout, PoolClosed) as error:
                raise _unavailable(error) from error


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the database cannot be asked: {first_line(error)}")
