"""The feeds of a simulated hub: the real fold, hub, route, stream and pusher over tables that are held in memory.

Every reading and writing of a table is a step between which the hub may fall over, as those of its store are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Self
from uuid import UUID

from msgspec.structs import replace
from starlette.requests import Request

from adapters.kit.push import Pusher
from adapters.kit.retry import Patience, Undelivered
from adapters.kit.webhook import shown_secret
from adapters.store.feed_delivery import Progress
from api.feed_hub import FeedHub
from api.feed_pushing import FeedPushing, HubSource
from api.feed_stream import FeedStream
from api.routes.feeds import FeedVisit, events
from domain import clock
from domain.errors import Refused
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.subscriptions import Subscription
from projections.feed_pages import CONTENTS, CloudEvent
from projections.feed_recent import RecentEntries
from tests.simulation.exchange_feed_tables import Tables
from tests.simulation.exchange_wires import Posting

Step = Callable[[], Awaitable[None]]


class _Hub(FeedHub):
    def __init__(self, tables: Tables, step: Step, wakeup: Any, rng: Random) -> None:
        self._young = RecentEntries()
        super().__init__(self._answered, wakeup, self, self._young)
        self._tables, self._step, self._rng = tables, step, rng

    async def _answered(self, question: Callable[[Any], Awaitable[Any]]) -> Any:
        """The texts of young entries: the one question that is not asked of ``entries`` or ``_lasts``."""
        await self._step()
        return await question(_Contents(self._tables.memory))

    async def entries(self, helpdesk: str, after: int, limit: int) -> list[CloudEvent]:
        await self._step()
        return await self._tables.after(helpdesk, after, limit)

    async def _lasts(self, helpdesks: list[str]) -> dict[str, int]:
        await self._step()
        return {each: len(self._tables.entries.get(each, [])) for each in helpdesks}

    async def wait_for(self, position: int, timeout_s: float, names: Sequence[str]) -> bool:
        """Be the projector as well: late, and some events at a time."""
        assert list(names) == ["feeds"]
        await asyncio.sleep(self._rng.uniform(0, 3 * timeout_s))
        while self._tables.position < position:
            await self._step()
            await self._tables.turn_page(self._rng.randint(1, 200), self._young)
        await self._step()
        return True


class _Contents:
    """As the database answers ``feed_pages.contents_of``."""

    def __init__(self, memory: Any) -> None:
        self._memory = memory
        self._rows: list[tuple[Any, ...]] = []

    async def execute(self, query: str, values: Sequence[Any], *, binary: bool) -> Self:
        assert (query, binary) == (CONTENTS, True)
        found = await self._memory.contents(*values)
        self._rows = [(each.id, each.salt, each.media_type, each.body) for each in found.values()]
        return self

    async def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


class _Keys:
    """As ``FeedKeys``."""

    def __init__(self) -> None:
        self._keys: dict[str, list[tuple[bytes, datetime | None]]] = {}

    async def add(self, helpdesk: str, _: UUID, secret: bytes, overlap: timedelta) -> datetime:
        until = clock.now() + overlap
        older = [
            (each, min(end or until, until)) for each, end in self._keys.get(helpdesk, [])
        ]  # one that ends earlier keeps its end
        self._keys[helpdesk] = [(secret, None), *older]
        return until

    async def of(self, helpdesk: str) -> list[bytes]:
        now = clock.now()
        found = [
            secret for secret, until in self._keys.get(helpdesk, []) if until is None or until > now
        ]
        return found[:2]


class _Progress:
    """As ``FeedProgress``, for one life."""

    def __init__(self, rows: dict[str, Progress], step: Step) -> None:
        self._rows, self._step = rows, step

    async def helpdesks(self) -> Sequence[str]:
        return sorted(self._rows)

    async def load(self, helpdesk: str) -> Progress:
        await self._step()
        return self._rows[helpdesk]

    async def save(self, progress: Progress) -> None:
        await self._step()
        if self._rows[progress.helpdesk].version <= progress.version:
            self._rows[progress.helpdesk] = replace(progress, changed_at=clock.now())
        await self._step()

    async def hurry(self, helpdesk: str) -> None:
        await self._step()
        self._rows[helpdesk] = replace(self._rows[helpdesk], attempts=0, retry_at=None)


class _Out(Posting):
    """Where the pusher posts to: on the ways of the feeds, which are as bad as all others."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Pusher(Pusher):
    posting: _Out

    def sending(self) -> Any:
        return self.posting


