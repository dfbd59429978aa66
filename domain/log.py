"""The log itself, where something happened to it: it was restored from a backup without its last events.

What was lost had been told: partners, readers of feeds and people remember positions, numbers of tickets and
sequences that this log does not hold. None of these may come to mean something else, so they are left out: the
event that says so stands behind a gap, the only one that a log may have.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.aggregate import Aggregate, Event, mutates
from domain.errors import Invalid
from domain.identifiers import NUMBER_MAX, named_id

POSITIONS_AT_ONCE: Final = 1_000_000
"""So many positions may have been given out within a moment, as by an import."""
POSITIONS_PER_S: Final = 1_000
"""More than a service gives out for long."""
NUMBERS_AT_ONCE: Final = 10_000
NUMBER_EVERY_S: Final = 10
"""Seconds in which one more ticket may have been opened: there are not so many numbers."""


class Log(Aggregate):
    KIND: Final = "log"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.numbers: tuple[tuple[int, int], ...] = ()
        """Numbers of tickets that were left out, after the one and up to the other."""
        self.positions: tuple[tuple[int, int], ...] = ()
        """Positions, likewise."""

    def left_out(self, number: int) -> bool:
        """Whether a ticket with this number was lost, if there was one."""
        return any(after < number <= until for after, until in self.numbers)

    class Restored(Event, tag="log.restored", frozen=True, kw_only=True, gc=False):
        """The log was restored without its last events. What they were given is given to nothing else."""

        after: int
        """The last position that was restored."""
        until: int
        """Positions from there up to this one may have been given out: they are left out, and this event is the next."""
        numbers_after: int
        """The last ticket number that was known to be given out."""
        numbers_until: int
        """Numbers of tickets from there up to this one are left out."""
        kept_until: datetime | None = None
        """When the last event that was restored had been recorded."""

        @property
        def lost(self) -> int:
            """How many positions are left out, and in every feed as many sequences."""
            return self.until - self.after

    def restored(
        self,
        after: int,
        until: int,
        numbers_after: int,
        numbers_until: int,
        kept_until: datetime | None,
    ) -> None:
        """Leave out what may have been given out."""
        if until <= after:
            raise Invalid(f"until: the log holds position {after}, so more was given out")
        if not numbers_after <= numbers_until <= NUMBER_MAX:
            raise Invalid(f"numbers until: from {numbers_after} to {NUMBER_MAX}")
        self.trigger(
            Log.Restored,
            after=after,
            until=until,
            numbers_after=numbers_after,
            numbers_until=numbers_until,
            kept_until=kept_until,
        )

    @mutates(Restored)
    def _restored(self, event: Restored) -> None:
        self.numbers = (*self.numbers, (event.numbers_after, event.numbers_until))
        self.positions = (*self.positions, (event.after, event.until))


LOG_ID: Final = named_id(Log.KIND, "log")
"""The stream."""


def positions_given(since: timedelta) -> int:
    """So many positions may have been given out in that time, with a margin."""
    return POSITIONS_AT_ONCE + POSITIONS_PER_S * max(0, int(since.total_seconds()))


def numbers_given(since: timedelta) -> int:
    """So many ticket numbers."""
    return NUMBERS_AT_ONCE + max(0, int(since.total_seconds())) // NUMBER_EVERY_S
