"""Spells: one row per ticket and period in which nothing relevant changed. The heart of the read side.

Who held a ticket, in which status, with whose turn to act: queues as of any moment, the site view, service
levels and waiting times are all questions to this one table. A spell knows its times (as things happened) and
its positions (as they were recorded). Spells of a ticket follow each other without a hole; one that lasted no
time at all (opened and assigned in the same instant) is kept, since it has positions.
"""

from uuid import UUID

from msgspec import Struct

from projections.columns import ALWAYS, FOREVER, Instant
from projections.tables import Table


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
    to_at: Instant = FOREVER
    """``infinity`` while it lasts."""
    from_position: int
    to_position: int = ALWAYS
    """The largest bigint while it lasts: so one comparison serves the present and any position."""


# What ends late comes last in an index: a moment in the recent past is found among few rows, and whether the
# spell had begun is seen in the index itself.
SPELL = Table(
    "spell",
    Spell,
    key=("number", "seq"),
    indexes=(
        "(unit, to_at, from_at)",
        "(site, to_at, from_at) WHERE site <> ''",
        "(vo, to_at, from_at) WHERE vo <> ''",
        "(assignee, to_at, from_at) WHERE assignee IS NOT NULL",
    ),
)
