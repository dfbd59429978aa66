"""An event store in memory, for unit tests and simulations: the same contract, the same rules, no disk.

Events are kept as bytes, so that a test that passes here has written and read its formats.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from adapters.store.parcel import pack
from adapters.store.verdicts import Standing, judge
from domain import clock
from domain.aggregate import BEGINNING
from domain.content import Content
from domain.formats import decode
from domain.store import Append, EventStore, Receipt, Recorded, StoredAnswer


class _Row(Struct, frozen=True, gc=False):
    position: int
    recorded_at: datetime
    state: bytes

    def recorded(self) -> Recorded:
        return Recorded(self.position, self.recorded_at, decode(self.state))


class MemoryStore(EventStore):
    """For one process and one event loop."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []
        self._streams: dict[UUID, list[_Row]] = {}
        self._standing = Standing({}, {}, set(), set())
        self._contents: dict[UUID, Content] = {}
        self._answers: dict[tuple[str, str], StoredAnswer] = {}
        self._number = 0
        self._grown = asyncio.Event()

    async def append(self, append: Append) -> Receipt:
        parcel = pack(append)
        if refusal := judge(parcel, self._standing):
            raise refusal
        first = len(self._rows) + 1
        last_at = self._rows[-1].recorded_at if self._rows else BEGINNING
        recorded_at = max(last_at, clock.now())
        for position, (id_, state) in enumerate(zip(parcel.ids, parcel.states, strict=True), first):
            row = _Row(position, recorded_at, state)
            self._rows.append(row)
            self._streams.setdefault(id_, []).append(row)
        self._contents |= {content.id: content for content in append.contents}
        if answer := append.answer:
            stored = StoredAnswer(answer, len(self._rows), recorded_at)
            self._answers[answer.scope, answer.key] = stored
        self._grown.set()
        self._grown = asyncio.Event()
        return Receipt(first, len(self._rows), recorded_at)

    async def stream(
        self,
        originator_id: UUID,
        *,
        after_version: int = 0,
        until_version: int | None = None,
        until_position: int | None = None,
    ) -> list[Recorded]:
        rows = self._streams.get(originator_id, [])[after_version:until_version]
        return [
            row.recorded()
            for row in rows
            if until_position is None or row.position <= until_position
        ]

    async def log(self, after_position: int, limit: int) -> list[Recorded]:
        return [row.recorded() for row in self._rows[after_position : after_position + limit]]

    async def head(self) -> int:
        return len(self._rows)

    async def holder(self, kind: str, key: str) -> UUID | None:
        return self._standing.holders.get((kind, key))

    async def contents(self, ids: Iterable[UUID]) -> dict[UUID, Content]:
        return {id_: self._contents[id_] for id_ in ids if id_ in self._contents}

    async def answer(self, scope: str, key: str) -> StoredAnswer | None:
        return self._answers.get((scope, key))

    async def next_number(self) -> int:
        (number,) = await self.next_numbers(1)
        return number

    async def next_numbers(self, count: int) -> list[int]:
        self._number += count
        return list(range(self._number - count + 1, self._number + 1))

    async def erase(self, ids: Iterable[UUID]) -> int:
        gone = [id_ for id_ in set(ids) if self._contents.pop(id_, None)]
        self._standing.contents.difference_update(gone)
        return len(gone)

    async def purge_answers(self, before: datetime, most: int) -> int:
        ages = ((name, stored.recorded_at) for name, stored in self._answers.items())
        old = [name for name, recorded_at in ages if recorded_at < before][:most]
        for name in old:
            del self._answers[name]
        self._standing.keys.difference_update(old)
        return len(old)

    async def wait(self, after: int, timeout: float) -> int:  # noqa: ASYNC109 - running out is an answer
        """As ``adapters.store.wakeup.Wakeup.wait``."""
        try:
            async with asyncio.timeout(timeout):
                while len(self._rows) <= after:
                    await self._grown.wait()
        except TimeoutError:
            pass
        return len(self._rows)
