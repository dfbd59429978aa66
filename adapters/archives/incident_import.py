"""Brings the incident log into the ledger: in the order of time, in batches, from where it stopped.

The rows of all incidents are told in the order in which they took effect, so that positions follow time.
What the log names (units, sites, persons) enters the directory just before the first row that needs it.
Every event says in its ``causation_id`` which row it comes from (``incident-log:0000045/3``; row 0 is the
opening), every row leaves at least one event, and all events of a row are stored together or not at all:
a second run reads in the ledger itself how far each incident was told, and goes on from there. Rows
that were added to the log since are told in the same way.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID, uuid4

from msgspec import Struct

from adapters.archives import incident_log as log
from adapters.archives.incident_order import Step, in_order_of_time
from adapters.archives.incident_rows import IncidentLog, Row
from domain.aggregate import Aggregate, Claim, Event
from domain.archive import ArchivedTicket
from domain.content import Content
from domain.directory import Certification, Facts, Person, Site, SupportUnit
from domain.identifiers import named_id, ticket_id
from domain.provenance import Provenance, acting
from domain.rights import Actor, Right, require
from domain.store import Append, EventStore, Receipt
from domain.ticket import Particulars, Ticket

ACTOR: Final = Actor.importer(log.NAME)
CLAIM: Final = "import:incident-log"
"""Kind of the claims that give each incident to one ticket: two imports at once cannot both have it."""
BATCH_EVENTS_MAX: Final = 2_000
_ROW_EVENTS_MAX: Final = 30
"""More than one row can cause; a batch ends before it might grow beyond what one append may hold."""
_UNDER_WAY_MAX: Final = 2
"""Batches that the store works on while the next is prepared."""
_SLICE_ROWS: Final = 64
"""The event loop gets its turn after so many rows, to keep the connection busy."""
_PAGE: Final = 5_000

Progress = Callable[[int, int], None]
"""Called with rows told so far and rows in all."""
AggregateT = TypeVar("AggregateT", bound=Aggregate)


class Imported(Struct):
    """What one run added."""

    tickets: int = 0
    events: int = 0
    history_gaps: int = 0
    missing_versions: int = 0
    skipped: int = 0
    """Rows that could not be read."""
    rows: int = 0
    rows_known: int = 0
    """Rows that an earlier run had told already."""


async def bring_in(
    store: EventStore, found: IncidentLog, progress: Progress | None = None
) -> Imported:
    """Tell the ledger what it does not know yet of ``found``.

    Raises ``StaleVersion`` and ``AlreadyClaimed`` when somebody else wrote to the same tickets meanwhile,
    ``StoreUnavailable``, ``TooLarge``. What was stored stays stored; run it again to go on.
    """
    require(ACTOR, Right.ADMINISTER)
    importer = _Importer(store, await _known(store))
    return await importer.run(found, progress)


class _Known(Struct):
    """What the ledger holds from earlier runs."""

    tickets: dict[str, UUID]
    """By incident."""
    told: dict[str, int]
    """Last row of each incident that was told; 0 for the opening."""
    entries: set[UUID]
    """Streams of the directory, whoever registered them."""


async def _known(store: EventStore) -> _Known:
    """Read it off the log. A hub without this archive is read once from end to end, too."""
    known = _Known({}, {}, set())
    position = 0
    while page := await store.log(position, _PAGE):
        position = page[-1].position
        for recorded in page:
            event = recorded.event
            if isinstance(event, SupportUnit.Registered | Site.Registered | Person.Registered):
                known.entries.add(event.originator_id)
            elif type(event) in Ticket.mutators and event.provenance.actor == ACTOR.name:
                incident, _, row = event.provenance.causation_id.partition(":")[2].rpartition("/")
                known.tickets[incident] = event.originator_id
                known.told[incident] = max(int(row), known.told.get(incident, 0))
        await asyncio.sleep(0)
    return known


class _Importer:
    def __init__(self, store: EventStore, known: _Known) -> None:
        self._store = store
        self._known = known
        self._tickets: dict[str, ArchivedTicket] = {}
        """Those that are told of at the moment."""
        self._numbers: deque[int] = deque()
        self._under_way: deque[asyncio.Task[Receipt]] = deque()
        self._done = Imported()
        self._events: list[Event] = []
        self._contents: list[Content] = []
        self._claims: list[Claim] = []
        self._command_id = uuid4()

    async def run(self, found: IncidentLog, progress: Progress | None) -> Imported:
        done = self._done
        done.skipped = found.skipped_count
        steps = in_order_of_time(found.rows, self._known.told)
        done.rows_known = len(found.rows) - sum(not step.opens for step in steps)
        openings = sum(step.opens for step in steps)
        try:
            for told, step in enumerate(steps):
                if step.opens:
                    await self._open(step, openings)
                    openings -= 1
                else:
                    await self._follow(step)
                    done.rows += 1
                if len(self._events) > BATCH_EVENTS_MAX - _ROW_EVENTS_MAX:
                    await self._send()
                    if progress:
                        progress(told, len(steps))
                elif not told % _SLICE_ROWS:
                    await asyncio.sleep(0)
            await self._send()
        finally:
            # Also when one failed: what the store has taken is stored or refused before we leave.
            await asyncio.gather(*self._under_way, return_exceptions=True)
        while self._under_way:
            self._settle(await self._under_way.popleft())
        if progress:
            progress(len(steps), len(steps))
        return done

    # -- telling -------------------------------------------------------------------------------------

    async def _open(self, step: Step, still_to_open: int) -> None:
        row = step.row
        if not self._numbers:
            self._numbers.extend(await self._store.next_numbers(min(still_to_open, 500)))
        number = self._numbers.popleft()
        ticket = self._tickets[row.incident] = ArchivedTicket(ticket_id(number))
        with acting(self._provenance(row, 0), log.opening_at(row)):
            self._register(row, opening=True)
            ticket.open_from_archive(
                number,
                submitter=log.person_id(log.caller(row)) if row.caller else None,
                # What stands on a later version than the first was not known at the opening.
                particulars=Particulars() if step.missing else log.particulars(row),
            )
        ticket.claim(CLAIM, row.incident)
        self._collect(ticket)
        self._done.tickets += 1

    async def _follow(self, step: Step) -> None:
        row = step.row
        ticket = self._tickets.get(row.incident)
        if ticket is None:
            stream = self._known.tickets[row.incident]
            ticket = await self._replayed(stream)
            self._tickets[row.incident] = ticket
        shown = log.snapshot(row, step.before)
        with acting(self._provenance(row, row.ordinal), row.at):
            self._register(row)
            if step.missing:
                ticket.record_history_gap(step.missing)
            ticket.follow(shown)
        if gap := step.missing or shown.missing_versions:
            self._done.history_gaps += 1
            self._done.missing_versions += gap
        self._collect(ticket)
        if step.last:
            del self._tickets[row.incident]

    async def _replayed(self, stream: UUID) -> ArchivedTicket:
        recorded = await self._store.stream(stream)
        return ArchivedTicket.replay(stream, [each.event for each in recorded])

    def _register(self, row: Row, *, opening: bool = False) -> None:
        """Enter into the directory what ``row`` names and nobody has named before."""
        if opening:
            if row.caller:
                self._register_person(log.caller(row))
        else:
            if row.group:
                self._register_unit(log.unit(row))
            if row.assignee:
                self._register_person(log.supporter(row))
        if row.location:
            self._register_site(log.site(row))

    def _register_unit(self, name: str) -> None:
        if entry := self._new(SupportUnit, _stream("unit", name)):
            entry.register(name, "Assignment group of the incident log")
            self._collect(entry)

    def _register_site(self, name: str) -> None:
        if entry := self._new(Site, _stream("site", name)):
            entry.record(name, _ELSEWHERE)
            self._collect(entry)

    def _register_person(self, login: str) -> None:
        if entry := self._new(Person, log.person_id(login)):
            entry.register(name=login)
            entry.add_identity("login", login)
            self._collect(entry)

    def _new(self, kind: type[AggregateT], stream: UUID) -> AggregateT | None:
        if stream in self._known.entries:
            return None
        self._known.entries.add(stream)
        return kind(stream)

    def _provenance(self, row: Row, ordinal: int) -> Provenance:
        incident = f"{log.NAME}:{row.incident}"
        return Provenance(
            actor=ACTOR.name,
            command_id=self._command_id,
            correlation_id=incident,
            causation_id=f"{incident}/{ordinal}",
        )

    # -- storing -------------------------------------------------------------------------------------

    def _collect(self, aggregate: Aggregate) -> None:
        self._events += aggregate.collect_events()
        if aggregate.pending_contents:
            self._contents += aggregate.pending_contents
            aggregate.pending_contents = []
        if aggregate.pending_claims:
            self._claims += aggregate.pending_claims
            aggregate.pending_claims = []

    async def _send(self) -> None:
        """Hand the batch to the store; the order of batches is that of sending."""
        if not self._events:
            return
        while len(self._under_way) >= _UNDER_WAY_MAX:
            self._settle(await self._under_way[0])
            del self._under_way[0]
        append = Append(self._events, self._contents, self._claims)
        self._under_way.append(asyncio.create_task(self._append(append)))
        self._events, self._contents, self._claims = [], [], []
        self._command_id = uuid4()
        await asyncio.sleep(0)

    async def _append(self, append: Append) -> Receipt:
        return await self._store.append(append)

    def _settle(self, receipt: Receipt) -> None:
        self._done.events += receipt.position - receipt.first_position + 1


_ELSEWHERE: Final = Facts(
    title="Location of the incident log",
    certification=Certification.UNCERTIFIED.value,  # nobody here certified it: no ticket is routed to it
    production=False,
)
_streams: Final[dict[tuple[str, str], UUID]] = {}


def _stream(kind: str, name: str) -> UUID:
    known = _streams.get((kind, name))
    if known is None:
        known = _streams[kind, name] = named_id(kind, name)
    return known
