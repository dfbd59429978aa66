"""Runs of a partner's past through a mapping, as requests and pages see them: begin one, follow it, read what it found.

One at a time of each partner, and the last one is kept. It is carried on by ``api.retranslation_driver`` in one
process, after a restart from where it stopped. Texts of tickets are not kept here: what is erased there stays erased.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from adapters.store.retranslations import Kept, Retranslations
from api.bootstrap import Services
from api.correcting import must_be_published
from api.retranslating import Summary
from api.retranslation_views import RetranslatedTicket
from domain import clock
from domain.errors import EntryNotFound, NotNow
from domain.rights import Actor, Right, require
from domain.words import Tables, complete
from projections.paging import Page, checked_limit, page_of, read_cursor
from replay.retranslate import BEGINNING

TICKETS_MAX: Final = 10_000
"""So many tickets of a run are listed; all are counted."""


class Run(Struct, kw_only=True):
    """How it goes. Kept while it runs, so that it goes on after a crash."""

    draft: Tables | None
    """None: it is about the mapping in force, and about corrections."""
    apply: bool
    """Tickets are put right; otherwise nothing is changed."""
    mapping: str
    version: int
    """Published, when it began."""
    actor: str
    person: UUID | None
    begun_at: datetime
    received: int
    """Messages, when it began."""
    ended_at: datetime | None = None
    worked_s: float = 0
    summary: Summary = msgspec.field(default_factory=Summary)
    corrected: int = 0
    refused: int = 0
    listed: int = 0
    unlisted: int = 0
    error: str = ""


class RunView(Struct, frozen=True, kw_only=True):
    """A run of a partner's past through a mapping."""

    helpdesk: str
    number: int
    kind: str
    """``draft``: what would differ. ``plan``: what corrections would do. ``corrections``: they are done."""
    state: str
    """``running``, ``done``, ``cancelled`` or ``failed``."""
    mapping: str
    by: str
    begun_at: datetime
    ended_at: datetime | None
    received: int
    """Messages that there were in all when it began."""
    messages: int
    """Read so far, of those that ever got an outcome."""
    conversations: int
    erased: int
    differing_messages: int
    differing_tickets: int
    correctable: int
    """Tickets that can be put right."""
    left: int
    """Tickets of which something is left to a person."""
    corrected: int
    refused: int
    """Tickets that could not be put right after all."""
    unlisted: int
    """Tickets beyond those that are listed."""
    cursor: UUID
    """The conversation up to which it came."""
    remaining_s: float | None
    """About so long it takes still; null where nobody can tell."""
    error: str


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
        number = await self._kept.begin(helpdesk, msgspec.json.encode(run))
        if number is None:
            raise NotNow(f"a run with {helpdesk} is going on; wait for its end, or cancel it")
        return _view(helpdesk, number, run, running=True)

    async def last(self, actor: Actor, helpdesk: str) -> RunView | None:
        """Raises ``Forbidden``, ``EntryNotFound``."""
        require(actor, Right.AUDIT)
        await self._services.exchange.conversations.known_partner(helpdesk)
        kept = await self._kept.last(helpdesk)
        return None if kept is None else view_of(kept)

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


def run_of(kept: Kept) -> Run:
    return msgspec.json.decode(kept.run, type=Run)


def view_of(kept: Kept) -> RunView:
    return _view(kept.helpdesk, kept.number, run_of(kept), running=kept.running)


def _view(helpdesk: str, number: int, run: Run, *, running: bool) -> RunView:
    summary = run.summary
    ended = "cancelled" if run.ended_at is None else "failed" if run.error else "done"
    kind = "draft" if run.draft is not None else "corrections" if run.apply else "plan"
    missing = max(run.received - summary.messages, 0)
    return RunView(
        helpdesk=helpdesk,
        number=number,
        kind=kind,
        state="running" if running else ended,
        mapping=run.mapping,
        by=run.actor,
        begun_at=run.begun_at,
        ended_at=run.ended_at,
        received=run.received,
        messages=summary.messages,
        conversations=summary.conversations,
        erased=summary.erased,
        differing_messages=summary.differing_messages,
        differing_tickets=summary.differing_conversations,
        correctable=summary.correctable,
        left=summary.left,
        corrected=run.corrected,
        refused=run.refused,
        unlisted=run.unlisted,
        cursor=summary.cursor,
        remaining_s=round(run.worked_s * missing / summary.messages, 1)
        if running and summary.messages
        else None,
        error=run.error,
    )


def changed(kept: Kept, run: Run, *, running: bool) -> Kept:
    """The same run, further on."""
    return structs.replace(kept, run=msgspec.json.encode(run), running=running)


def listable(run: Run, found: Sequence[RetranslatedTicket]) -> list[tuple[UUID, bytes]]:
    """As many as may be listed still; counts them."""
    rows = [(each.exchange, msgspec.json.encode(each)) for each in found]
    rows = rows[: max(TICKETS_MAX - run.listed, 0)]
    run.listed += len(rows)
    run.unlisted += len(found) - len(rows)
    return rows
