"""The feed of a partner as it is read: entries with their texts, and where a moment stands in it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.content import Content
from domain.feeds import Entry, Mark, sealed_in, shown_text, told_as
from domain.formats import decode
from projections.paging import checked_limit

LIMIT_MAX: Final = 500
TYPE_PREFIX: Final = "org.ticketledger."

ENTRIES: Final = """
    SELECT entry.sequence, entry.number, entry.rule, entry.previous, entry.hash, event.state
      FROM view.feed_entry AS entry JOIN ledger.event USING (position)
     WHERE entry.helpdesk = %b AND entry.sequence > %b ORDER BY entry.sequence LIMIT %b
"""
CONTENTS: Final = "SELECT id, salt, media_type, body FROM ledger.content WHERE id = ANY(%b)"
LASTS: Final = "SELECT helpdesk, last FROM view.feed WHERE helpdesk = ANY(%b)"
STATE: Final = "SELECT last, hash, changed_at FROM view.feed WHERE helpdesk = %b"
BEFORE: Final = """
    SELECT sequence, hash FROM view.feed_entry
     WHERE helpdesk = %b AND entered_at < %b ORDER BY sequence DESC LIMIT 1
"""
PLACE: Final = """
    SELECT feed.last, entry.sequence, entry.hash
      FROM (VALUES (%(helpdesk)s)) AS asked (helpdesk)
      LEFT JOIN view.feed USING (helpdesk)
      LEFT JOIN LATERAL (SELECT sequence, hash FROM view.feed_entry
                          WHERE feed_entry.helpdesk = asked.helpdesk AND sequence <= %(sequence)s
                          ORDER BY sequence DESC LIMIT 2) AS entry ON true
     ORDER BY entry.sequence DESC
"""

Connection = AsyncConnection[Any]


class CloudEvent(Struct, frozen=True, gc=False):
    """An entry as a CloudEvent 1.0 in JSON."""

    specversion: str
    id: str
    """Unique in the federation of readers: the helpdesk and the sequence."""
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    sequence: str
    """The extension of that name: as many digits always, so that words sort as numbers."""
    data: Entry


class FeedPage(Struct, frozen=True):
    items: list[CloudEvent]
    last: int
    """The sequence of the last item, or what was asked for where there is none."""
    hash: str | None
    """Of the last item; null where there is none."""


class FeedState(Struct, frozen=True):
    helpdesk: str
    last: int
    hash: str
    changed_at: datetime | None


class FeedPlace(Struct, frozen=True, kw_only=True):
    """Where a sequence stands in a feed."""

    here: str | None
    """The hash of the entry that has it; None where none has."""
    before: Mark
    """The last entry before it."""
    last: int
    """The last sequence of the feed."""


async def entries(
    connection: Connection, helpdesk: str, after: int, limit: int
) -> list[CloudEvent]:
    """The entries that follow a sequence. Texts that were erased are missing."""
    checked_limit(limit, LIMIT_MAX)
    cursor = await connection.execute(ENTRIES, (helpdesk, after, limit), binary=True)
    rows = [(*row[:5], decode(row[5])) for row in await cursor.fetchall()]
    sealed = [each.id for row in rows for each in sealed_in(row[5]).values()]
    contents = await contents_of(connection, sealed)
    return [
        shown(helpdesk, sequence, number, rule, previous, hash_, event, contents)
        for sequence, number, rule, previous, hash_, event in rows
    ]


def shown(
    helpdesk: str, sequence: int, number: int, rule: str, previous: str, hash_: str, event: Event,
    contents: Mapping[UUID, Content],
) -> CloudEvent:  # fmt: skip
    """An entry as its reader gets it, with those of its texts that there are."""
    entry = Entry(
        sequence=sequence,
        previous=previous,
        hash=hash_,
        rule=rule,
        event=told_as(event, number),
        texts={name: shown_text(contents.get(each.id)) for name, each in sealed_in(event).items()},
    )
    return _cloud_event(helpdesk, entry)


def page_of(items: Sequence[CloudEvent], after: int) -> FeedPage:
    last = items[-1].data if items else None
    return FeedPage(list(items), last.sequence if last else after, last.hash if last else None)


async def lasts(connection: Connection, helpdesks: Iterable[str]) -> dict[str, int]:
    """The sequence of the last entry of each feed that has one."""
    cursor = await connection.execute(LASTS, [list(helpdesks)], binary=True)
    return dict(await cursor.fetchall())


async def state(connection: Connection, helpdesk: str) -> FeedState:
    row = await (await connection.execute(STATE, [helpdesk])).fetchone()
    if row is None or not row[0]:
        return FeedState(helpdesk, 0, Mark().hash, None)
    return FeedState(helpdesk, *row)


async def mark_at(connection: Connection, helpdesk: str, at: datetime) -> Mark:
    """Where a reader stands who has read all that could be read before ``at``."""
    row = await (await connection.execute(BEFORE, (helpdesk, at))).fetchone()
    return Mark(*row) if row else Mark()


async def place_of(connection: Connection, helpdesk: str, sequence: int) -> FeedPlace:
    """Where a sequence stands in a feed, as it is at one moment."""
    values = {"helpdesk": helpdesk, "sequence": sequence}
    rows = await (await connection.execute(PLACE, values)).fetchall()
    marks = [Mark(at, hash_) for _, at, hash_ in rows if at is not None] + [Mark()]
    here = marks[0].hash if marks[0].sequence == sequence else None
    before = marks[1] if here is not None and sequence else marks[0]
    return FeedPlace(here=here, before=before, last=rows[0][0] or 0)


async def contents_of(connection: Connection, ids: list[Any]) -> dict[Any, Content]:
    if not ids:
        return {}
    cursor = await connection.execute(CONTENTS, [ids], binary=True)
    return {row[0]: Content(*row) for row in await cursor.fetchall()}


def _cloud_event(helpdesk: str, entry: Entry) -> CloudEvent:
    return CloudEvent(
        specversion="1.0",
        id=f"{helpdesk}:{entry.sequence}",
        source=f"/api/v1/feeds/{helpdesk}",
        type=TYPE_PREFIX + entry.event.topic,
        subject=f"tickets/{entry.event.ticket}" if entry.event.ticket else f"feeds/{helpdesk}",
        time=entry.event.occurred_at,
        datacontenttype="application/json",
        sequence=f"{entry.sequence:012d}",
        data=entry,
    )


rendered: Final = msgspec.json.Encoder().encode
"""A CloudEvent or a page, as bytes."""
