"""Comparisons of all tickets exchanged with a partner: how far they got is kept, so that they go on after a crash."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from adapters.kit.checkpoints import Checkpoints
from adapters.kit.comparing_pages import BEGINNING, Compared, Linked, Pages
from adapters.kit.retry import Undelivered
from domain import clock
from domain.errors import EntryNotFound, NotNow
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Provenance, acting

log = structlog.get_logger()

COMPARED: Final = "compared:"
"""Before the partner's name: under which the state of its comparison is kept."""
_RULE: Final = "rule:comparison@1"
_PACE_S: Final = 1.0
_AWAY_S: Final = 60.0


class Progress(Struct, kw_only=True):
    """How a comparison of all tickets goes. Kept, so that it goes on after a crash."""

    begun_at: datetime
    ended_at: datetime | None = None
    after: UUID = BEGINNING
    compared: int = 0
    diverging: int = 0
    repaired: int = 0
    error: str = ""
    """Of the last attempt to ask the partner; empty when it went well."""

    def add(self, page: Compared) -> None:
        self.compared += page.compared
        self.diverging += len(page.diverging)
        self.repaired += sum(1 for each in page.diverging if each.repair)
        self.error = ""
        if page.next is None:
            self.ended_at = clock.now()
        else:
            self.after = page.next


class Comparison:
    def __init__(
        self, pages: Pages, linked: Linked, checkpoints: Checkpoints, *, every_s: float = 0
    ) -> None:
        """``every_s``: how often all partners are compared by themselves; 0 for never."""
        self.pages = pages
        self._linked, self._checkpoints, self._every_s = linked, checkpoints, every_s

    async def progress(self, helpdesk: str) -> Progress | None:
        """How the last comparison of all tickets went, or goes; None where there was none."""
        _, memory = await self._checkpoints.load(COMPARED + helpdesk)
        return msgspec.json.decode(memory, type=Progress) if memory else None

    async def begin(self, helpdesk: str, since: datetime) -> None:
        """Let the service compare all tickets, unless it began to do so since an instant. Nothing is put right by that."""
        progress = await self.progress(helpdesk)
        if progress is None or progress.begun_at < since:
            await self._keep(helpdesk, Progress(begun_at=clock.now()))

    async def whole(
        self, helpdesk: str, *, repair: bool, anew: bool = False, confirm: bool = True
    ) -> Progress:
        """Compare all tickets, going on where a comparison that did not end left off unless ``anew``.

        Raises as ``page``.
        """
        progress = await self.progress(helpdesk)
        if anew or progress is None or progress.ended_at is not None:
            progress = Progress(begun_at=clock.now())
        while progress.ended_at is None:
            with acting(Provenance(_RULE, random_id(), f"comparison:{helpdesk}")):
                try:
                    page = await self.pages.compare(
                        helpdesk, progress.after, repair=repair, confirm=confirm
                    )
                except Undelivered as failure:
                    progress.error = f"{failure.code}: {failure}"[:500]
                    await self._keep(helpdesk, progress)
                    raise
            progress.add(page)
            await self._keep(helpdesk, progress)
            if progress.ended_at is None:
                await asyncio.sleep(_PACE_S)
        return progress

    async def _keep(self, helpdesk: str, progress: Progress) -> None:
        await self._checkpoints.save(COMPARED + helpdesk, 0, msgspec.json.encode(progress))

    async def run(self, stop: asyncio.Event) -> None:
        """Compare all partners now and then until ``stop`` is set, and those that it was begun with.

        Nothing is put right by that.
        """
        while not stop.is_set():
            pause_s = self._every_s or _AWAY_S
            for helpdesk in await self._linked.helpdesks():
                if self._due(await self.progress(helpdesk)):
                    try:
                        await self.whole(helpdesk, repair=False)
                    except (NotNow, EntryNotFound):
                        continue  # nothing to compare with, not now, or by an adapter that is not here
                    except Undelivered as failure:
                        log.warning("cannot compare", helpdesk=helpdesk, code=failure.code)
                        pause_s = min(pause_s, _AWAY_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(pause_s, _AWAY_S))

    def _due(self, progress: Progress | None) -> bool:
        if progress is not None and progress.ended_at is None:
            return True
        if not self._every_s:
            return False
        pause = timedelta(seconds=self._every_s)
        return progress is None or clock.now() - progress.begun_at >= pause

    async def after_restore(self, partner: Helpdesk) -> None:
        """Put right what a rule can, before anything that the partner says now is believed.

        Raises ``Undelivered``, ``StoreUnavailable``.
        """
        log.error("partner was restored from a backup", helpdesk=partner.name)
        with suppress(NotNow):
            progress = await self.whole(partner.name, repair=True, anew=True, confirm=False)
            log.warning(
                "compared after the restore", helpdesk=partner.name,
                compared=progress.compared, diverging=progress.diverging,
            )  # fmt: skip
