"""How long a write may still be on its way after we heard nothing of its end: until then nobody writes again.

Who crashed, or was not answered, does not know what the partner does with the request later. To wait is no
proof, so it is for partners where what stands there twice cannot be taken back, or is found late.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from adapters.kit.checkpoints import Checkpoints
from adapters.kit.retry import Undelivered
from domain import clock

log = structlog.get_logger()

TEXT_S: Final = 15.0
"""For a text: it is written within a second or two, and what was not is mostly gone with its connection."""


class Settling:
    """Writes of one kind at one partner, by the names under which they would be found there."""

    def __init__(self, settle_s: float) -> None:
        """Keep attempts apart by ``settle_s`` seconds, counted from the end of the one before."""
        self._settle = timedelta(seconds=settle_s)
        self._born_at = clock.now()
        self._doubtful: dict[str, datetime] = {}
        self._checkpoints: Checkpoints | None = None
        self._kept_as = ""
        self._before: frozenset[str] | None = None
        """See ``_begun_before``."""
        self._writing = asyncio.Lock()

    def keep(self, checkpoints: Checkpoints, name: str) -> None:
        """Note there, under this name, what is begun: so who comes after a crash waits for nothing else."""
        self._checkpoints, self._kept_as = checkpoints, name

    async def be_certain(self, name: str, decided_at: str) -> None:
        """Before something is written because it was not found. Raises ``Undelivered`` while it may still appear.

        ``decided_at``: since when it may have been tried, by another process too. Empty: nobody else did.
        """
        since = self._doubtful.get(name)
        if since is None and await self._tried_before(name, decided_at):
            since = self._born_at
        left_s = 0.0 if since is None else (since + self._settle - clock.now()).total_seconds()
        if left_s > 0:
            what = f"an earlier attempt may still be under way; looking again in {left_s:.0f} s"
            raise Undelivered("settling", what, final=False, retry_after_s=left_s)

    async def _tried_before(self, name: str, decided_at: str) -> bool:
        """Whether another process may have begun it. Where nobody noted anything, all that is older may be."""
        if not decided_at or datetime.fromisoformat(decided_at) >= self._born_at:
            return False
        before = await self._begun_before()
        return before is None or name in before

    async def _begun_before(self) -> frozenset[str] | None:
        """What was under way when the process before us ended; None where nobody noted that."""
        if self._before is None and self._checkpoints is not None:
            _, noted = await self._checkpoints.load(self._kept_as)
            self._before = frozenset(msgspec.json.decode(noted, type=list[str])) if noted else None
        return self._before

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[None]:
        """Around a write: in doubt until it ends well, or is refused for good."""
        now = clock.now()
        self._doubtful = {n: at for n, at in self._doubtful.items() if at + self._settle > now}
        self._doubtful[name] = now
        await self._note()
        try:
            yield
        except Undelivered as failure:
            if failure.final:
                del self._doubtful[name]
            else:
                self._doubtful[name] = clock.now()
            raise
        del self._doubtful[name]

    async def _note(self) -> None:
        """Before the write. Its end is noted with the next one: a name too many costs nobody anything."""
        if self._checkpoints is None:
            return
        async with self._writing:
            before: frozenset[str] | None = frozenset()
            if self._born_at + self._settle > clock.now():
                before = await self._begun_before()
            if (
                before is not None
            ):  # else nobody knows what was begun before us, and it stays like that
                names = sorted({*self._doubtful, *before})
                await self._checkpoints.save(self._kept_as, 0, msgspec.json.encode(names))


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


async def stays(taking_back: Awaitable[None], what: str, number: str) -> str:
    """Wait until what was made a second time is taken back; why it stays, if it does."""
    try:
        await taking_back
    except Undelivered as failure:
        if not failure.final:
            raise
        log.exception("what was made twice cannot be taken back", what=what, number=number)
        return failure.code
    return ""


def twice(what: str, ticket: str, marks: Iterable[tuple[str, str]]) -> str:
    """What to add to a receipt about them."""
    found = repeats(what, marks)
    for each in found:
        log.error("text stands there twice", ticket=ticket, which=each)
    return "".join(f"; {each}" for each in found)
