"""The key that signs the addresses for answers by mail, as far as the log tells: when it was replaced, and by whom."""

from datetime import datetime
from typing import Final
from uuid import UUID

from domain.aggregate import Aggregate, Event, mutates
from domain.identifiers import named_id


class ReplyKeys(Aggregate):
    KIND: Final = "addressing"

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.key: UUID | None = None
        """Names the key that signs now; None for the first one, which nobody announced."""

    class KeyRotated(Event, tag="addressing.key-rotated", frozen=True, kw_only=True, gc=False):
        """Addresses are signed with another key from now on. Nothing of it stands here."""

        key: UUID
        """Names the new key. The key itself stands elsewhere."""
        until: datetime
        """Up to then addresses are believed that were signed before."""

    def rotate(self, key: UUID, until: datetime) -> None:
        self.trigger(ReplyKeys.KeyRotated, key=key, until=until)

    @mutates(KeyRotated)
    def _rotated(self, event: KeyRotated) -> None:
        self.key = event.key


REPLY_KEYS_ID: Final = named_id(ReplyKeys.KIND, "reply-keys")
"""The stream."""
