"""A partner's wish to have its feed pushed: where to, from where on, and whether just now.

Keys are never in events, and how far the partner has come is no event either: it is a place in a feed that
anybody can count.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.aggregate import Aggregate, Event, mutates
from domain.errors import Invalid, NothingToDo, NotNow
from domain.texts import must_be_line

URL_CHARACTERS_MAX: Final = 500


class Subscription(Aggregate):
    KIND: Final = "subscription"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.helpdesk = self.url = ""
        self.active = False
        self.paused = ""
        """Why nothing is pushed; empty while it is."""
        self.after = 0
        """The sequence after which pushing began, at the event with the version ``begun``."""
        self.begun = 0

    class Subscribed(Event, tag="subscription.subscribed", frozen=True, kw_only=True, gc=False):
        helpdesk: str
        url: str
        after: int
        """Entries with a higher sequence are pushed."""

    def subscribe(self, helpdesk: str, url: str, after: int) -> None:
        """Begin to push, or push to another address."""
        must_be_line("url", url, URL_CHARACTERS_MAX)
        if after < 0:
            raise Invalid("after is a sequence: 0 for everything")
        if self.active and (self.url, self.after) == (url, after):
            raise NothingToDo("the feed is pushed there")
        self.trigger(Subscription.Subscribed, helpdesk=helpdesk, url=url, after=after)

    @mutates(Subscribed)
    def _subscribed(self, event: Subscribed) -> None:
        self.helpdesk, self.url = event.helpdesk, event.url
        self.active, self.paused = True, ""
        self.after, self.begun = event.after, event.originator_version

    class Rewound(Event, tag="subscription.rewound", frozen=True, kw_only=True, gc=False):
        after: int
        """Entries with a higher sequence are pushed, again or at last."""

    def rewind(self, after: int) -> None:
        """Push again from a place on, or leave entries out."""
        self._must_be_active()
        if after < 0:
            raise Invalid("after is a sequence: 0 for everything")
        self.trigger(Subscription.Rewound, after=after)

    @mutates(Rewound)
    def _rewound(self, event: Rewound) -> None:
        self.after, self.begun = event.after, event.originator_version

    class Paused(Event, tag="subscription.paused", frozen=True, kw_only=True, gc=False):
        """Nothing is pushed until it is resumed; nothing is lost."""

        why: str
        """A stable code: ``asked``, or ``gone`` where the partner's system said so."""

    def pause(self, why: str) -> None:
        self._must_be_active()
        if self.paused:
            raise NothingToDo("pushing is paused")
        self.trigger(Subscription.Paused, why=why)

    @mutates(Paused)
    def _paused(self, event: Paused) -> None:
        self.paused = event.why

    class Resumed(Event, tag="subscription.resumed", frozen=True, kw_only=True, gc=False):
        """Pushing goes on where it was."""

    def resume(self) -> None:
        self._must_be_active()
        if not self.paused:
            raise NothingToDo("pushing is not paused")
        self.trigger(Subscription.Resumed)

    @mutates(Resumed)
    def _resumed(self, _: Resumed) -> None:
        self.paused = ""

    class KeyRotated(Event, tag="subscription.key-rotated", frozen=True, kw_only=True, gc=False):
        """There is another key; until an instant, both sign."""

        key: UUID
        """Names the new key. The key itself stands elsewhere."""
        until: datetime

    def rotate_key(self, key: UUID, until: datetime) -> None:
        self._must_be_active()
        self.trigger(Subscription.KeyRotated, key=key, until=until)

    @mutates(KeyRotated)
    def _key_rotated(self, _: KeyRotated) -> None:
        """Read from the log by those who ask who changed it."""

    class Ended(Event, tag="subscription.ended", frozen=True, kw_only=True, gc=False):
        """Nothing is pushed any more. The feed itself goes on."""

    def end(self) -> None:
        self._must_be_active()
        self.trigger(Subscription.Ended)

    @mutates(Ended)
    def _ended(self, _: Ended) -> None:
        self.active = False

    def _must_be_active(self) -> None:
        if not self.active:
            raise NotNow("this feed is not pushed: subscribe first")
