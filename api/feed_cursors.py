"""Whether what a reader read last is in the feed that we have: not so after we lost the end of our log.

A feed that is only being made again is not taken for one that lost something: what was ever read was made from
the log as it was then, so all is certain once the feed has reached the log as it is now.
"""

from typing import Final

from api.bootstrap import Services
from api.problems import FeedLeft, NotYet
from projections import feed_pages
from projections.feed_pages import FeedPlace

_AGAIN: Final = (
    "nearest is the last entry before it. If you have that with this hash, drop what you have after it and go on "
    "from there; else look further back, asking for /position?sequence=N"
)


async def must_be_in_feed(
    services: Services, helpdesk: str, sequence: int, hash_: str | None = None
) -> None:
    """Refuse a reader who has an entry that this feed has not, or has otherwise (``hash_``).

    Raises ``FeedLeft``, ``NotYet`` where that is not certain.
    """
    place = await certain_place(services, helpdesk, sequence)
    if place.here is not None and hash_ in (None, place.here):
        return
    if place.here is None and sequence > place.last:
        raise FeedLeft(
            "cursor-ahead",
            f"you have entry {sequence}, but this feed ends at {place.last}: {_AGAIN}",
            place.before,
        )
    raise FeedLeft(
        "feed-forked",
        f"entry {sequence} is not in this feed as you have it: {_AGAIN}",
        place.before,
    )


async def certain_place(services: Services, helpdesk: str, sequence: int) -> FeedPlace:
    """Where a sequence stands. Raises ``NotYet``."""
    place = await _place(services, helpdesk, sequence)
    if sequence <= place.last:
        return place
    head = await services.store.head()
    if not await services.projector.wait_for(head, services.settings.wait_s_max, ["feeds"]):
        raise NotYet("this feed is being made; come again")
    return await _place(services, helpdesk, sequence)


async def _place(services: Services, helpdesk: str, sequence: int) -> FeedPlace:
    return await services.ask(
        lambda connection: feed_pages.place_of(connection, helpdesk, sequence)
    )
