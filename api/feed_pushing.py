"""What a partner, or an operator for it, can ask about the pushing of its feed."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from adapters.kit.push import Pusher
from adapters.kit.retry import Patience
from adapters.kit.webhook import Delivery, must_be_address, shown_secret
from adapters.kit.webhook_out import ANSWER_S_MAX
from adapters.store.engine import PostgresStore
from adapters.store.feed_delivery import FeedKeys, FeedProgress
from api.feed_hub import FeedHub
from domain.errors import EntryNotFound, Invalid
from domain.helpdesk import PRODUCTION, Helpdesk
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.subscriptions import Subscription
from projections.feed_pages import rendered

OVERLAP: Final = timedelta(hours=24)
"""So long an old key signs beside the new one."""
PATIENCE: Final = Patience()
"""Pushing never gives up: after a while, there is an attempt every quarter of an hour."""
_SECRET_BYTES: Final = 32


class PushStatus(Struct, frozen=True):
    helpdesk: str
    url: str
    state: str
    """``active``, ``paused`` or ``none``."""
    why: str
    """Why it is paused: ``asked``, or ``gone`` where the partner's system answered 410."""
    acknowledged: int
    """The last sequence that the partner took."""
    attempts: int
    """Failed ones since then."""
    last_error: str
    retry_at: datetime | None


class HubSource:
    """The entries of feeds, for the pusher."""

    def __init__(self, hub: FeedHub) -> None:
        self._hub = hub

    async def deliveries(self, helpdesk: str, after: int, limit: int) -> list[Delivery]:
        found = await self._hub.entries(helpdesk, after, limit)
        return [Delivery(each.id, each.data.sequence, rendered(each)) for each in found]

    async def wait(self, helpdesk: str, after: int, timeout_s: float) -> None:
        with self._hub.following(helpdesk) as channel:
            await self._hub.ready(channel)
            await channel.wait(after, timeout_s)


class FeedPushing:
    """Every method but ``status`` needs an ``acting`` block."""

    def __init__(
        self,
        ledger: Ledger,
        store: PostgresStore,
        *,
        allow_private: bool,
        environment: str = PRODUCTION,
    ) -> None:
        self._ledger = ledger
        self._keys = FeedKeys(store)
        self._progress = FeedProgress(store)
        self._allow_private = allow_private
        self._environment = "" if environment == PRODUCTION else environment

    def pusher(self, hub: FeedHub) -> Pusher:
        return Pusher(
            self._ledger, HubSource(hub), self._keys, self._progress,
            allow_private=self._allow_private, patience=PATIENCE, answer_s_max=ANSWER_S_MAX,
            environment=self._environment,
        )  # fmt: skip

    async def subscribe(self, helpdesk: str, url: str, after: int) -> str | None:
        """Push to this address from now on; the key if it is the first one, as it is shown once."""
        await self.must_be_known(helpdesk)
        await must_be_address(url, allow_private=self._allow_private)
        subscription = await self._load(helpdesk)
        subscription.subscribe(helpdesk, url, after)
        shown = None
        if not await self._keys.of(helpdesk):
            shown = (await self._new_key(subscription, timedelta()))[0]
        await self._progress.expect(helpdesk)
        await self._ledger.save(subscription)
        return shown

    async def pause(self, helpdesk: str) -> None:
        subscription = await self._load(helpdesk)
        subscription.pause("asked")
        await self._ledger.save(subscription)

    async def resume(self, helpdesk: str) -> None:
        """Go on, and at once: a pause between attempts is over too."""
        subscription = await self._load(helpdesk)
        subscription.resume()
        await self._progress.hurry(helpdesk)
        await self._ledger.save(subscription)

    async def rewind(self, helpdesk: str, after: int) -> None:
        subscription = await self._load(helpdesk)
        subscription.rewind(after)
        await self._ledger.save(subscription)

    async def end(self, helpdesk: str) -> None:
        subscription = await self._load(helpdesk)
        subscription.end()
        await self._ledger.save(subscription)

    async def rotate_key(self, helpdesk: str, overlap: timedelta) -> tuple[str, datetime]:
        """The new key, and until when the one before it signs too."""
        if not timedelta() <= overlap <= timedelta(days=7):
            raise Invalid("overlap: the old key is good for at most 7 days more")
        subscription = await self._load(helpdesk)
        shown, until = await self._new_key(subscription, overlap)
        await self._ledger.save(subscription)
        return shown, until

    async def status(self, helpdesk: str) -> PushStatus:
        subscription = await self._load(helpdesk)
        place = await self._progress.load(helpdesk)
        begun = place.version >= subscription.begun
        state = "paused" if subscription.paused else "active"
        return PushStatus(
            helpdesk=helpdesk,
            url=subscription.url,
            state=state if subscription.active else "none",
            why=subscription.paused,
            acknowledged=place.acknowledged if begun else subscription.after,
            attempts=place.attempts if begun else 0,
            last_error=place.last_error if begun else "",
            retry_at=place.retry_at if begun else None,
        )

    async def must_be_known(self, helpdesk: str) -> None:
        """Raises ``EntryNotFound``."""
        if await self._ledger.load(Helpdesk, named_id(Helpdesk.KIND, helpdesk)) is None:
            raise EntryNotFound("helpdesk", helpdesk)

    async def _new_key(
        self, subscription: Subscription, overlap: timedelta
    ) -> tuple[str, datetime]:
        """A key that is kept but not announced by an event does no harm: it signs beside the other."""
        key, secret = random_id(), secrets.token_bytes(_SECRET_BYTES)
        until = await self._keys.add(subscription.helpdesk, key, secret, overlap)
        subscription.rotate_key(key, until)
        return shown_secret(secret), until

    async def _load(self, helpdesk: str) -> Subscription:
        stream = named_id(Subscription.KIND, helpdesk)
        return await self._ledger.load(Subscription, stream) or Subscription(stream)
