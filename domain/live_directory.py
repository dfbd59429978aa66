"""The directory as the log has it now, kept in memory for a moment."""

from collections.abc import Iterable
from time import monotonic
from typing import Final, TypeVar
from uuid import UUID

from domain.aggregate import Aggregate
from domain.directory import Person, Site, SupportUnit, VirtualOrganisation
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from domain.store import EventStore

AggregateT = TypeVar("AggregateT", bound=Aggregate)

_ENTRIES_KEPT: Final = 5_000
_FRESH_S: Final = 1.0
"""Entries may have been changed by another process; this is how long we may not know."""


class LiveDirectory:
    """Units, sites, VOs, helpdesks and persons by name. What it answers is to be read, not to be changed."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._entries: dict[UUID, tuple[float, Aggregate | None]] = {}
        self._reading: dict[UUID, object] = {}
        """Entries that are being read, and did not change since that began."""

    async def unit(self, name: str) -> SupportUnit | None:
        return await self._entry(SupportUnit, named_id(SupportUnit.KIND, name))

    async def site(self, name: str) -> Site | None:
        """By name or by an alias."""
        found = await self._entry(Site, named_id(Site.KIND, name))
        if found is None and (stream := await self._store.holder("site-alias", name)):
            found = await self._entry(Site, stream)
        return found

    async def vo(self, name: str) -> VirtualOrganisation | None:
        return await self._entry(VirtualOrganisation, named_id(VirtualOrganisation.KIND, name))

    async def helpdesk(self, name: str) -> Helpdesk | None:
        return await self._entry(Helpdesk, named_id(Helpdesk.KIND, name))

    async def person(self, person: UUID) -> Person | None:
        return await self._entry(Person, person)

    def forget(self, streams: Iterable[UUID]) -> None:
        """These entries have changed."""
        for stream in streams:
            self._entries.pop(stream, None)
            self._reading.pop(stream, None)

    def forget_all(self) -> None:
        """Read everything afresh: before a refusal is believed."""
        self._entries.clear()
        self._reading.clear()

    async def _entry(self, kind: type[AggregateT], stream: UUID) -> AggregateT | None:
        now = monotonic()
        known = self._entries.get(stream)
        if known is not None and known[0] > now:
            assert known[1] is None or isinstance(known[1], kind)
            return known[1]
        began = self._reading.setdefault(stream, object())
        found = await load(self._store, kind, stream)
        if self._reading.get(stream) is began:  # else another was faster, or it may have changed
            del self._reading[stream]
            if len(self._entries) >= _ENTRIES_KEPT:
                self._entries.clear()
            self._entries[stream] = (now + _FRESH_S, found)
        return found


async def load(store: EventStore, kind: type[AggregateT], originator_id: UUID) -> AggregateT | None:
    """An aggregate as of now, or None when its stream is empty."""
    found = await store.stream(originator_id)
    return kind.replay(originator_id, [recorded.event for recorded in found]) if found else None
