"""Whether an identifier of the partner's is still that of the ticket that we are linked to.

A helpdesk that was restored from a backup gives identifiers a second time. What tells the two tickets apart is
when they were made, by the partner's own clock: as it told that when we were linked, and as it tells it now.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from adapters.kit.contract import Reading
from adapters.kit.conversations import Conversations
from adapters.kit.documents import our_id
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from domain.errors import NothingToDo
from domain.exchange import Exchange
from domain.identifiers import random_id
from domain.provenance import Provenance, acting

log = structlog.get_logger()

ANOTHER: Final = "another"
"""Why a conversation gave up their ticket."""
ANOTHER_THERE: Final = "another-there"
_RULE: Final = "rule:reused@1"
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


def gave_again(exchange: Exchange, reading: Reading) -> bool:
    """Whether a message names the ticket that we are linked to, and is about another one: by the partner's clock alone."""
    if not exchange.number or reading.external_id != exchange.external_id:
        return False
    return given_again(reading.opened_at, exchange.opened_at, None)


def is_lost(exchange: Exchange, reading: Reading) -> bool:
    """Whether it is about the ticket of theirs that was lost, and not about one that got its identifier since."""
    if reading.external_id not in exchange.lost:
        return False
    made_at = exchange.lost[reading.external_id]
    return made_at is None or reading.opened_at in (None, made_at)


def made_at(exchange: Exchange, reading: Reading, external_id: str) -> datetime | None:
    """When their ticket was made, where a message tells that of the one that we are linked to, and it is news."""
    same = external_id == exchange.external_id
    if external_id != reading.external_id or (same and exchange.opened_at is not None):
        return None
    return reading.opened_at


async def given_up(conversations: Conversations, about: UUID, reading: Reading) -> bool:
    """Whether a message opens a ticket under the identifier of an older one, which is given up by that.

    Only where a ticket is opened: that is said once of each, so nothing begins anew again and again.
    """
    exchange = await conversations.seen(about)
    if not gave_again(exchange, reading):
        return False
    helpdesk, external_id = exchange.helpdesk, exchange.external_id
    key, holder = await conversations.link(helpdesk, external_id)
    if holder != about:
        return False
    log.error("partner gives identifiers again", helpdesk=helpdesk, ticket=external_id)
    with acting(Provenance(_RULE, random_id(), f"restored:{helpdesk}")), suppress(NothingToDo):
        await conversations.change(about, lambda fresh: fresh.unlink(key, ANOTHER))
    return True


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
