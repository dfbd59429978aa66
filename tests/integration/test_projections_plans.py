"""Every question is answered by an index, in a history large enough that a scan would hurt."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from psycopg.sql import SQL

from projections import (
    conflicts,
    divergences,
    exchanges,
    partner_health,
    queues,
    sites,
    ticket_page,
)
from tests.projecting import asking, made

START = datetime(2025, 1, 1, tzinfo=UTC)
TICKETS = 20_000

# Tickets of 40 units, 200 sites and 5 VOs; one in twenty is still open.
FILL = SQL("""
    INSERT INTO view.ticket
    SELECT n, gen_random_uuid(), 4, n * 4, n * 4 - 3,
           CASE WHEN n % 20 = 0 THEN 'assigned' ELSE 'verified' END, n % 20 = 0, 'support', 'NGI_' || n % 40,
           CASE WHEN n % 3 = 0 THEN lpad(to_hex(n % 500), 32, '0')::uuid END,
           lpad(to_hex(n % 900), 32, '0')::uuid, 'urgent', n % 4, 'urgent', 'USER', 'Incident', 'Other',
           (ARRAY['atlas', 'cms', 'alice', 'lhcb', ''])[n % 5 + 1], 'SITE-' || n % 200, '', 'SITE-' || n % 200, NULL,
           at, at, at, NULL, NULL, 0, 0, 4, at, n * 4
      FROM (SELECT n, timestamptz '2025-01-01 00:00Z' + n * interval '20 minutes' AS at
              FROM generate_series(1, {tickets}) AS n) AS made
""").format(tickets=TICKETS)
FILL_OVER = """
    INSERT INTO view.spell_over
    SELECT number, seq, 'assigned', true, 'support', unit, priority, precedence, original_priority, vo, site,
           assignee, type, category, opened_at, waiting_since, from_at + (seq - 4) * interval '1 day',
           from_at + (seq - 3) * interval '1 day', from_position + seq - 4, from_position + seq - 3
      FROM view.ticket, generate_series(1, 3) AS seq
"""
FILL_SITES = """
    INSERT INTO view.site
    SELECT gen_random_uuid(), 1, '2024-01-01 00:00Z', 'infinity', n + 1, 9223372036854775807, false, 'SITE-' || n, '',
           'NGI_' || n % 40, 'Certified', true, true, '', 'UTC', '', '[]', '', NULL
      FROM generate_series(0, 199) AS n
"""
# Conversations with 20 partners; of the messages one in forty waits and one in two hundred is parked.
FILL_HELPDESKS = """
    INSERT INTO view.helpdesk
    SELECT gen_random_uuid(), 1, '2024-01-01 00:00Z', 'infinity', n + 1, 9223372036854775807, false, 'desk_' || n,
           'osg_mail', '[]', '', '', '', 'full', 'live', '2024-01-01 00:00Z', NULL
      FROM generate_series(0, 19) AS n
"""
FILL_EXCHANGES = """
    INSERT INTO view.exchange
    SELECT lpad(to_hex(number), 32, '0')::uuid, 'desk_' || number % 20, number, 'T-' || number, 'REF-' || number,
           '', 3, position, opened_at, changed_at, 1, 1, 0, 0, 0, CASE WHEN number % 500 = 0 THEN 1 ELSE 0 END, '[]',
           CASE WHEN number % 700 = 0 THEN 1 ELSE 0 END, '[]'
      FROM view.ticket
"""
FILL_MESSAGES = """
    INSERT INTO view.message
    SELECT stream, n, helpdesk, (ARRAY['in', 'out'])[n % 2 + 1],
           CASE WHEN n = 2 AND number % 20 = number / 1000 THEN 'pending'
                WHEN n = 3 AND number % 70 = 0 THEN 'parked'
                WHEN n = 3 AND number % 70 = 1 THEN 'refused' ELSE 'applied' END,
           '', '', NULL, 0, '', NULL, 0, 0, '[]', opened_at, opened_at, position * 4 + n, position * 4 + n
      FROM view.exchange, generate_series(1, 3) AS n
"""
FILL_CLAIMS = """
    INSERT INTO ledger.claim
    SELECT 'link:' || helpdesk, external_id, stream, position FROM view.exchange
"""
FILL_PARTNERS = """
    INSERT INTO view.partner
    SELECT helpdesk, max(position), count(*) FILTER (WHERE outcome = 'pending' AND direction = 'in'),
           count(*) FILTER (WHERE outcome = 'pending' AND direction = 'out'),
           count(*) FILTER (WHERE outcome = 'parked' AND direction = 'in'),
           count(*) FILTER (WHERE outcome = 'parked' AND direction = 'out'),
           0, 0, NULL, '', NULL, NULL, NULL, NULL, '{}', '[]'
      FROM view.message GROUP BY helpdesk
