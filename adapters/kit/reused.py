"""Whether an identifier of the partner's is still that of the ticket that we are linked to.

A helpdesk that was restored from a backup gives identifiers a second time. What tells the two tickets apart is
when they were made, by the partner's own clock: as it told that when we were linked, and as it tells it now.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from adapters.kit.carriers import Parcel
from adapters.kit.conversations import Conversations
from adapters.kit.documents import our_id
from adapters.kit.retry import Undelivered
from domain.errors import NothingToDo

ANOTHER: Final = "another"
"""Why a conversation gave up their ticket."""
ANOTHER_THERE: Final = "another-there"
CLOCKS: Final = timedelta(days=1)
"""By more than this, clocks and zones are not wrong."""


def given_again(
    opened_at: datetime | None, known: datetime | None, linked_at: datetime | None
) -> bool:
    """Whether a ticket made at ``opened_at`` is another than the one made at ``known``.

    As long as that is not known, only one made long after ``linked_at`` is.
    """
    if opened_at is None:
        return False
    if known is not None:
        return opened_at != known
    return linked_at is not None and opened_at > linked_at + CLOCKS


def must_be_ours(
    parcel: Parcel, external_id: str, *, bears: str, opened_at: datetime | None
) -> None:
    """Before anything is written to a ticket that was found by its identifier.

    ``external_id`` is the number of ours that it should bear, ``bears`` what stands in its place. Raises ``Undelivered``.
    """
    installation, number = our_id(external_id)
    other, borne = our_id(bears)
    if (other, borne) == (installation, number):
        return
    anothers = bool(borne) and other == installation
    if anothers or given_again(opened_at, parcel.opened_at, parcel.linked_at):
        what = (
            f"the ticket {parcel.external_id} there is another one now{f', of {bears}' if anothers else ''}: "
            "compare the tickets of this helpdesk"
        )
        raise Undelivered(ANOTHER_THERE, what, final=True)


async def key_for(
    conversations: Conversations, helpdesk: str, external_id: str, opened_at: datetime | None
) -> str:
    """The key under which a ticket of theirs can be claimed that was made just now, for one of ours.

    Who holds its identifier for a ticket that was made at another time has lost that one, and gives it up. Needs
    an ``acting`` block.
    """
    key, holder = await conversations.link(helpdesk, external_id)
    if holder is None:
        return key
    other = await conversations.load(holder)
    lost = other.external_id == external_id and given_again(opened_at, other.opened_at, None)
    if not lost or not other.number:
        return key
    with suppress(NothingToDo):
        await conversations.change(holder, lambda fresh: fresh.unlink(key, ANOTHER))
    return (await conversations.link(helpdesk, external_id))[0]
