"""The runner: follows the log in pages and keeps all projections up to date.

One is active per database; others stand by for it. It shares the event loop with the service, so it never
computes for long without a pause. A projection that cannot go on stands still, with its error for all to
see; the others are not held up by it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

import psycopg
from psycopg import AsyncConnection

from projections import positions
from projections.columns import ALWAYS, adapt
from projections.log import UnreadableEvent, page
from projections.positions import RUNNER_LOCK, Overtaken, Place, Written
from projections.projection import Logged, Projection
from projections.rebuild import rebuild
from projections.registry import ALL
from projections.tables import Connection
from projections.track import Track, take

PAGE_MAX: Final = 1_000
"""Larger pages are not faster, and what they held is memory that hardly comes back."""

_POLL_S: Final = 0.2
_BREATH_S: Final = 0.02
_WAIT_S: Final = 1.0
_STANDBY_S: Final = 0.5
_STANDBY_ASKED_S: Final = 0.01
_AFTER_FAILURE_S: Final = 0.2

# Rows and position are lost together, then folded again: no need to wait for the disk. And a plan made while the
# tables were tiny would scan them all, for the life of the connection, when they no longer are.
SESSION: Final = (
    "SET ROLE ticketledger_service; SET synchronous_commit = off; SET enable_seqscan = off"
)
LOCK: Final = "SELECT pg_try_advisory_lock(%b)"

Hearer = Callable[[int, Sequence[Logged], Sequence[Written]], None]
"""Is told when a projection has moved on: from which position, over which events, and what was written then."""
NOBODY: Final[Mapping[str, Hearer]] = MappingProxyType({})

log = logging.getLogger(__name__)


class Wakeup(Protocol):
    async def wait(self, after: int, timeout: float, /) -> int:  # noqa: ASYNC109 - running out is an answer
        """Return the head once it is beyond ``after``, or whatever it is after ``timeout`` seconds."""
        ...


class Projector:
    """Keeps the projections. Make one per process; ``run`` it, and ask it to ``wait_for`` a position."""

    def __init__(
        self,
        conninfo: str,
        projections: Sequence[Projection] = ALL,
        *,
        wakeup: Wakeup | None = None,
        page_max: int = PAGE_MAX,
        hearers: Mapping[str, Hearer] = NOBODY,
    ) -> None:
        """``conninfo`` is that of the service's role, which owns the tables of the projections.

        Without a ``wakeup`` the log is looked at five times a second. ``hearers``: by the name of a projection.
        """
        self._hearers = hearers
        self._conninfo = conninfo
        self._projections = tuple(projections)
        self._wakeup = wakeup
        self._page_max = page_max
        self._tracks: list[Track] = []
        self._moved: asyncio.Condition = asyncio.Condition()
        self._waiting = 0
        self._asked = asyncio.Event()
        self.active = False
        """Whether this process is the one that folds."""

    # -- asking --------------------------------------------------------------------------------------

    def positions(self) -> dict[str, int]:
        """How far each projection has come, as this process knows; empty before the first look."""
        return {track.name: track.position for track in self._tracks}

    async def wait_for(
        self, position: int, timeout_s: float, names: Collection[str] | None = None
    ) -> bool:
        """Wait until the projections (``names``, or all) have reached a position.

        False when they did not within ``timeout_s``; at once if one of them stands still before it.
        """

        def lagging() -> list[Track]:
            return [
                track
                for track in self._tracks
                if track.position < position and (names is None or track.name in names)
            ]

        def decided() -> bool:
            behind = lagging()
            return bool(self._tracks) and (not behind or any(track.error for track in behind))

        self._waiting += 1
        self._asked.set()
        try:
            async with asyncio.timeout(timeout_s), self._moved:
                await self._moved.wait_for(decided)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        return not lagging()

    # -- running -------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the log until ``stop`` is set. A database that goes away is waited for."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                try:
                    async with await self._connect() as connection:
                        outdated = await self._prepare(connection)
                        await self._stand_by(connection, stop)
                        self.active = not stop.is_set()
                        if self.active and outdated:
                            await self._renew(connection, outdated)
                        await self._follow(connection, stopping)
                except psycopg.OperationalError as error:
                    log.warning("projections wait for the database: %s", error)
                    await asyncio.wait([stopping], timeout=_AFTER_FAILURE_S)
                finally:
                    self.active = False
        finally:
            stopping.cancel()

    async def _connect(self) -> Connection:
        connection: Connection = await AsyncConnection.connect(
            self._conninfo, autocommit=True, prepare_threshold=0
        )
        adapt(connection)
        await connection.execute(SESSION, prepare=False)
        return connection

    async def _prepare(self, connection: Connection) -> list[Projection]:
        outdated = await positions.prepare(connection, self._projections)
        places = await positions.places(connection)
        self._tracks = [_track(each, places[each.name]) for each in self._projections]
        return outdated

    async def _renew(self, connection: Connection, outdated: Sequence[Projection]) -> None:
        """Build anew what a program with other folds left behind."""
        names = [each.name for each in outdated]
        log.warning("projections have another form and are built anew: %s", ", ".join(names))
        await rebuild(self._conninfo, names, projections=self._projections)
        await self._look(connection)

    async def _stand_by(self, connection: Connection, stop: asyncio.Event) -> None:
        """Wait until no other process is active, and meanwhile tell waiters how far that one is."""
        while not stop.is_set():
            row = await (await connection.execute(LOCK, [RUNNER_LOCK])).fetchone()
            await self._look(connection)
            if row == (True,):
                return
            await asyncio.sleep(_STANDBY_ASKED_S if self._waiting else _STANDBY_S)

    async def _look(self, connection: Connection, tracks: Iterable[Track] | None = None) -> None:
        """Read the places anew, for those that others may have moved."""
        places = await positions.places(connection)
        for track in self._tracks if tracks is None else tracks:
            track.begin_again(_seen(track.projection, places[track.name]))
        await self._tell()

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    async def _follow(self, connection: Connection, stopping: asyncio.Task[Any]) -> None:
        while not stopping.done():
            events = await self._advance(connection)
            if 0 < events < self._page_max:
                await self._breathe()
            if not events or (self._wakeup and events < self._page_max):
                await self._wait(stopping)  # returns at once if there is more already

    async def _breathe(self) -> None:
        """Let a few commits gather, unless somebody waits: a page costs about the same for one event or ten."""
        self._asked.clear()
        if self._waiting:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BREATH_S):
                await self._asked.wait()

    async def _wait(self, stopping: asyncio.Task[Any]) -> None:
        """Until there is something new, or a moment has passed."""
        if self._wakeup is None:
            await asyncio.wait([stopping], timeout=_POLL_S)
            return
        furthest = max((track.position for track in self._tracks), default=0)
        waiting = asyncio.create_task(self._wait_for_growth(self._wakeup, furthest))
        await asyncio.wait([stopping, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    @staticmethod
    async def _wait_for_growth(wakeup: Wakeup, after: int) -> None:
        await wakeup.wait(after, _WAIT_S)

    # -- folding -------------------------------------------------------------------------------------

    async def _advance(self, connection: Connection) -> int:
        """Fold one page for each place at which projections stand: usually that is one place.

        How many events the longest page had.
        """
        now = asyncio.get_running_loop().time()
        groups: dict[int, list[Track]] = {}
        for track in self._tracks:
            if not track.error or track.retry_at <= now:
                groups.setdefault(track.position, []).append(track)
        longest = 0
        for position, tracks in sorted(groups.items()):
            longest = max(longest, await self._turn_page(connection, position, tracks))
        return longest

    async def _turn_page(self, connection: Connection, after: int, tracks: Sequence[Track]) -> int:
        try:
            events = await page(connection, after, ALWAYS, self._page_max)
        except UnreadableEvent as error:
            for track in tracks:
                await self._stop(connection, track, error, error.position)
            return 0
        if not events:
            return 0
        if not await self._taken_together(connection, tracks, events):
            for track in tracks:
                await self._take_alone(connection, track, events)
        await self._tell()
        return len(events)

    async def _taken_together(
        self, connection: Connection, tracks: Sequence[Track], events: Sequence[Logged]
    ) -> bool:
        """One transaction for all costs a third of one for each; when one fails, each has to try alone."""
        if len(tracks) == 1:
            return False
        after = tracks[0].position
        try:
            written = await take(connection, tracks, events)
        except psycopg.OperationalError:
            raise
        except Exception:  # noqa: BLE001 - it comes again, to the one whom it concerns
            return False
        self._let_hear(tracks, after, events, written)
        return True

    async def _take_alone(
        self, connection: Connection, track: Track, events: Sequence[Logged]
    ) -> None:
        after = track.position
        try:
            written = await track.take(connection, events)
        except Overtaken:
            await self._look(connection, [track])
        except psycopg.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - recorded, shown, tried again; the others go on
            await self._stop(connection, track, error, None)
        else:
            self._let_hear([track], after, events, written)

    def _let_hear(
        self, tracks: Sequence[Track], after: int, events: Sequence[Logged], written: list[Written]
    ) -> None:
        for track in tracks:
            if hearer := self._hearers.get(track.name):
                hearer(after, events, written)

    async def _stop(
        self, connection: Connection, track: Track, error: Exception, position: int | None
    ) -> None:
        log.error("projection %s stands still at %d", track.name, track.position, exc_info=error)
        await track.stop(connection, error, position)
        await self._tell()


def _track(projection: Projection, place: Place) -> Track:
    return Track(projection, _seen(projection, place))


def _seen(projection: Projection, place: Place) -> Place:
    """Tables of another form have not reached any position, as far as this program is concerned."""
    return place if place.form == projection.form else Place(place.form, place.generation, 0)