"""


@pytest.fixture
async def large(database):
    async with asking(database) as connection:
        await made(connection)
        await connection.execute(FILL)
        await connection.execute(FILL_OVER)
        await connection.execute(FILL_SITES)
        for fill in (FILL_HELPDESKS, FILL_EXCHANGES, FILL_MESSAGES, FILL_CLAIMS, FILL_PARTNERS):
            await connection.execute(fill)
        await connection.execute("ANALYZE")
    return database


class Explaining:
    """In the place of a connection: explains what it is asked to execute, and answers with no rows."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.plans = []

    async def execute(self, statement, values=None):
        explain = SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + (
            SQL(statement.decode())
            if isinstance(statement, bytes)
            else SQL(statement)
            if isinstance(statement, str)
            else statement
        )
        row = await (await self.connection.execute(explain, values)).fetchone()
        self.plans.append(row[0][0])
        return await self.connection.execute("SELECT WHERE false")


def nodes(plan):
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


# The directory is small, and an NGI has many of the tickets here.
HUGE = frozenset({"spell_over", "exchange", "message", "ticket", "claim"})
THEN = START + timedelta(days=250)
PERSON = "00000000-0000-0000-0000-000000000003"
QUESTIONS = {
    "a queue": lambda c: queues.queue(c, unit="NGI_20"),
    "a queue at a time": lambda c: queues.queue(c, unit="NGI_20", as_of=THEN),
    "a queue at a position": lambda c: queues.queue(c, unit="NGI_20", as_of=70_000),
    "a solved queue": lambda c: queues.queue(c, unit="NGI_20", statuses=["solved", "verified"]),
    "the queue of a person": lambda c: queues.queue(c, person=PERSON),
    "the queue of a person at a time": lambda c: queues.queue(c, person=PERSON, as_of=THEN),
    "all counts": queues.queue_counts,
    "a site": lambda c: sites.segments(c, site="SITE-7", begin=THEN, end=THEN + timedelta(days=9)),
    "a VO": lambda c: sites.segments(c, vo="cms", begin=THEN, end=THEN + timedelta(days=2), limit=100),
    "an NGI": lambda c: sites.segments(c, ngi="NGI_3", begin=THEN, end=THEN + timedelta(days=9)),
    "the newest tickets": ticket_page.tickets,
    "the tickets of a unit": lambda c: ticket_page.tickets(c, ticket_page.TicketFilter(unit="NGI_7")),
    "the tickets of a site": lambda c: ticket_page.tickets(c, ticket_page.TicketFilter(site="SITE-7")),
    "the tickets of a submitter": lambda c: ticket_page.tickets(
        c, ticket_page.TicketFilter(submitter=PERSON)
    ),
    "a ticket by a partner's identifier": lambda c: ticket_page.tickets(
        c, ticket_page.TicketFilter(external_id="T-77")
    ),
    "a ticket by the identifier of one partner": lambda c: ticket_page.tickets(
        c, ticket_page.TicketFilter(external_id="REF-77", helpdesk="desk_17")
    ),
    "the exchange board": lambda c: exchanges.board(c, number=7),
    "what was refused": exchanges.refused,
    "what was refused of a partner": lambda c: exchanges.refused(c, helpdesk="desk_7"),
    "what is parked": exchanges.parked,
    "what is parked of a partner": lambda c: exchanges.parked(c, helpdesk="desk_7"),
    "what diverges at a partner": lambda c: divergences.diverging(c, "desk_7"),
    "what is to be compared": lambda c: divergences.linked(c, "desk_7", UUID(int=0), START, 50),
    "what conflicts": conflicts.conflicting,
    "what conflicts with a partner": lambda c: conflicts.conflicting(c, helpdesk="desk_7"),
    "the health of all partners": partner_health.partner_health,
    "the health of a partner": lambda c: partner_health.health_of(c, "desk_7"),
}  # fmt: skip


async def test_no_question_scans_the_tickets_or_the_spells(large):
    async with asking(large) as connection:
        for question, ask in QUESTIONS.items():
            explaining = Explaining(connection)
            await ask(explaining)
            for plan in explaining.plans:
                scanned = {
                    node["Relation Name"]
                    for node in nodes(plan["Plan"])
                    if node["Node Type"] == "Seq Scan"
                }
                assert not scanned & HUGE, question
                print(f"{question:35} {plan['Execution Time']:6.1f} ms")
