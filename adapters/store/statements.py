"""What the writer sends: one statement for many commands, and the look at what they touch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from adapters.store.columns import Bodies, Ids, Numbers, Texts
from adapters.store.connection import APPEND_LOCK, Connection
from adapters.store.parcel import Parcel
from adapters.store.verdicts import Standing
from domain.store import Receipt

EVENTS: Final = "SELECT * FROM ledger.append(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[])"
ALL: Final = """
    SELECT * FROM ledger.append(
        %b::uuid[], %b::bigint[], %b::text[], %b::bytea[],
        %b::uuid[], %b::bytea[], %b::text[], %b::bytea[],
        %b::text[], %b::text[], %b::uuid[], %b::bigint[],
        %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::bigint[])
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(%b)"
HEADS: Final = """
    SELECT id, (SELECT originator_version FROM ledger.event WHERE originator_id = id
                ORDER BY originator_version DESC LIMIT 1)
      FROM unnest(%b::uuid[]) AS id
"""
HOLDERS: Final = """
    SELECT kind, key, originator_id
      FROM ledger.claim JOIN unnest(%b::text[], %b::text[]) AS wanted (kind, key) USING (kind, key)
"""
KEYS: Final = """
    SELECT scope, key
      FROM ledger.answer JOIN unnest(%b::text[], %b::text[]) AS wanted (scope, key) USING (scope, key)
"""
CONTENTS: Final = "SELECT id FROM ledger.content WHERE id = ANY(%b::uuid[])"
SAME: Final = """
    SELECT sent.place, event.position, event.recorded_at
      FROM unnest(%b::uuid[], %b::bigint[], %b::bytea[]) WITH ORDINALITY AS sent (id, version, state, place)
      JOIN ledger.event ON originator_id = sent.id AND originator_version = sent.version
                       AND event.state = sent.state
"""


async def send(connection: Connection, batch: Sequence[Parcel]) -> list[Receipt]:
    """Append a batch in one statement. Raises ``psycopg.Error``; then nothing of it is stored."""
    events = (
        Ids([id_ for parcel in batch for id_ in parcel.ids]),
        Numbers([version for parcel in batch for version in parcel.versions]),
        Texts([topic for parcel in batch for topic in parcel.topics]),
        Bodies([state for parcel in batch for state in parcel.states]),
    )
    if any(parcel.contents or parcel.claims or parcel.answer for parcel in batch):
        cursor = await connection.execute(ALL, (*events, *_beside(batch)), binary=True)
    else:
        cursor = await connection.execute(EVENTS, events, binary=True)
    row = await cursor.fetchone()
    assert row is not None
    head, recorded_at = row
    return _receipts(batch, head, recorded_at)


def _receipts(batch: Sequence[Parcel], head: int, recorded_at: datetime) -> list[Receipt]:
    receipts = []
    for parcel in batch:
        first = head + 1
        head += len(parcel.ids)
        receipts.append(Receipt(first, head, recorded_at))
    return receipts


def _beside(batch: Sequence[Parcel]) -> list[list[Any] | None]:
    """The columns of contents, claims and answers; None instead of four empty ones."""
    contents, claims, answers = [], [], []
    place = 0
    for parcel in batch:
        place += len(parcel.ids)
        contents += [(item.id, item.salt, item.media_type, item.body) for item in parcel.contents]
        claims += [(item.kind, item.key, item.originator_id, place) for item in parcel.claims]
        if item := parcel.answer:
            answers.append((item.scope, item.key, item.request_hash, item.body, place))
    return [
        *_columns(contents, Ids, Bodies, Texts, Bodies),
        *_columns(claims, Texts, Texts, Ids, Numbers),
        *_columns(answers, Texts, Texts, Bodies, Bodies, Numbers),
    ]


def _columns(rows: Sequence[tuple[Any, ...]], *kinds: type[list[Any]]) -> list[list[Any] | None]:
    if not rows:
        return [None] * len(kinds)
    columns = zip(*rows, strict=True)
    return [kind(column) for kind, column in zip(kinds, columns, strict=True)]


async def lock(connection: Connection) -> None:
    """Keep every other writer out until the transaction ends."""
    await connection.execute(LOCK, [APPEND_LOCK])


async def standing(connection: Connection, batch: Sequence[Parcel]) -> Standing:
    """What the store holds of what ``batch`` touches."""
    ids = list({id_ for parcel in batch for id_ in parcel.ids})
    claims = [claim for parcel in batch for claim in parcel.claims]
    answers = [parcel.answer for parcel in batch if parcel.answer]
    contents = [content.id for parcel in batch for content in parcel.contents]
    found = Standing(
        dict(await _rows(connection, HEADS, ids)),
        holders={},
        keys=set(),
        contents={id_ for (id_,) in await _rows(connection, CONTENTS, contents)},
    )
    for kind, key, holder in await _rows(
        connection, HOLDERS, [claim.kind for claim in claims], [claim.key for claim in claims]
    ):
        found.holders[kind, key] = holder
    for scope, key in await _rows(
        connection, KEYS, [answer.scope for answer in answers], [answer.key for answer in answers]
    ):
        found.keys.add((scope, key))
    return found


async def stored_already(connection: Connection, batch: Sequence[Parcel]) -> dict[int, Receipt]:
    """Receipts of those that are stored, by place in ``batch``.

    The first event of a command is looked up by version and compared byte by byte: the bytes hold the
    command's identifier, and a command is stored as a whole or not at all.
    """
    firsts: tuple[list[UUID], list[int], list[bytes]] = (
        [parcel.ids[0] for parcel in batch],
        [parcel.versions[0] for parcel in batch],
        [parcel.states[0] for parcel in batch],
    )
    return {
        place - 1: Receipt(position, position + len(batch[place - 1].ids) - 1, recorded_at)
        for place, position, recorded_at in await _rows(connection, SAME, *firsts)
    }


async def _rows(connection: Connection, query: Any, *columns: list[Any]) -> list[tuple[Any, ...]]:
    if not columns[0]:
        return []
    return await (await connection.execute(query, columns, binary=True)).fetchall()