class _Visit(FeedVisit):
    async def must_stand(self, after: int, hash_: str | None) -> None:
        """The log never loses anything here; but the feed may be about to be made again."""
        here = self.services.tables.mark(self.helpdesk, after)
        assert here in ("", hash_), "the reader has another entry than the feed"
        if after and not here:
            raise Undelivered("http-503", "this feed is being made", final=False)


class HubFeeds:
    """All that outlives the lives of a hub, and what a life makes of it."""

    def __init__(self, hub: Any, rng: Random) -> None:
        self._owner, self._rng = hub, rng
        self.tables = Tables(hub.memory, rng)
        self.keys = _Keys()
        self.places: dict[str, Progress] = {}

    async def subscribe(self, helpdesk: str, url: str) -> str:
        """Written past the lives: the key."""
        ledger = Ledger(self._owner.memory)
        secret = self._rng.randbytes(24)
        with acting(Provenance("rule:user@1", random_id(), "simulation")):
            subscription = Subscription(named_id(Subscription.KIND, helpdesk))
            subscription.subscribe(helpdesk, url, 0)
            await self.keys.add(helpdesk, random_id(), secret, timedelta())
            await ledger.save(subscription)
        self.places[helpdesk] = Progress(helpdesk=helpdesk)
        return shown_secret(secret)

    def live(self, store: Any, step: Step, patience: Patience) -> None:
        if self._rng.random() < 0.1:
            self.tables.build_anew()
        self.hub = _Hub(self.tables, step, store, self._rng)
        progress: Any = _Progress(self.places, step)
        ledger, keys = Ledger(store), self.keys
        pusher = _Pusher(ledger, HubSource(self.hub), keys, progress, patience=patience)
        pusher.posting = _Out(self._owner.world)
        self._pushing = FeedPushing(ledger, None, allow_private=True)
        self._pushing._keys, self._pushing._progress = keys, progress
        stop = asyncio.Event()
        self._owner.spawn(self._owner.world.watched(self.hub.run(stop)))
        if self.places:
            self._owner.spawn(self._owner.world.watched(pusher.run(stop)))

    # -- what readers ask for ------------------------------------------------------------------------

    def _visit(self, helpdesk: str) -> FeedVisit:
        request = Request({"type": "http", "headers": []})
        services: Any = _Services(self.hub, self.tables)
        return _Visit(request, services, helpdesk, f"helpdesk:{helpdesk}")

    async def page(self, helpdesk: str, after: int, hash_: str, limit: int, wait_s: float) -> bytes:
        """As the route answers."""
        visit = self._visit(helpdesk)
        return bytes((await events(visit, after, hash_, limit, wait_s)).body)

    async def stream(self, helpdesk: str, after: int, hash_: str, send: Any, receive: Any) -> None:
        visit = self._visit(helpdesk)
        await visit.must_stand(after, hash_)
        await FeedStream(self.hub, helpdesk, after, _allowed)({}, receive, send)

    async def rewind(self, helpdesk: str, after: int) -> None:
        with acting(Provenance(f"helpdesk:{helpdesk}", random_id(), "simulation")):
            await self._pushing.rewind(helpdesk, after)

    async def resume(self, helpdesk: str) -> None:
        with acting(Provenance(f"helpdesk:{helpdesk}", random_id(), "simulation")):
            try:
                await self._pushing.resume(helpdesk)
            except Refused:
                return  # it was resumed already, and the answer was lost

    async def rotate_key(self, helpdesk: str) -> str:
        with acting(Provenance(f"helpdesk:{helpdesk}", random_id(), "simulation")):
            return (await self._pushing.rotate_key(helpdesk, timedelta(hours=24)))[0]


class _Services:
    """Of all services a reader needs these alone."""

    def __init__(self, hub: FeedHub, tables: Tables) -> None:
        self.feed_hub, self.tables = hub, tables


async def _allowed() -> bool:
    return True
