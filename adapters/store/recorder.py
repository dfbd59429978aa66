"""The door for programs of the ``eventsourcing`` library: its interfaces on our log, by one append path.

``PERSISTENCE_MODULE=adapters.store.recorder`` and ``TICKETLEDGER_DATABASE_URL`` in the environment of an
application put its events into the ledger (``adapters.store.application`` is one that knows ours). The library calls from threads: all of them meet in one event loop in the background.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, Final, LiteralString, TypeVar, cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    DataError,
    InfrastructureFactory,
    InfrastructureFactoryError,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    NotSupportedError,
    OperationalError,
    PersistenceError,
    ProcessRecorder,
    StoredEvent,
    TrackingRecorder,
)

from adapters.store.engine import ALWAYS, PostgresStore
from adapters.store.parcel import Parcel, measure
from adapters.store.wakeup import Wakeup
from domain.aggregate import Claim
from domain.content import Content
from domain.errors import Conflict, Refused, StoreUnavailable
from domain.store import Receipt

ResultT = TypeVar("ResultT")

STREAM_UP: Final = """
    SELECT originator_id, originator_version, topic, state FROM ledger.event
     WHERE originator_id = %b AND originator_version > %b AND originator_version <= %b
     ORDER BY originator_version LIMIT %b
"""
STREAM_DOWN: Final = """
    SELECT originator_id, originator_version, topic, state FROM ledger.event
     WHERE originator_id = %b AND originator_version > %b AND originator_version <= %b
     ORDER BY originator_version DESC LIMIT %b
"""
LOG: Final = """
    SELECT originator_id, originator_version, topic, state, position FROM ledger.event
     WHERE position > %b AND position <= %b ORDER BY position LIMIT %b
"""
LOG_OF_TOPICS: Final = """
    SELECT originator_id, originator_version, topic, state, position FROM ledger.event
     WHERE position > %b AND position <= %b AND topic = ANY(%b::text[]) ORDER BY position LIMIT %b
"""


class _Call:
    """One thread's append. A bare lock: waiting on a ``concurrent.futures.Future`` costs as much again."""

    __slots__ = ("answered", "error", "parcel", "receipt")

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.receipt: Receipt | None = None
        self.error: BaseException | None = None
        self.answered = Lock()
        self.answered.acquire()

    def answer(self, outcome: asyncio.Future[Receipt]) -> None:
        self.error = outcome.exception()
        if self.error is None:
            self.receipt = outcome.result()
        self.answered.release()


