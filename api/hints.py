"""Hints of partners that they have something new: passed to whichever process asks them, a few a second at most.

A hint has no authority. All it can do is to let a poller look sooner, so nobody needs to prove who he is; and since
known and unknown names are treated alike, nobody learns from it which partners there are.
"""

from collections import OrderedDict
from time import monotonic
from typing import Final

from adapters.store.engine import PostgresStore
from adapters.store.wakeup import HINT

_EVERY_S: Final = 1.0
"""So often a partner is looked at for the sake of hints."""
_A_SECOND: Final = 50
"""All names together: more are dropped."""
_NAMES_MAX: Final = 1_000


class Hints:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._passed: OrderedDict[str, float] = OrderedDict()
        self._second, self._in_second = 0, 0

    async def give(self, helpdesk: str) -> bool:
        """Pass a hint on; False where it was dropped, because there were too many. Raises ``StoreUnavailable``."""
        now = monotonic()
        if now - self._passed.get(helpdesk, -_EVERY_S) < _EVERY_S:
            return False
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        if self._in_second >= _A_SECOND:
            return False
        self._in_second += 1
        self._passed[helpdesk] = now
        self._passed.move_to_end(helpdesk)
        if len(self._passed) > _NAMES_MAX:
            self._passed.popitem(last=False)
        await self._store.rows(HINT, [helpdesk])
        return True
