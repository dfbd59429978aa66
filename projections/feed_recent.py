"""The youngest entries of all feeds, kept by the runner that has just folded them: who is near reads no table.

It knows nothing that the tables do not say, and says nothing where it cannot know all of it.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple
from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.feeds import sealed_in
from projections.feed_pages import CloudEvent, contents_of, shown
from projections.feed_rows import ENTRY, EntryRow
from projections.positions import Written
from projections.projection import Logged

PAGES_MAX: Final = 100
ENTRIES_MAX: Final = 50
"""Of a page: where there are more, they are read from the tables."""


class Young(Struct, frozen=True):
    """An entry with the event that it tells of."""

    row: EntryRow
    event: Event


class _Page(Struct, frozen=True):
    after: int
    position: int
    """The log between the two has been folded."""
    entries: list[Young]


class RecentEntries:
    """What the runner of this process wrote last, page by page, without a gap."""

    def __init__(self) -> None:
        self._pages: deque[_Page] = deque(maxlen=PAGES_MAX)

    def take(self, after: int, events: Sequence[Logged], written: Iterable[Written]) -> None:
        """Feeds have moved on over these events, from ``after`` on; the rows are in their tables."""
        if self._pages and self._pages[-1].position != after:
            self._pages.clear()
        rows: Sequence[EntryRow] = next((rows for table, rows in written if table is ENTRY), [])
        known = {each.position: each.event for each in events} if rows else {}
        # What had happened before the exchange of a ticket began is on no page that is at hand.
        if len(rows) > ENTRIES_MAX or any(each.position not in known for each in rows):
            self._pages.clear()
            return
        young = [Young(each, known[each.position]) for each in rows]
        self._pages.append(_Page(after, events[-1].position, young))

    def between(self, after: int, until: int) -> list[Young] | None:
        """The entries that events after a position led to, at least up to another; None where they are not known."""
        pages = self._pages
        if not pages or pages[-1].position < until or pages[0].after > after:
            return None
        found: list[list[Young]] = []
        for page in reversed(pages):
            if page.position <= after:
                break
            found.append(page.entries)
        return [each for entries in reversed(found) for each in entries]


async def read(
    connection: AsyncConnection[tuple[object, ...]], young: Sequence[Young]
) -> list[CloudEvent]:
    """The entries as their readers get them. Texts are read now: those that were erased are missing."""
    sealed = [each.id for entry in young for each in sealed_in(entry.event).values()]
    contents = await contents_of(connection, sealed)
    return [
        shown(row.helpdesk, row.sequence, row.number, row.rule, row.previous, row.hash, event, contents)
        for row, event in map(astuple, young)
    ]  # fmt: skip
