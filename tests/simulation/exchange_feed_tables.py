"""The tables of feeds in memory: the real fold, with its rows and its position written together."""

from collections.abc import Iterable
from random import Random
from typing import Any

from domain.identifiers import ticket_id, ticket_number
from projections.columns import instant
from projections.feed_pages import CloudEvent, shown
from projections.feed_recent import RecentEntries
from projections.feed_rows import ENTRY, EntryRow
from projections.feeds import FeedFold, Feeds
from projections.projection import Logged, logged

TOPICS = frozenset(Feeds.topics)


class _Fold(FeedFold):
    """As in a rebuild: it has all rows in its hands, and asks the log alone."""

    def __init__(self, memory: Any) -> None:
        super().__init__()
        self._memory = memory

    async def look_back(self, _: Any, page: Iterable[Logged]) -> None:
        self._past = {}
        for each in page:
            number = getattr(each.event, "number", 0)
            if not number or ticket_number(each.event.originator_id):
                continue
            stream = await self._memory.stream(ticket_id(number))
            before = [(one.position, one.event) for one in stream if one.position <= each.position]
            self._past[number] = before


class Tables:
    """What the database holds of feeds: rows, and the position that was written with them."""

    def __init__(self, memory: Any, rng: Random) -> None:
        self.memory, self._rng = memory, rng
        self.entries: dict[str, list[EntryRow]] = {}
        self._events: dict[int, Any] = {}
        self._before: dict[str, list[EntryRow]] = {}
        self._begin()

    def _begin(self) -> None:
        self._fold, self.position = _Fold(self.memory), 0

    def build_anew(self) -> None:
        """Empty them: every entry must come again as it was."""
        self._before, self.entries = {**self.entries}, {}
        self._begin()

    async def turn_page(self, limit: int, recent: RecentEntries | None = None) -> None:
        """Fold what follows in the log, and write rows and position together; then ``recent`` hears of it."""
        found = await self.memory.log(self.position, limit)
        whole = [logged(each.position, instant(each.recorded_at), each.event) for each in found]
        page = [each for each in whole if type(each.event) in TOPICS]
        await self._fold.look_back(None, page)
        self._fold.apply(page)
        self._events |= {each.position: each.event for each in page}
        written = list(self._fold.entries.take(everything=True))
        for row in written:
            rows = self.entries.setdefault(row.helpdesk, [])
            rows.append(row)
            before = self._before.get(row.helpdesk, [])
            assert before[len(rows) - 1 : len(rows)] in ([], [row]), "another entry than before"
        if recent is not None and whole:
            recent.take(self.position, whole, [(ENTRY, written)])
        self.position = found[-1].position if found else self.position

    def mark(self, helpdesk: str, sequence: int) -> str:
        """The hash of an entry; empty where there is none."""
        rows = self.entries.get(helpdesk, [])
        return rows[sequence - 1].hash if 0 < sequence <= len(rows) else ""

    async def after(self, helpdesk: str, after: int, limit: int) -> list[CloudEvent]:
        rows = self.entries.get(helpdesk, [])[after : after + limit]
        found = []
        for row in rows:
            event = self._events[row.position]
            ids = [value.id for value in _sealed(event)]
            found.append(
                shown(
                    helpdesk, row.sequence, row.number, row.rule, row.previous, row.hash, event,
                    await self.memory.contents(ids),
                )
            )  # fmt: skip
        return found


def _sealed(event: Any) -> Iterable[Any]:
    values = (getattr(event, name) for name in event.__struct_fields__)
    return [value for value in values if hasattr(value, "commitment")]
