"""Spells: one row per ticket and period in which nothing relevant changed. The heart of the read side.

Who held a ticket, in which status, with whose turn to act: queues as of any moment, the site view, service
levels and waiting times are all questions to ``view.spell``. A spell knows its times (as things happened) and
its positions (as they were recorded). Spells of a ticket follow each other without a hole; one that lasted no
time at all (opened and assigned in the same instant) is kept, since it has positions.

The spell that lasts is part of the ticket's row; those that are over stand in a table that only grows. So
a change writes one new row and touches no index twice.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg.sql import SQL

from projections.columns import Instant
from projections.tables import Table, View


class Spell(Struct, kw_only=True, gc=False):
    number: int
    seq: int
    """1 for the first spell of a ticket."""
    status: str
    open: bool
    """Whether somebody has to work on it in this status."""
    ball: str
    unit: str
    priority: str
    precedence: int
    """0 for the highest priority: smaller ones come first in a queue."""
    original_priority: str
    vo: str
    site: str
    """The notified site, or else the affected one."""
    assignee: UUID | None
    type: str
    category: str
    opened_at: Instant
    waiting_since: Instant
    """Since when the ticket is in this status with this unit, however many spells that takes."""
    from_at: Instant
    to_at: Instant
    from_position: int
    to_position: int


# What ended late comes last in an index: a moment in the recent past is found among few rows, and whether the
# spell had begun is seen in the index itself.
SPELL_OVER: Final = Table(
    "spell_over",
    Spell,
    key=("number", "seq"),
    indexes=(
        "(unit, open, to_at, from_at)",
        "(site, to_at, from_at) WHERE site <> ''",
        "(vo, to_at, from_at) WHERE vo <> ''",
        "(assignee, to_at, from_at) WHERE assignee IS NOT NULL",
    ),
)
# While it lasts a spell ends at "infinity" and at the largest bigint: so one comparison serves any moment.
SPELL: Final = View(
    "spell",
    SQL("""
        SELECT number, seq, status, open, ball, unit, priority, precedence, original_priority, vo, site,
               assignee, type, category, opened_at, waiting_since, from_at, to_at, from_position, to_position
          FROM view.spell_over
         UNION ALL
        SELECT number, spells, status, open, ball, unit, priority, precedence, original_priority, vo, site,
               assignee, type, category, opened_at, waiting_since, from_at, 'infinity', from_position,
               9223372036854775807
          FROM view.ticket
    """),
)
