"""Runs of a partner's past through a mapping, as requests and pages see them: begin one, follow it, read what it found.

One at a time of each partner, and the last one is kept. It is carried on by ``api.retranslation_driver`` in one
process, after a restart from where it stopped.
"""

from uuid import UUID

import msgspec
from msgspec import Struct

from adapters.store.retranslations import Kept, Retranslations
from api.bootstrap import Services
from api.correcting import must_be_published
from api.retranslation_progress import Run, RunView, place_in_line, run_of, view_of
from api.retranslation_views import RetranslatedTicket
from domain import clock
from domain.errors import EntryNotFound, NotNow
from domain.rights import Actor, Right, require
from domain.words import Tables, complete
from projections.paging import Page, checked_limit, page_of, read_cursor
from replay.retranslate import BEGINNING


class _After(Struct, frozen=True):
    after_exchange: UUID


class RetranslationRuns:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept = Retranslations(services.store)

    async def try_draft(self, actor: Actor, helpdesk: str, draft: Tables) -> RunView:
        """Begin to run everything ever received through tables that are not published.

        Raises ``Forbidden``, ``EntryNotFound``, ``Invalid``, ``NotNow``.
        """
        return await self._begin(actor, helpdesk, draft, apply=False)

    async def correct(self, actor: Actor, helpdesk: str, *, dry_run: bool) -> RunView:
        """Begin to put right what mappings before the one in force left wrong, or to list it.

        Raises ``Forbidden``, ``EntryNotFound``, ``NotNow``.
        """
        return await self._begin(actor, helpdesk, None, apply=not dry_run)

    async def _begin(
        self, actor: Actor, helpdesk: str, draft: Tables | None, *, apply: bool
    ) -> RunView:
        require(actor, Right.ADMINISTER)
        conversations = self._services.exchange.conversations
        partner = await conversations.known_partner(helpdesk)
        if draft is None:
            must_be_published(partner)
        else:
            complete(draft.over(conversations.adapters[partner.adapter].words))
        received = await self._kept.received(helpdesk)
        if not received:
            raise NotNow(f"nothing was ever received from {helpdesk}")
        run = Run(
            draft=draft,
            apply=apply,
            mapping=conversations.place(partner).mapping if draft is None else "draft",
            version=partner.mapping_version,
            actor=actor.name,
            person=actor.person,
            begun_at=clock.now(),
            received=received,
        )
        encoded = msgspec.json.encode(run)
        number = await self._kept.begin(helpdesk, encoded)
        if number is None:
            raise NotNow(f"a run with {helpdesk} is going on; wait for its end, or cancel it")
        return await self._view(Kept(helpdesk, number, running=True, run=encoded))

    async def last(self, actor: Actor, helpdesk: str) -> RunView | None:
        """Raises ``Forbidden``, ``EntryNotFound``."""
        require(actor, Right.AUDIT)
        await self._services.exchange.conversations.known_partner(helpdesk)
        kept = await self._kept.last(helpdesk)
        return None if kept is None else await self._view(kept)

    async def one(self, actor: Actor, helpdesk: str, number: int) -> RunView:
        """Raises ``Forbidden``, ``EntryNotFound``: also where a later one has taken its place."""
        found = await self.last(actor, helpdesk)
        if found is None or found.number != number:
            raise EntryNotFound("retranslation", f"{helpdesk}/{number}")
        return found

    async def draft(self, actor: Actor, helpdesk: str) -> Tables | None:
        """The tables that the last run tried, where it tried some."""
        require(actor, Right.AUDIT)
        kept = await self._kept.last(helpdesk)
        return run_of(kept).draft if kept else None

    async def cancel(self, actor: Actor, helpdesk: str, number: int) -> RunView:
        """What it did stays done. Raises ``Forbidden``, ``EntryNotFound``, ``NotNow`` when it is over."""
        require(actor, Right.ADMINISTER)
        await self.one(actor, helpdesk, number)
        if not await self._kept.stop(helpdesk, number):
            raise NotNow(f"run {number} with {helpdesk} is over")
        return await self.one(actor, helpdesk, number)

    async def tickets(
        self,
        actor: Actor,
        helpdesk: str,
        number: int,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[RetranslatedTicket]:
        """What it found so far. Raises ``Forbidden``, ``EntryNotFound``, ``Invalid``."""
        checked_limit(limit)
        after = read_cursor(cursor, _After).after_exchange if cursor else BEGINNING
        await self.one(actor, helpdesk, number)
        rows = await self._kept.page(helpdesk, number, after, limit + 1)
        found = [msgspec.json.decode(row, type=RetranslatedTicket) for _, row in rows]
        return page_of(found, limit, lambda each: _After(each.exchange))

    async def _view(self, kept: Kept) -> RunView:
        running = await self._kept.running() if kept.running else []
        return view_of(kept, place_in_line(kept, running))
