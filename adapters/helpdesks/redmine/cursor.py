"""How far asking Redmine got: which changes can still appear, and which issues are to be looked at again.

Times of Redmine's are compared with such times only, since its clock may be wrong.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from adapters.helpdesks.redmine.anchors import Anchor
from adapters.helpdesks.redmine.rows import Issue
from domain import clock

OVERLAP: Final = timedelta(minutes=1)
"""No change is committed later than this after its time."""
YOUNG: Final = timedelta(seconds=5)
"""So long another change with the same second may follow."""
EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
NOT_LOOKED_AT: Final = -1


class Seen(Struct, frozen=True):
    updated_on: datetime
    journal: int
    """The last one that was dealt with; none of an issue that does not concern us."""
    again_at: datetime | None = None
    """When it is to be looked at once more, by our clock."""
    partly: bool = False
    """There was more to tell of it than is held at once."""


class Cursor(Struct, kw_only=True):
    begun: datetime
    """What happened before is not news."""
    since: datetime
    """The time of the newest change that was dealt with."""
    settled: datetime
    """Nothing with a time up to here can still appear."""
    settling: datetime
    settling_since: datetime
    """By our clock."""
    newest: datetime = EVER
    """The newest time that this page of changes has."""
    seen: dict[int, Seen]
    """Issues with a change after ``least``."""
    anchors: dict[int, Anchor] = {}
    """Issues that Redmine has still, unless it was restored."""

    @property
    def least(self) -> datetime:
        """From when on changes are asked for."""
        return max(self.since - OVERLAP, self.settled + SECOND, self.begun)

    def is_news(self, row: Issue) -> bool:
        seen = self.seen.get(row.id)
        if seen is None or seen.updated_on != row.updated_on:
            return True
        return seen.again_at is not None and clock.now() >= seen.again_at

    def looked_at(self, issue: Issue, last: int = NOT_LOOKED_AT) -> Seen:
        """What is remembered of it. A change that is old, or was looked at twice, is not looked at again.

        ``last``: the entry of its history that was dealt with.
        """
        before = self.seen.get(issue.id)
        known = before is not None and before.updated_on == issue.updated_on
        again = not known and self.newest - issue.updated_on < YOUNG
        return Seen(issue.updated_on, last, clock.now() + YOUNG if again else None)

    def advance(self, there_at: datetime | None, *, more: bool) -> None:
        """All up to ``newest`` was dealt with. ``there_at``: what their clock says, where they tell."""
        self.since = self.newest
        if there_at is not None and self.since > there_at:
            # A clock that was set back must not make us wait until it is that late again.
            self.since, self.settled = there_at, min(self.settled, there_at - OVERLAP)
            self.settling = there_at
        if clock.now() - self.settling_since >= OVERLAP and not more:
            self.settled, self.settling, self.settling_since = (
                self.settling,
                self.since,
                clock.now(),
            )
        self.seen = {
            number: seen for number, seen in self.seen.items() if seen.updated_on >= self.least
        }
