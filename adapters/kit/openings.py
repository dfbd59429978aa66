"""How many tickets of partners are passed on to another: what goes round in silence is stopped here.

Two helpdesks that each forward to the other, through systems that keep no identifier of ours, open the
same ticket again and again. Nobody can tell by one message; by the tenth in an hour, an operator is asked.
"""

import hashlib
from collections import OrderedDict, deque
from datetime import datetime, timedelta
from typing import Final

from adapters.kit.mail_marks import unmarked
from domain import clock

_WINDOW: Final = timedelta(hours=1)
SAME_MAX: Final = 10
"""With one subject, to one partner, in the window."""
ALL_MAX: Final = 1_000
"""To one partner in the window, whatever the subjects are."""
_KNOWN_MAX: Final = 5_000


class Openings:
    """Counts in memory: who starts again counts anew, and the bound holds all the same."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, bytes], deque[datetime]] = OrderedDict()

    def too_many(self, helpdesk: str, subject: str) -> str:
        """What is suspicious about one more; empty, and counted, where nothing is."""
        plain = " ".join(unmarked(subject).casefold().replace("re:", " ").split())
        digest = hashlib.sha256(plain.encode()).digest()
        same, every = self._recent((helpdesk, digest)), self._recent((helpdesk, b""))
        if len(same) >= SAME_MAX:
            return (
                f"{len(same)} tickets of others with this subject went to {helpdesk} within an hour"
            )
        if len(every) >= ALL_MAX:
            return f"{len(every)} tickets of others went to {helpdesk} within an hour"
        now = clock.now()
        same.append(now)
        every.append(now)
        return ""

    def _recent(self, key: tuple[str, bytes]) -> deque[datetime]:
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        if len(self._seen) > _KNOWN_MAX:
            self._seen.popitem(last=False)
        since = clock.now() - _WINDOW
        while times and times[0] < since:
            times.popleft()
        return times
