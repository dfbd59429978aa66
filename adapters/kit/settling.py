"""How long a write may still be on its way after we heard nothing of its end: until then nobody writes again.

Who crashed, or was not answered, does not know what the partner does with the request later. To wait is no
proof, so it is for partners where what stands there twice cannot be taken back, or is found late.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import structlog

from adapters.kit.retry import Undelivered
from domain import clock

log = structlog.get_logger()

TEXT_S: Final = 15.0
"""For a text: it is written within a second or two, and what was not is mostly gone with its connection."""


class Settling:
    def __init__(self, settle_s: float) -> None:
        """Keep attempts apart by ``settle_s`` seconds, counted from the end of the one before."""
        self._settle = timedelta(seconds=settle_s)
        self._born_at = clock.now()
        self._doubtful: dict[str, datetime] = {}

    def be_certain(self, name: str, decided_at: str) -> None:
        """Before something is written because it was not found. Raises ``Undelivered`` while it may still appear.

        ``decided_at``: since when it may have been tried, by another process too. Empty: nobody else did.
        """
        since = self._doubtful.get(name)
        if since is None and decided_at and datetime.fromisoformat(decided_at) < self._born_at:
            since = self._born_at
        left_s = 0.0 if since is None else (since + self._settle - clock.now()).total_seconds()
        if left_s > 0:
            what = f"an earlier attempt may still be under way; looking again in {left_s:.0f} s"
            raise Undelivered("settling", what, final=False, retry_after_s=left_s)

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Around a write: in doubt until it ends well, or is refused for good."""
        now = clock.now()
        self._doubtful = {n: at for n, at in self._doubtful.items() if at + self._settle > now}
        self._doubtful[name] = now
        try:
            yield
        except Undelivered as failure:
            if failure.final:
                del self._doubtful[name]
            else:
                self._doubtful[name] = clock.now()
            raise
        del self._doubtful[name]


def repeats(what: str, marks: Iterable[tuple[str, str]]) -> list[str]:
    """Which texts stand there twice, in words.

    ``marks``: of each text of ours, oldest first, the message that it is and its number there.
    """
    first: dict[str, str] = {}
    return [
        f"{what} {number} repeats {first[mark]}"
        for mark, number in marks
        if mark and first.setdefault(mark, number) != number
    ]


def twice(what: str, ticket: str, marks: Iterable[tuple[str, str]]) -> str:
    """What to add to a receipt about them."""
    found = repeats(what, marks)
    for each in found:
        log.error("text stands there twice", ticket=ticket, which=each)
    return "".join(f"; {each}" for each in found)
