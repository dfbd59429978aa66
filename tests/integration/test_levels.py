"""Service level statistics from spells, against the same figures folded from events the slow way."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store.connection import service_conninfo
from adapters.store.engine import PostgresStore
from benchmarks import histories
from benchmarks.common import copy_events
from benchmarks.naive_levels import naive_tables
from domain.calendars import Calendar
from domain.errors import Invalid, NotNow
from domain.publications import BUILT_IN, DEFAULT_POLICY, InForce, decide, in_force
from domain.rights import Actor
from domain.service_policy import ggus_policy
from projections.level_figures import Dimension
from projections.level_reading import Filters
from projections.levels import Report, as_bytes, statistics, ticket_levels
from projections.runner import Projector
from tests.scenarios import attributed

JANUARY = datetime(2025, 1, 1, tzinfo=UTC)
NEXT_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING: list[tuple[Dimension, ...]] = [
    ("unit",), ("site",), ("vo",), ("month",), ("priority",), ("unit", "month"), ("month", "vo"),
]  # fmt: skip


@pytest.fixture
async def connection(database: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with await psycopg.AsyncConnection.connect(
        service_conninfo(database, "test"), autocommit=True
    ) as connection:
        yield connection


async def project(database: str, position: int) -> None:
    projector, stop = Projector(service_conninfo(database, "projector")), asyncio.Event()
    running = asyncio.create_task(projector.run(stop))
    try:
        assert await projector.wait_for(position, 30)
    finally:
        stop.set()
        await running


async def rules(database: str) -> InForce:
    async with await PostgresStore.open(database) as store:
        return await in_force(store)


async def report(connection: Any, judged_by: InForce, **more: Any) -> Report:
    asked = {"begin": JANUARY, "end": NEXT_YEAR, "as_of": NEXT_YEAR, "by": EVERYTHING} | more
    return await statistics(connection, judged_by, **asked)


@pytest.mark.parametrize(
    ("begin", "end", "as_of", "part"),
    [
        (JANUARY, NEXT_YEAR, datetime(2026, 6, 1, tzinfo=UTC), 1.0),
        (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC), NEXT_YEAR, 1.0),
        (
            datetime(2025, 3, 10, 8, 30, tzinfo=UTC),
            NEXT_YEAR,
            datetime(2025, 5, 5, 11, tzinfo=UTC),
            1.0,
        ),
        (JANUARY, NEXT_YEAR, NEXT_YEAR, 0.6),
        (
            datetime(2025, 6, 1, tzinfo=UTC),
            datetime(2025, 7, 1, tzinfo=UTC),
            datetime(2025, 2, 1, tzinfo=UTC),
            1.0,
        ),
    ],
)
async def test_statistics_from_spells_equal_those_folded_from_events(
    database: str, connection: Any, begin: datetime, end: datetime, as_of: datetime, part: float
):
    events = histories.year(300)
    copy_events(database, histories.rows(events))
    await project(database, len(events))
    position = int(len(events) * part)
    by = await rules(database)

    asked = await report(connection, by, begin=begin, end=end, as_of=as_of, position=position)

    naive = naive_tables(events[:position], by.levels, begin, end, as_of, [(), *EVERYTHING])
    assert [(table.by, table.groups) for table in asked.tables] == naive


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), days=st.integers(0, 500), frame=st.integers(1, 400))
async def test_any_history_gives_the_same_figures_both_ways(
    more_databases: Any, seed: int, days: int, frame: int
):
    database = more_databases()
    events = histories.year(12, seed)
    copy_events(database, histories.rows(events))
    await project(database, len(events))
    by = await rules(database)
    as_of = JANUARY + timedelta(days=days, seconds=seed)
    begin = JANUARY + timedelta(days=seed % 300)
    end = begin + timedelta(days=frame)
    async with await psycopg.AsyncConnection.connect(
        service_conninfo(database, "test"), autocommit=True
    ) as connection:
        asked = await report(connection, by, begin=begin, end=end, as_of=as_of)

    naive = naive_tables(events, by.levels, begin, end, as_of, [(), *EVERYTHING])
    assert [(table.by, table.groups) for table in asked.tables] == naive


async def test_a_report_of_the_past_stays_the_same_to_the_byte(database: str, connection: Any):
    events = histories.year(200)
    before = len(events) // 2
    by = await rules(database)
    copy_events(database, histories.rows(events[:before]))
    await project(database, before)
    as_of = events[before - 1].occurred_at.replace(microsecond=0)
    first = as_bytes(await report(connection, by, as_of=as_of))

    copy_events(database, histories.rows(events[before:], before + 1))
    await project(database, len(events))

    again = await report(connection, by, as_of=as_of, position=before)
    assert as_bytes(again) == first
    assert as_bytes(await report(connection, by)) != first


async def test_a_position_that_the_projection_has_not_reached_is_refused(
    database: str, connection: Any
):
    await project(database, 0)
    with pytest.raises(NotNow):
        await report(connection, await rules(database), position=5)


async def test_filters_leave_what_a_group_holds(database: str, connection: Any):
    events = histories.year(200)
    copy_events(database, histories.rows(events))
    await project(database, len(events))
    by = await rules(database)
    whole = await report(connection, by)
    groups = {
        table.by: {tuple(g.group.values()): g.figures for g in table.groups}
        for table in whole.tables
    }

    for dimension, filters in (
        (("unit",), Filters(units=("unit-05",))),
        (("vo",), Filters(vos=("vo-03",))),
        (("priority",), Filters(priorities=("urgent",))),
        (("site",), Filters(sites=(next(iter(groups["site",]))[0],))),
    ):
        value = next(
            v for v in (filters.units, filters.vos, filters.priorities, filters.sites) if v
        )
        narrowed = await report(connection, by, filters=filters, by=[])
        assert narrowed.tables[0].groups[0].figures == groups[dimension][value]


async def test_one_ticket_is_explained_as_it_is_judged(database: str, connection: Any):
    events = histories.year(30)
    copy_events(database, histories.rows(events))
    await project(database, len(events))
    by = await rules(database)
    for number in range(1, 31):
        found = await ticket_levels(connection, by, number, as_of=NEXT_YEAR)
        for index, stay in enumerate(found.verdict.stays):
            segments = [each for each in found.segments if each.stay == index]
            assert sum(each.working_s for each in segments) == stay.held_s


async def test_a_new_policy_leaves_the_old_verdicts_beside_the_new_ones(store: Any):
    calendar = Calendar(name="office", version="2025", zone="Europe/Berlin")
    with attributed(Actor.rule("test@1"), at=JANUARY):
        await store_all(store, await decide(store, [ggus_policy("1"), calendar]))
    with attributed(Actor.rule("test@1"), at=NEXT_YEAR):
        await store_all(
            store, await decide(store, [ggus_policy("2", levels={"TPM": "first level"})])
        )

    async def version(**asked: Any) -> str:
        return (await in_force(store, **asked)).levels.basis

    assert await version(as_of=JANUARY - timedelta(days=1)) == f"ggus@{BUILT_IN} office@{BUILT_IN}"
    assert await version(as_of=JANUARY) == "ggus@1 office@2025"
    assert await version() == "ggus@2 office@2025"
    assert await version(position=1) == f"ggus@1 office@{BUILT_IN}"
    assert await version(as_of=JANUARY, policy="ggus@2") == "ggus@2 office@2025"
    assert await version(policy="ggus@built-in") == f"ggus@{BUILT_IN} office@2025"


async def test_what_is_published_never_changes(store: Any):
    with attributed(Actor.rule("test@1")):
        await store_all(store, await decide(store, [ggus_policy("1")]))
        assert await decide(store, [ggus_policy("1")]) == []
        with pytest.raises(Invalid, match="new version"):
            await decide(store, [ggus_policy("1", levels={"TPM": "medium"})])
        with pytest.raises(Invalid, match="built-in"):
            await decide(store, [DEFAULT_POLICY])


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(database) as store:
        yield store


async def store_all(store: PostgresStore, aggregates: list[Any]) -> None:
    from domain.ledger import Ledger

    await Ledger(store).save(*aggregates)
