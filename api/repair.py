"""Parked messages by the dozen: those of one partner are tried again or left out, as far as one call goes."""

from msgspec import Struct

from adapters.kit.by_hand import Resumed
from api.bootstrap import Services
from domain.exchange import Direction
from domain.rights import Actor, Right, require
from projections import exchanges
from projections.exchanges import MessageView


class Choice(Struct, frozen=True, kw_only=True):
    """Which parked messages."""

    helpdesk: str
    code: str | None = None
    direction: Direction | None = None
    until: int | None = None
    """Parked up to this position. What is parked again by trying again comes after it: so this ends."""


class Repaired(Struct, frozen=True, kw_only=True):
    messages: list[MessageView]
    """Those that were chosen."""
    done: int
    """So many of them were resumed; none in a dry run."""
    settled: int
    """Somebody else decided about them meanwhile."""
    first: int
    """Position of the first event; 0 when nothing was done."""
    position: int
    """Of the last event; 0 when nothing was done. With ``first``: where to ask what became of the messages."""
    until: int
    next: str | None
    """To go on: send it as ``cursor`` with the same choice and this ``until``."""


async def repair(
    services: Services,
    actor: Actor,
    choice: Choice,
    *,
    skip: bool,
    dry_run: bool,
    cursor: str | None = None,
    limit: int = 50,
) -> Repaired:
    """Resume the next ``limit`` messages of the choice. Needs an ``acting`` block.

    Raises ``Forbidden``, ``StoreUnavailable``, ``Invalid`` for a bad cursor.
    """
    require(actor, Right.SEND)
    until = await services.store.head() if choice.until is None else choice.until
    page = await services.ask(
        lambda connection: exchanges.parked(
            connection,
            helpdesk=choice.helpdesk,
            code=choice.code,
            direction=choice.direction.value if choice.direction else None,
            until=until,
            cursor=cursor,
            limit=limit,
        )
    )
    chosen = [(each.exchange, each.reference) for each in page.items]
    by_hand = services.exchange.by_hand
    resumed = Resumed(0, 0, 0, 0) if dry_run else await by_hand.resume_all(actor, chosen, skip=skip)
    return Repaired(
        messages=page.items,
        done=resumed.done,
        settled=resumed.settled,
        first=resumed.first,
        position=resumed.position,
        until=until,
        next=page.next,
    )
