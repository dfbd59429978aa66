"""Random lives of tickets: live tables = rebuilt tables = a model small enough to hold in the head."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store.connection import service_conninfo
from domain.errors import Refused
from domain.lifecycle import BALL, OPEN
from domain.ticket import Ticket
from domain.vocabulary import TPM, Visibility
from projections.queues import queue
from projections.rebuild import rebuild
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ENDLESS = 2**63 - 1
UNITS = ("NGI_DE", "NGI_FR")

ACTS = {
    "assign": lambda t, n: t.assign(UNITS[n % 2], notified_site=("", "SITE-B")[n // 2 % 2]),
    "take": lambda t, n: t.take(UUID(int=n + 1)),
    "release": lambda t, _: t.release(),
    "start": lambda t, _: t.start_work(),
    "ask": lambda t, _: t.request_reply("which disk?"),
    "reply": lambda t, _: t.record_reply("the large one"),
    "hold": lambda t, _: t.put_on_hold("the vendor has it"),
    "solve": lambda t, _: t.solve("done"),
    "give up": lambda t, _: t.find_unsolvable("impossible"),
    "verify": lambda t, _: t.verify(),
    "reopen": lambda t, _: t.reopen("not yet"),
    "close": lambda t, _: t.close(),
    "comment": lambda t, _: t.comment("hello", Visibility.PUBLIC),
    "priority": lambda t, n: t.reclassify("priority", ("urgent", "top priority")[n % 2], "why"),
    "vo": lambda t, n: t.reclassify("vo", ("atlas", "cms")[n % 2]),
    "affected": lambda t, n: t.reclassify("affected_site", ("SITE-A", "SITE-B")[n % 2]),
    "issue type": lambda t, n: t.reclassify("issue_type", ("Databases", "Security")[n % 2]),
    "gap": lambda t, n: t.record_history_gap(n + 1),
    "end of site": lambda t, _: t.end_site_notification(),
}  # fmt: skip

# Who, what, with which variation, and how many minutes later: also back in time, as sources are.
STEP = st.tuples(
    st.integers(1, 4), st.sampled_from(sorted(ACTS)), st.integers(0, 3), st.integers(-90, 200)
)

SPELLS = """
    SELECT number, seq, status, open, ball, unit, priority, vo, site, assignee, category, from_at,
           nullif(to_at, 'infinity'), from_position, to_position
      FROM view.spell ORDER BY number, seq
"""


class Model:
    """The spells of tickets by the book: whenever something relevant differs, one ends and one begins."""

    def __init__(self) -> None:
        self.rows: dict[int, list[list]] = {}

    def see(self, ticket: Ticket, position: int) -> None:
        rows = self.rows.setdefault(ticket.number, [])
        facts = [
            ticket.status.value, ticket.status in OPEN, BALL[ticket.status].value, ticket.unit,
            ticket.priority.value, ticket.vo, ticket.notified_site or ticket.affected_site,
            ticket.assignee, ticket.category,
        ]  # fmt: skip
        if rows and rows[-1][2:11] == facts:
            return
        if rows:
            rows[-1][12], rows[-1][14] = ticket.at, position
        rows.append([
            ticket.number, len(rows) + 1, *facts, ticket.at, None, position, ENDLESS,
        ])  # fmt: skip

    def all(self) -> list[tuple]:
        return [tuple(row) for number in sorted(self.rows) for row in self.rows[number]]

    def queue(self, unit: str, at: datetime | int) -> set[int]:
        """Who waits there, asked naively of every spell."""
        first, last = (13, 14) if isinstance(at, int) else (11, 12)
        return {
            row[0]
            for row in self.all()
            if row[3]
            and row[5] == unit
            and row[first] <= at
            and (row[last] is None or at < row[last])
        }


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(STEP, min_size=1, max_size=60), page_max=st.integers(1, 30))
def test_live_rebuilt_and_model_agree_whatever_happens(more_databases, steps, page_max):
    asyncio.run(_simulate(more_databases(), steps, page_max))


async def _simulate(database: str, steps, page_max: int) -> None:
    model, tickets, now, position = Model(), {}, START, 0
    async with (
        stored(database) as store,
        projecting(database, page_max=page_max) as projector,
        asking(database) as connection,
    ):
        for number, act, variation, minutes in steps:
            now += timedelta(minutes=minutes)
            if number not in tickets:
                with by(occurred_at=now):
                    tickets[number] = opened(number, affected_site="SITE-A")
            else:
                with contextlib.suppress(Refused), by(occurred_at=now):
                    ACTS[act](tickets[number], variation)
            ticket = tickets[number]
            if ticket.pending_events:
                assert len(ticket.pending_events) == 1
                receipt = await save(store, ticket)
                position = receipt.position
                model.see(ticket, position)
        await caught_up(projector, store)

        # the live tables are as the model
        assert await (await connection.execute(SPELLS)).fetchall() == model.all()

        # any queue at any moment is as the model
        moments = [START + timedelta(minutes=minutes) for minutes in range(-60, 600, 110)]
        for at in (*moments, *range(1, position + 1, 7)):
            for unit in (TPM, *UNITS):
                found = await queue(connection, unit=unit, as_of=at)
                assert {row.number for row in found.items} == model.queue(unit, at), (unit, at)

        # and so are those built anew
        done = await rebuild(service_conninfo(database, "rebuild"))
        assert all(each.ok for each in done), done
        assert await (await connection.execute(SPELLS)).fetchall() == model.all()
