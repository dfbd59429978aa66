"""Timelines page by page: all pages together are the whole, and each costs what stands on it."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from benchmarks.common import analyze, copy_events
from benchmarks.histories import commented, rows
from domain.errors import Invalid, TicketNotFound
from domain.exchange import Exchange
from domain.vocabulary import Visibility
from projections.timeline import FROM_POSITION, asked_of, latest, timeline
from projections.timeline_entries import Entry
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
ENTRIES = 3_000
READ = """
    SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
     WHERE schemaname = 'ledger' AND relname = 'event'
"""


async def paged(connection: AsyncConnection, number: int, limit: int, **chosen) -> list[Entry]:
    found, cursor = [], None
    while True:
        page = await timeline(connection, number, limit=limit, cursor=cursor, **chosen)
        assert len(page.items) == limit or page.next is None
        found += page.items
        if page.next is None:
            return found
        cursor = page.next


async def lived(store) -> None:
    """A ticket with two conversations, a tenth internal, each source with a clock of its own."""
    chance = random.Random(7)
    conversations = [Exchange(uuid4()), Exchange(uuid4())]
    with by(occurred_at=BEGAN):
        ticket = opened(1)
        for name, conversation in zip(("osg", "savannah"), conversations, strict=True):
            conversation.open(name, 1)
        await save(store, ticket)
        await save(store, *conversations)
    for step in range(60):
        at = BEGAN + timedelta(minutes=step + chance.randrange(-9, 9))
        with by(occurred_at=at):
            match chance.randrange(3):
                case 0:
                    how = chance.choice((Visibility.PUBLIC, Visibility.PUBLIC, Visibility.INTERNAL))
                    ticket.comment(f"entry {step}", how)
                    await save(store, ticket)
                case way:
                    conversation = conversations[way - 1]
                    reference = conversation.receive(
                        f"<{step}@x.test>", b"raw", "text/plain", "x@1"
                    )
                    conversation.apply_message(reference, 1, 1)
                    await save(store, conversation)


async def test_pages_of_any_length_are_the_whole_in_order_also_as_of_any_moment(database):
    async with stored(database) as store, projecting(database) as projector:
        await lived(store)
        await caught_up(projector, store)
        head = await store.head()
        moments = [None, head // 3, head, *(BEGAN + timedelta(minutes=m) for m in (5, 20, 31, 90))]
        async with asking(database) as connection:
            counts = Counter()
            for as_of in moments:
                for internal in (True, False):
                    chosen = {"as_of": as_of, "internal": internal}
                    whole, _ = await latest(connection, 1, **chosen)
                    for limit in (1, 4, 7, 200):
                        assert await paged(connection, 1, limit, **chosen) == whole
                    counts[internal] += len(whole)
                    for _, group in groupby(whole, lambda each: each.kind):
                        same = list(group)
                        assert {each.group for each in same} == {same[0].position}
            assert counts[True] > counts[False] > 100
            with pytest.raises(TicketNotFound):
                await timeline(connection, 1, as_of=BEGAN - timedelta(minutes=1))
            with pytest.raises(TicketNotFound):
                await timeline(connection, 2)
            with pytest.raises(Invalid):
                await timeline(connection, 1, cursor="e30")


async def test_what_is_internal_is_left_in_the_log_by_who_may_not_see_it(database):
    """So a page among many internal entries costs no decoding of these; what is shown is judged once more."""
    async with stored(database) as store, projecting(database) as projector:
        with by():
            ticket = opened(1)
            for _ in range(300):
                ticket.comment('{"visibility":"public"}', Visibility.INTERNAL)
            ticket.attach("x.log", "text/plain", b"x", Visibility.INTERNAL)
            ticket.comment('{"visibility":"internal"}', Visibility.PUBLIC)
            ticket.attach('"visibility":"internal"', "text/plain", b"y", Visibility.PUBLIC)
            await save(store, ticket)
        await caught_up(projector, store)
        async with asking(database) as connection:
            cursor = await connection.execute(FROM_POSITION, asked_of([ticket.id], 0, 50))
            assert len(await cursor.fetchall()) == 3
            page = await timeline(connection, 1, limit=50)
            assert [each.version for each in page.items] == [1, 303, 304]


@pytest.mark.parametrize("internal", [True, False])
async def test_a_page_reads_what_stands_on_it_however_long_the_ticket_is(database, internal):
    copy_events(database, rows(list(commented(1, ENTRIES - 1))))
    analyze(database)
    async with (
        projecting(database) as projector,
        stored(database) as store,
        store.pool.connection(30) as connection,
        connection.transaction(),
    ):
        await caught_up(projector, store)
        middle = (await timeline(connection, 1, limit=200, internal=internal)).next
        for _ in range(ENTRIES // 200 - 2):
            middle = (
                await timeline(connection, 1, limit=200, internal=internal, cursor=middle)
            ).next
        for cursor in (None, middle):
            [before] = await (await connection.execute(READ)).fetchone()
            page = await timeline(connection, 1, limit=20, internal=internal, cursor=cursor)
            assert len(page.items) == 20
            [after] = await (await connection.execute(READ)).fetchone()
            assert 20 < after - before < 100
