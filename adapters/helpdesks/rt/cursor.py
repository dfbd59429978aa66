"""How far asking RT got: which transactions can still appear, and whether RT still has those that were seen.

Numbers of transactions come from a sequence and are committed in another order. After ten minutes nothing can be
late any more.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from adapters.helpdesks.rt.session import TransactionRow
from domain import clock

OVERLAP: Final = 300
_LATE: Final = timedelta(minutes=10)
_ANCHORS: Final = 20


class Cursor(Struct, kw_only=True):
    last: int
    """The largest number seen."""
    settled: int
    """Nothing with a number up to here can still appear."""
    settling: int
    settling_since: datetime
    seen: list[int]
    """Numbers above ``settled`` that were dealt with."""
    anchors: dict[int, str] = {}
    """The largest numbers seen, with their times: RT has them still, unless it was restored."""

    @classmethod
    def after(cls, row: TransactionRow | None) -> "Cursor":
        """To go on after this one."""
        last = row.id if row else 0
        return cls(
            last=last, settled=last, settling=last, settling_since=clock.now(), seen=[],
            anchors={row.id: row.created} if row else {},
        )  # fmt: skip

    @property
    def least(self) -> int:
        """After which number something may be news."""
        return max(self.last - OVERLAP, self.settled, 0)

    @property
    def asked_after(self) -> int:
        """After which number transactions are asked for: the anchors are looked at, too."""
        return min([self.least, *(each - 1 for each in self.anchors)])

    def forgotten(self, rows: Sequence[TransactionRow]) -> bool:
        """Whether RT does not have what it had: another under a number, or no number as large."""
        if not self.anchors:
            return False
        other = any(self.anchors.get(row.id, row.created) != row.created for row in rows)
        return other or max((row.id for row in rows), default=0) < self.last

    def advance(self, rows: Iterable[TransactionRow], *, more: bool) -> None:
        """These were dealt with."""
        created = {row.id: row.created for row in rows}
        self.last = max([self.last, *created])
        if clock.now() - self.settling_since >= _LATE and not more:
            self.settled, self.settling, self.settling_since = (
                self.settling,
                self.last,
                clock.now(),
            )
        self.seen = sorted(each for each in {*self.seen, *created} if each > self.least)
        anchors = self.anchors | created
        self.anchors = {number: anchors[number] for number in sorted(anchors)[-_ANCHORS:]}
