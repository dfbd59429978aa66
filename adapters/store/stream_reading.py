"""Reading whole streams: those asked for at the same time are read in one statement, as the writer stores.

Asking costs several times what reading ten events does. Nobody waits for company: a question goes as soon
as one of the few ways is free, with those that are there by then.
"""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

Row = tuple[int, datetime, bytes]
"""Position, time of recording, state."""
Ask = Callable[[LiteralString, Sequence[Any]], Awaitable[list[tuple[Any, ...]]]]

STREAMS_MAX: Final = 32
"""In one statement: a few long streams must not keep many callers waiting."""
WAYS_MAX: Final = 2
"""Statements under way at the same time: there is a way past one that takes long."""

# One and several have statements of their own: planning for an array takes longer than reading one stream.
ONE: Final = """
    SELECT position, recorded_at, state FROM ledger.event
     WHERE originator_id = %b AND originator_version > 0
     ORDER BY originator_version
"""
SEVERAL: Final = """
    SELECT position, recorded_at, state, array_position(%b, originator_id) FROM ledger.event
     WHERE originator_id = ANY(%b) AND originator_version > 0
     ORDER BY originator_id, originator_version
"""


class StreamReading:
    """Takes identifiers, gives futures. Belongs to one event loop."""

    def __init__(self, ask: Ask) -> None:
        """``ask`` puts one statement to the database; what it raises is raised to all who wait for it."""
        self._ask = ask
        self._waiting: dict[UUID, list[Future[list[Row]]]] = {}
        self._ways: set[Task[None]] = set()
        self._begins = False
        self.statements = 0
        """Counted since the start, for metrics and tests."""

    def read(self, originator_id: UUID) -> Future[list[Row]]:
        """The rows of a stream from version 1, in order. What was stored before this call is among them."""
        loop = asyncio.get_running_loop()
        future: Future[list[Row]] = loop.create_future()
        self._waiting.setdefault(originator_id, []).append(future)
        if len(self._ways) < WAYS_MAX and not self._begins:
            # It begins after all that are ready to run: what they ask in this turn goes with it.
            self._begins = True
            way = loop.create_task(self._go())
            self._ways.add(way)
            way.add_done_callback(self._ways.discard)
        return future

    async def _go(self) -> None:
        self._begins = False
        try:
            while together := self._next():
                self.statements += 1
                try:
                    answers = await self._rows(list(together))
                except BaseException as error:
                    _refuse(together.values(), error)
                    if not isinstance(error, Exception):  # the loop is shut down
                        _refuse(self._waiting.values(), error)
                        raise
                else:
                    for futures, rows in zip(together.values(), answers, strict=True):
                        for future in futures:
                            if not future.done():  # its caller may have gone away meanwhile
                                future.set_result(rows)
        finally:
            # At once: who asks before the loop tells that the task is done must find the way free.
            way = asyncio.current_task()
            assert way is not None
            self._ways.discard(way)

    def _next(self) -> dict[UUID, list[Future[list[Row]]]]:
        """Those who have waited longest. Who comes while they are served is not served with them."""
        together = {}
        for originator_id in list(self._waiting):
            futures = self._waiting.pop(originator_id)
            if not all(future.done() for future in futures):
                together[originator_id] = futures
                if len(together) == STREAMS_MAX:
                    break
        return together

    async def _rows(self, ids: list[UUID]) -> list[list[Row]]:
        if len(ids) == 1:
            return [await self._ask(ONE, ids)]
        answers: list[list[Row]] = [[] for _ in ids]
        for position, recorded_at, state, place in await self._ask(SEVERAL, [ids, ids]):
            answers[place - 1].append((position, recorded_at, state))
        return answers


def _refuse(waiting: Iterable[Sequence[Future[list[Row]]]], error: BaseException) -> None:
    for futures in waiting:
        for future in futures:
            if not future.done():
                future.set_exception(error)
