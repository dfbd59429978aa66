"""Comparing tickets with a partner, as a request or a command asks for it: a page at a time."""

from uuid import UUID

from msgspec import Struct

from adapters.kit.comparing_pages import BEGINNING, Diverging
from adapters.kit.retry import Undelivered
from api.bootstrap import Services
from domain.errors import NotNow
from domain.rights import Actor, Right, require


class ComparedPage(Struct, frozen=True, kw_only=True):
    """A page of a comparison."""

    compared: int
    """Tickets of which both sides were looked at, in a state that can be judged or not."""
    diverging: list[Diverging]
    recorded: int
    """So many of the divergences are new, or are put right now."""
    converged: int
    """Divergences that are over."""
    next: UUID | None
    """To go on: send it as ``after``."""


async def compare(
    services: Services,
    actor: Actor,
    helpdesk: str,
    *,
    repair: bool,
    after: UUID = BEGINNING,
    limit: int = 50,
) -> ComparedPage:
    """Compare the next tickets with the partner. Needs an ``acting`` block.

    Raises ``Forbidden``, ``EntryNotFound``, ``NotNow`` where the partner cannot be asked.
    """
    require(actor, Right.SEND)
    try:
        page = await services.exchange.comparison.pages.compare(
            helpdesk, after, repair=repair, limit=limit
        )
    except Undelivered as failure:
        raise NotNow(f"{helpdesk} cannot be asked: {failure.code}: {failure}"[:500]) from failure
    return ComparedPage(
        compared=page.compared,
        diverging=page.diverging,
        recorded=page.recorded,
        converged=page.converged,
        next=page.next,
    )
