"""What every event store does, whatever it is made of: one suite for memory and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.store import parcel
from adapters.store.engine import PostgresStore
from adapters.store.memory import MemoryStore
from domain import clock
from domain.aggregate import Claim
from domain.content import Content, seal
from domain.errors import AlreadyClaimed, Invalid, KeyReplayed, StaleVersion, TooLarge
from domain.store import Answer, Append, EventStore, Receipt, StoredAnswer
from tests.storing import large, one, taken

LINK = "link:osg"


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[EventStore]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        async with await PostgresStore.open(request.getfixturevalue("database")) as store:
            yield store


async def test_positions_start_at_one_and_have_no_holes(store: EventStore):
    stream, other = uuid4(), uuid4()

    first = await store.append(Append([taken(stream, 1), taken(stream, 2), taken(other, 1)]))
    second = await store.append(one(other, 2))

    assert (first.first_position, first.position) == (1, 3)
    assert (second.first_position, second.position) == (4, 4)
    assert await store.head() == 4
    assert [each.position for each in await store.log(0, 10)] == [1, 2, 3, 4]


async def test_an_empty_log_has_head_zero(store: EventStore):
    assert await store.head() == 0
    assert await store.log(0, 10) == []
    assert await store.stream(uuid4()) == []


async def test_what_is_read_is_what_was_stored(store: EventStore):
    stream = uuid4()
    events = [taken(stream, 1), taken(stream, 2)]

    receipt = await store.append(Append(events))

    recorded = await store.stream(stream)
    assert [each.event for each in recorded] == events
    assert recorded == await store.log(0, 10)
    assert {each.recorded_at for each in recorded} == {receipt.recorded_at}
    assert receipt.recorded_at.utcoffset() == timedelta(0)


async def test_recorded_at_never_goes_back_even_when_the_clock_does(store: EventStore):
    stream = uuid4()
    await store.append(one(stream, 1))
    with clock.using(lambda: datetime(2001, 1, 1, tzinfo=UTC)):
        await store.append(one(stream, 2))

    first, second = await store.stream(stream)
    assert first.recorded_at <= second.recorded_at


@pytest.mark.parametrize(
    ("bounds", "versions"),
    [
        ({}, [1, 2, 3, 4]),
        ({"after_version": 2}, [3, 4]),
        ({"until_version": 3}, [1, 2, 3]),
        ({"after_version": 1, "until_version": 3}, [2, 3]),
        ({"until_position": 5}, [1, 2, 3]),
        ({"until_version": 0}, []),
        ({"until_position": 0}, []),
        ({"after_version": 9}, []),
    ],
)
async def test_a_stream_can_be_read_in_part(store: EventStore, bounds: dict, versions: list[int]):
    stream, other = uuid4(), uuid4()
    for version in (1, 2):
        await store.append(one(stream, version))
        await store.append(one(other, version))
    await store.append(Append([taken(stream, 3), taken(stream, 4)]))

    recorded = await store.stream(stream, **bounds)

    assert [each.event.originator_version for each in recorded] == versions


async def test_the_log_is_read_in_pages(store: EventStore):
    stream = uuid4()
    await store.append(Append([taken(stream, version) for version in range(1, 11)]))

    assert [each.position for each in await store.log(3, 4)] == [4, 5, 6, 7]
    assert [each.position for each in await store.log(8, 4)] == [9, 10]


# -- conflicts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2, 4, 9])
async def test_a_version_that_is_not_the_next_one_is_refused(store: EventStore, version: int):
    stream = uuid4()
    await store.append(Append([taken(stream, 1), taken(stream, 2)]))

    with pytest.raises(StaleVersion) as refusal:
        await store.append(one(stream, version))

    assert (refusal.value.expected, refusal.value.actual) == (version - 1, 2)
    assert await store.head() == 2


async def test_a_stream_begins_at_version_one(store: EventStore):
    with pytest.raises(StaleVersion):
        await store.append(one(uuid4(), 2))


@pytest.mark.parametrize("versions", [(1, 1), (2, 1), (1, 3)])
async def test_versions_within_one_append_must_follow_each_other(
    store: EventStore, versions: tuple[int, int]
):
    stream = uuid4()
    with pytest.raises(StaleVersion):
        await store.append(Append([taken(stream, version) for version in versions]))
    assert await store.head() == 0


async def test_a_refused_append_leaves_nothing(store: EventStore):
    stream, taken_before = uuid4(), uuid4()
    await store.append(one(taken_before, 1, claims=[Claim(LINK, "1", taken_before)]))
    _, content = seal(b"text")

    with pytest.raises(AlreadyClaimed):
        await store.append(
            one(
                stream,
                1,
                contents=[content],
                claims=[Claim(LINK, "2", stream), Claim(LINK, "1", stream)],
                answer=Answer("user:x", "key", b"hash"),
            )
        )

    assert await store.stream(stream) == []
    assert await store.contents([content.id]) == {}
    assert await store.holder(LINK, "2") is None
    assert await store.answer("user:x", "key") is None
    assert (await store.append(one(stream, 1))).position == 2


async def test_a_claim_has_one_holder(store: EventStore):
    stream, other = uuid4(), uuid4()
    await store.append(one(stream, 1, claims=[Claim(LINK, "7", stream)]))

    with pytest.raises(AlreadyClaimed) as refusal:
        await store.append(one(other, 1, claims=[Claim(LINK, "7", other)]))

    assert refusal.value.holder == stream
    assert await store.holder(LINK, "7") == stream
    assert await store.holder("link:other", "7") is None


async def test_one_append_cannot_claim_a_name_twice(store: EventStore):
    stream = uuid4()
    claims = [Claim(LINK, "7", stream), Claim(LINK, "7", stream)]
    with pytest.raises(AlreadyClaimed):
        await store.append(one(stream, 1, claims=claims))
    assert await store.head() == 0


async def test_an_idempotency_key_is_used_once_in_its_scope(store: EventStore):
    stream = uuid4()
    answer = Answer("user:x", "key", b"hash", b"body")
    receipt = await store.append(Append([taken(stream, 1), taken(stream, 2)], answer=answer))

    with pytest.raises(KeyReplayed):
        await store.append(one(stream, 1, answer=answer))
    await store.append(one(stream, 3, answer=Answer("user:y", "key", b"hash")))

    assert await store.answer("user:x", "key") == StoredAnswer(answer, 2, receipt.recorded_at)
    assert await store.answer("user:x", "other") is None


async def test_answers_are_forgotten_by_age(store: EventStore):
    receipt = await store.append(one(uuid4(), 1, answer=Answer("user:x", "key", b"hash")))

    assert await store.purge_answers(receipt.recorded_at, 10) == 0
    assert await store.purge_answers(receipt.recorded_at + timedelta(seconds=1), 10) == 1
    assert await store.answer("user:x", "key") is None
    await store.append(one(uuid4(), 1, answer=Answer("user:x", "key", b"hash")))


async def test_answers_are_forgotten_a_few_at_a_time_the_oldest_first(store: EventStore):
    for number in range(5):
        last = await store.append(one(uuid4(), 1, answer=Answer("user:x", str(number), b"hash")))
    later = last.recorded_at + timedelta(seconds=1)

    assert await store.purge_answers(later, 2) == 2
    assert [await store.answer("user:x", each) is None for each in "01234"] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert [await store.purge_answers(later, 2) for _ in range(3)] == [2, 1, 0]


# -- contents --------------------------------------------------------------------------------------------


async def test_contents_stand_beside_the_events_until_they_are_erased(store: EventStore):
    _, kept = seal("Grüße".encode())
    _, erased = seal(b"\x00\xff" * 100, "application/octet-stream")
    await store.append(one(uuid4(), 1, contents=[kept, erased]))
    wanted = [kept.id, erased.id, uuid4()]

    assert await store.contents(wanted) == {kept.id: kept, erased.id: erased}
    assert await store.erase([erased.id, uuid4()]) == 1
    assert await store.contents(wanted) == {kept.id: kept}
    assert await store.contents([]) == {}
    assert await store.head() == 1


async def test_a_content_cannot_be_replaced(store: EventStore):
    _, content = seal(b"text")
    await store.append(one(uuid4(), 1, contents=[content]))
    forged = Content(content.id, b"salt", "text/plain", b"another text")

    with pytest.raises(AlreadyClaimed):
        await store.append(one(uuid4(), 1, contents=[forged]))

    assert await store.contents([content.id]) == {content.id: content}


async def test_ticket_numbers_are_given_once(store: EventStore):
    numbers = [await store.next_number() for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert await store.next_numbers(3) == [4, 5, 6]
    assert await store.next_number() == 7


# -- limits ----------------------------------------------------------------------------------------------


async def test_what_is_too_large_is_refused_before_anything_is_sent(store: EventStore):
    stream = uuid4()
    too_large = [
        Append([taken(stream, 1, "x" * parcel.STATE_BYTES_MAX)]),
        Append([taken(stream, version + 1) for version in range(parcel.EVENTS_MAX + 1)]),
        one(stream, 1, contents=[large(parcel.CONTENT_BYTES_MAX + 1)]),
        one(stream, 1, contents=[large(6 << 20) for _ in range(3)]),
        one(stream, 1, claims=[Claim(LINK, "x" * 1001, stream)]),
        one(stream, 1, answer=Answer("user:x", "x" * 1001, b"")),
    ]
    for append in too_large:
        with pytest.raises(TooLarge):
            await store.append(append)
    assert await store.head() == 0


@pytest.mark.parametrize("key", ["zero \0 character", "half a character \ud800"])
async def test_a_key_that_no_column_can_hold_is_refused(store: EventStore, key: str):
    stream = uuid4()
    with pytest.raises(Invalid):
        await store.append(one(stream, 1, claims=[Claim(LINK, key, stream)]))


async def test_the_largest_append_is_stored(store: EventStore):
    stream = uuid4()
    contents = [large(8 << 20), large(7 << 20)]
    events = [taken(stream, version + 1) for version in range(parcel.EVENTS_MAX)]
    async with asyncio.timeout(10):
        receipt = await store.append(Append(events, contents))
    assert receipt.position == parcel.EVENTS_MAX


# -- many at once ----------------------------------------------------------------------------------------


async def test_of_many_who_want_the_same_version_one_gets_it(store: EventStore):
    stream = uuid4()

    outcomes = await asyncio.gather(
        *(store.append(one(stream, 1)) for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 1
    refusals = [each for each in outcomes if not isinstance(each, Receipt)]
    assert {type(each) for each in refusals} == {StaleVersion}
    assert {each.actual for each in refusals} == {1}
