"""Pushes feeds to partners: each in its order, one delivery at a time, from the last one that was taken.

What a partner took is kept at the end of a page or after a second: after a crash some deliveries come again, with
the same identifiers. A partner that is away costs one page of memory, and the others do not wait for it.
"""

import asyncio
from datetime import timedelta
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from adapters.kit.retry import Patience, Undelivered
from adapters.kit.webhook import Delivery
from adapters.kit.webhook_out import GONE, WebhookOut
from adapters.store.feed_delivery import FeedKeys, FeedProgress, Progress
from domain import clock
from domain.errors import Refused, StoreUnavailable
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.subscriptions import Subscription

PAGE: Final = 50
RULE: Final = "rule:push@1"
_LOOK_S: Final = 1.0
_SAVE_S: Final = 1.0
_TROUBLE_S: Final = 2.0

log = structlog.get_logger()


class Source(Protocol):
    """Where the entries of feeds come from."""

    async def deliveries(self, helpdesk: str, after: int, limit: int, /) -> list[Delivery]: ...

    async def wait(self, helpdesk: str, after: int, timeout_s: float, /) -> object:
        """Return as soon as there is something after a sequence, or after the time."""
        ...


class Pusher:
    """One in a database is at work at a time."""

    def __init__(
        self,
        ledger: Ledger,
        source: Source,
        keys: FeedKeys,
        progress: FeedProgress,
        *,
        allow_private: bool = False,
        answer_s_max: float = 15.0,
        patience: Patience | None = None,
        environment: str = "",
    ) -> None:
        """``environment``: ours, empty in production."""
        self._ledger = ledger
        self._source = source
        self._keys = keys
        self._progress = progress
        self._allow_private = allow_private
        self._answer_s_max = answer_s_max
        self._patience = patience or Patience()
        self._environment = environment

    async def run(self, stop: asyncio.Event) -> None:
        """Push until ``stop`` is set; who subscribes meanwhile is noticed within a second."""
        tasks: dict[str, asyncio.Task[None]] = {}
        async with self.sending() as out:
            try:
                while not stop.is_set():
                    for name in await self._progress.helpdesks():
                        if name not in tasks:
                            task = asyncio.create_task(self._serve(out, name), name=f"push {name}")
                            tasks[name] = task
                    await _first_of(stop, _LOOK_S)
            finally:
                for task in tasks.values():
                    task.cancel()
                await asyncio.gather(*tasks.values(), return_exceptions=True)

    def sending(self) -> WebhookOut:
        """Connections to partners, to be closed in the end."""
        return WebhookOut(
            allow_private=self._allow_private, answer_s_max=self._answer_s_max,
            environment=self._environment,
        )  # fmt: skip

    async def _serve(self, out: WebhookOut, helpdesk: str) -> None:
        while True:
            try:
                pause_s = await self.push(out, helpdesk)
            except StoreUnavailable:
                pause_s = _TROUBLE_S
            except Exception:  # the edge: one partner's trouble is not the others'
                log.exception("pushing in trouble", helpdesk=helpdesk)
                pause_s = _TROUBLE_S
            await asyncio.sleep(pause_s)

    async def push(self, out: WebhookOut, helpdesk: str) -> float:
        """Push a page, or wait a moment for something; seconds to pause before the next."""
        subscription = await self._subscription(helpdesk)
        if subscription is None or not subscription.active or subscription.paused:
            return _LOOK_S
        place = await self._progress.load(helpdesk)
        if place.version < subscription.begun:
            place = Progress(
                helpdesk=helpdesk, version=subscription.begun, acknowledged=subscription.after
            )
            await self._progress.save(place)
        now = clock.now()
        put_back = place.changed_at is not None and place.changed_at > now  # the clock, since then
        if place.retry_at is not None and place.retry_at > now and not put_back:
            return min((place.retry_at - now).total_seconds(), _LOOK_S)
        page = await self._source.deliveries(helpdesk, place.acknowledged, PAGE)
        if not page:
            await self._source.wait(helpdesk, place.acknowledged, _LOOK_S)
            return 0
        await self._deliver(out, subscription, place, page)
        return 0

    async def _deliver(
        self, out: WebhookOut, subscription: Subscription, place: Progress, page: list[Delivery]
    ) -> None:
        loop = asyncio.get_running_loop()
        keys = await self._keys.of(place.helpdesk)
        saved, saved_at = place, loop.time()
        try:
            for delivery in page:
                await out.send(subscription.url, delivery, keys)
                place = Progress(
                    helpdesk=place.helpdesk, version=place.version, acknowledged=delivery.sequence
                )
                if loop.time() - saved_at > _SAVE_S:
                    break  # what was asked for meanwhile, such as a pause, is looked at
        except Undelivered as failure:
            place = self._failed(place, failure)
            if failure.code == f"http-{GONE}":
                await self._pause(place.helpdesk)
        finally:
            if place is not saved:
                await self._progress.save(place)

    def _failed(self, place: Progress, failure: Undelivered) -> Progress:
        attempts = place.attempts + 1
        pause_s = max(self._patience.pause_s(attempts), failure.retry_after_s or 0.0)
        return replace(
            place,
            attempts=attempts,
            last_error=f"{failure.code}: {failure}",
            retry_at=clock.now() + timedelta(seconds=pause_s),
        )

    async def _pause(self, helpdesk: str) -> None:
        subscription = await self._subscription(helpdesk)
        assert subscription is not None
        with acting(Provenance(RULE, random_id(), f"push:{helpdesk}")):
            try:
                subscription.pause("gone")
                await self._ledger.save(subscription)
            except Refused as refusal:
                log.info("not paused", helpdesk=helpdesk, why=str(refusal))

    async def _subscription(self, helpdesk: str) -> Subscription | None:
        return await self._ledger.load(Subscription, named_id(Subscription.KIND, helpdesk))


async def _first_of(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
