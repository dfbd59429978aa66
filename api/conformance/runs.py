"""Conformance runs from outside: start one, say something about a case, read reports, page through them."""

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from msgspec import Struct

from adapters.kit.conversations import Conversations
from api.bootstrap import Services
from api.conformance.cases import CASES
from api.conformance.changing import changed
from domain.conformance import ConformanceRun
from domain.conformance_terms import ASKED, Result, Signal, Terms
from domain.errors import AlreadyClaimed, EntryNotFound, NotNow, UnknownValue
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import random_id
from domain.store import Receipt
from projections.conformance_runs import Place, runs_of
from projections.paging import Page, checked_limit, page_of, read_cursor

EXCHANGE_OFF: Final = (
    "the exchange is off, so nothing would go on with the run: set TICKETLEDGER_EXCHANGE=true,"
    " or let mail in or out, wherever the service runs and here"
)
_LOOKED_BACK: Final = 50
"""So many runs are looked through for one that was passed."""


class _Before(Struct, frozen=True):
    before_run: int


class ConformanceRuns:
    """Everything that changes something needs an ``acting`` block."""

    def __init__(self, services: Services) -> None:
        self._services, self._ledger = services, services.ledger
        self._conversations: Conversations = services.exchange.conversations

    async def start(
        self, helpdesk: str, cases: Iterable[str] = (), terms: Terms | None = None
    ) -> tuple[ConformanceRun, Receipt]:
        """Begin a run; whichever process drives runs goes on with it. No ``cases`` means all.

        Raises ``EntryNotFound``, ``UnknownValue``, ``Invalid``, ``NotNow``.
        """
        partner = await self._conversations.known_partner(helpdesk)
        chosen = tuple(cases) or tuple(CASES)
        for case in chosen:
            if case not in CASES:
                raise UnknownValue("case", case, CASES)
        if not self._services.settings.exchanges:
            raise NotNow(EXCHANGE_OFF)
        last = await self._places(helpdesk, limit=1)
        if last and (await self._load(last[0].stream)).result is Result.RUNNING:
            raise NotNow(f"conformance run {last[0].number} of {helpdesk} is running")
        number = last[0].number + 1 if last else 1
        run = ConformanceRun(random_id())
        run.start(
            partner,
            number,
            mapping=self._conversations.place(partner).mapping,
            environment=self._services.settings.environment.value,
            cases=[case for case in CASES if case in chosen],
            whole=set(chosen) == set(CASES),
            terms=terms or Terms(),
        )
        try:
            receipt = await self._ledger.save(run)
        except AlreadyClaimed as error:
            raise NotNow(f"conformance run {number} of {helpdesk} was started just now") from error
        assert receipt is not None
        return run, receipt

    async def signal(self, helpdesk: str, number: int, case: str, signal: Signal) -> Receipt:
        """Say that the partner did its part of a case, or that it is to be left out."""
        return await self._change(helpdesk, number, lambda run: run.take_signal(case, signal))

    async def abandon(self, helpdesk: str, number: int) -> Receipt:
        """End a run before its end. What it changed at our doors is put back by whoever drives it."""
        return await self._change(helpdesk, number, lambda run: run.abandon(ASKED))

    async def run(self, helpdesk: str, number: int) -> ConformanceRun:
        """Raises ``EntryNotFound``."""
        found = await self._places(helpdesk, before=number + 1, limit=1)
        if not found or found[0].number != number:
            raise EntryNotFound("conformance run", f"{helpdesk}/{number}")
        return await self._load(found[0].stream)

    async def last(self, helpdesk: str) -> ConformanceRun | None:
        found = await self._places(helpdesk, limit=1)
        return await self._load(found[0].stream) if found else None

    async def page(
        self, helpdesk: str, *, cursor: str | None = None, limit: int = 50
    ) -> Page[ConformanceRun]:
        """All runs with a helpdesk, the last one first. Raises ``EntryNotFound``, ``Invalid``."""
        checked_limit(limit)
        await self._conversations.known_partner(helpdesk)
        before = read_cursor(cursor, _Before).before_run if cursor else None
        places = await self._places(helpdesk, before=before, limit=limit + 1)
        page = page_of(places, limit, lambda place: _Before(place.number))
        return Page([await self._load(place.stream) for place in page.items], page.next)

    async def unproved(self, partner: Helpdesk) -> str:
        """Why the interface is not proved to work as it is now; empty where a run of it was passed."""
        mapping = self._conversations.place(partner).mapping
        places = await self._places(partner.name, limit=_LOOKED_BACK)
        for place in places:
            run = await self._load(place.stream)
            if run.result is Result.PASSED and (run.adapter, run.mapping) == (
                partner.adapter,
                mapping,
            ):
                return ""
        return f"no conformance run of {partner.name} was passed with the mapping {mapping}"

    async def warning(self, partner: Helpdesk) -> str:
        """What to say to whoever let messages flow; empty where there is nothing to warn of."""
        if partner.interface is not InterfaceState.LIVE or not self.knows(partner):
            return ""
        return await self.unproved(partner)

    def knows(self, partner: Helpdesk) -> bool:
        """Whether this program has the partner's adapter: without it nothing can be proved, or flow."""
        return partner.adapter in self._conversations.adapters

    async def _change(
        self, helpdesk: str, number: int, decide: Callable[[ConformanceRun], None]
    ) -> Receipt:
        run = await self.run(helpdesk, number)
        receipt = await changed(self._services, run.id, decide)
        assert receipt is not None
        return receipt

    async def _places(self, helpdesk: str, *, before: int | None = None, limit: int) -> list[Place]:
        if before is None:
            return await self._services.ask(
                lambda connection: runs_of(connection, helpdesk, limit=limit)
            )
        return await self._services.ask(
            lambda connection: runs_of(connection, helpdesk, before=before, limit=limit)
        )

    async def _load(self, stream: UUID) -> ConformanceRun:
        run = await self._ledger.load(ConformanceRun, stream)
        assert run is not None
        return run