class LedgerRecorder(ApplicationRecorder):
    """The library's application recorder on the ledger. Close it when done."""

    def __init__(self, conninfo: str) -> None:
        """Connect to a migrated database. Raises ``OperationalError``."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="ledger-recorder", daemon=True)
        self._thread.start()
        self._closed = False
        self._wakeup = Wakeup(conninfo)
        self._listening = False
        self._calls: deque[_Call] = deque()
        self._loop_knows = False
        try:
            self._store = self._run(PostgresStore.open(conninfo))
        except PersistenceError:
            self._stop_loop()
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._listening:
                self._run(self._wakeup.__aexit__())
            self._run(self._store.close())
            self._stop_loop()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # -- writing -------------------------------------------------------------------------------------

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append in one piece; the positions. ``contents`` and ``claims`` are stored with the events.

        Raises ``IntegrityError`` for a conflict, ``DataError`` for what is too large.
        """
        if kwargs.get("tracking") is not None:
            raise NotSupportedError("positions of other logs are not kept in the ledger")
        if not stored_events:
            return None
        parcel = Parcel(
            [_uuid(event.originator_id) for event in stored_events],
            [event.originator_version for event in stored_events],
            [event.topic for event in stored_events],
            [event.state for event in stored_events],
            cast("Sequence[Content]", kwargs.get("contents", ())),
            cast("Sequence[Claim]", kwargs.get("claims", ())),
        )
        try:
            measure(parcel)
            receipt = self._handed_over(parcel)
        except (Refused, psycopg.Error) as refusal:
            raise _in_their_words(refusal) from refusal
        return list(range(receipt.first_position, receipt.position + 1))

    def _handed_over(self, parcel: Parcel) -> Receipt:
        call = _Call(parcel)
        self._calls.append(call)
        if not self._loop_knows:
            self._loop_knows = True
            self._loop.call_soon_threadsafe(self._submit_all)
        call.answered.acquire()
        if call.error:
            raise call.error
        assert call.receipt is not None
        return call.receipt

    def _submit_all(self) -> None:
        self._loop_knows = False  # before looking: who calls from now on makes us look again
        while self._calls:
            call = self._calls.popleft()
            try:
                self._store.writer.submit(call.parcel).add_done_callback(call.answer)
            except StoreUnavailable as error:
                call.error = error
                call.answered.release()

    # -- reading -------------------------------------------------------------------------------------

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        versions = (-1 if gt is None else gt, ALWAYS if lte is None else lte)
        rows = self._rows(
            STREAM_DOWN if desc else STREAM_UP, [_uuid(originator_id), *versions, _limit(limit)]
        )
        return [StoredEvent(*row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = 0 if start is None else start - inclusive_of_start
        until = ALWAYS if stop is None else stop
        if topics:
            rows = self._rows(LOG_OF_TOPICS, [after, until, list(topics), limit])
        else:
            rows = self._rows(LOG, [after, until, limit])
        return [Notification(*row) for row in rows]

    def max_notification_id(self) -> int | None:
        return self._run(self._store.head()) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> "LedgerSubscription":
        return LedgerSubscription(self, gt, topics)

    def _rows(self, query: LiteralString, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self._run(self._store.rows(query, parameters))

    def follow(self, notified: "LedgerSubscription") -> Future[None]:
        """Wake a subscription whenever the log has grown, until the returned future is cancelled."""
        return asyncio.run_coroutine_threadsafe(self._follow(notified), self._loop)

    async def _follow(self, notified: "LedgerSubscription") -> None:
        if not self._listening:  # who never subscribes is not woken at every append
            self._listening = True
            await self._wakeup.__aenter__()
        head = 0
        while True:
            reached = await self._wakeup.wait(head, timeout=10.0)
            if reached > head:
                head = reached
                notified.wake()

    def _run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except Refused as refusal:
            raise _in_their_words(refusal) from refusal


class LedgerSubscription(ListenNotifySubscription[LedgerRecorder]):
    """Yields what stands in the log, then what is appended, until it is stopped."""

    def __init__(
        self, recorder: LedgerRecorder, gt: int | None = None, topics: Sequence[str] = ()
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._following = recorder.follow(self)

    def wake(self) -> None:
        self._has_been_notified.set()

    def stop(self) -> None:
        self._following.cancel()
        super().stop()


class LedgerFactory(InfrastructureFactory[TrackingRecorder]):
    """What ``PERSISTENCE_MODULE=adapters.store.recorder`` makes."""

    DATABASE_URL: Final = "TICKETLEDGER_DATABASE_URL"
    _recorder: LedgerRecorder | None = None

    def application_recorder(self) -> LedgerRecorder:
        if self._recorder is None:
            conninfo = self.env.get(self.DATABASE_URL)
            if not conninfo:
                raise InfrastructureFactoryError(f"{self.DATABASE_URL} is not set")
            self._recorder = LedgerRecorder(conninfo)
        return self._recorder

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose != "events":
            raise InfrastructureFactoryError(f"the ledger keeps events, no {purpose}")
        return self.application_recorder()

    def tracking_recorder(
        self,
        tracking_recorder_class: type[TrackingRecorder] | None = None,  # noqa: ARG002 - theirs
    ) -> TrackingRecorder:
        raise InfrastructureFactoryError(
            "the ledger keeps no views: name another PERSISTENCE_MODULE with the projection's prefix"
        )

    def process_recorder(self) -> ProcessRecorder:
        raise InfrastructureFactoryError("the ledger keeps no positions of other logs")

    def close(self) -> None:
        if self._recorder is not None:
            self._recorder.close()


def _uuid(originator_id: UUID | str) -> UUID:
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


def _limit(limit: int | None) -> int:
    return ALWAYS if limit is None else limit


def _in_their_words(refusal: Refused | psycopg.Error) -> PersistenceError:
    if isinstance(refusal, Conflict):
        return IntegrityError(str(refusal))
    if isinstance(refusal, StoreUnavailable):
        return OperationalError(str(refusal))
    return DataError(str(refusal))
