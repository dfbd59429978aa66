"""What is kept of feeds: how long each is, which tickets are in it, and its entries."""

from typing import Final

from msgspec import Struct

from domain.feeds import FIRST
from domain.helpdesk import Policy
from projections.columns import Instant
from projections.tables import Table

_BEGINNING: Final = 0


class FeedRow(Struct, kw_only=True, gc=False):
    helpdesk: str
    policy: str = Policy.CLOSING_ONLY.value
    last: int = 0
    """The sequence of the last entry."""
    hash: str = FIRST
    position: int = 0
    """Of the event that led to the last entry."""
    changed_at: Instant = Instant(_BEGINNING)


class MemberRow(Struct, kw_only=True, gc=False):
    """A ticket that is exchanged with the partner."""

    helpdesk: str
    number: int
    position: int
    """Of the event that says so."""


class EntryRow(Struct, kw_only=True, gc=False):
    helpdesk: str
    sequence: int
    number: int
    """0 where it is about the feed itself."""
    position: int
    """Of the event that it tells of: entries of a ticket's past are younger than their events."""
    rule: str
    previous: str
    hash: str
    entered_at: Instant
    """When it could be read first; never goes back."""


FEED: Final = Table("feed", FeedRow, key=("helpdesk",), fill=50)
MEMBER: Final = Table("feed_member", MemberRow, key=("number", "helpdesk"))
ENTRY: Final = Table(
    "feed_entry", EntryRow, key=("helpdesk", "sequence"), indexes=("(helpdesk, entered_at)",)
)
