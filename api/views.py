"""The ticket as readers are shown it, folded from the log: now or as of any moment."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from psycopg.errors import UndefinedTable

from adapters.store.engine import PostgresStore
from api.commanding import may_read, possible
from domain.content import Sealed
from domain.errors import TicketNotFound
from domain.identifiers import ticket_id
from domain.ledger import AsOf, Ledger, until
from domain.rights import Actor
from domain.store import Recorded
from domain.ticket import Ticket

ERASED: Final = "(erased)"


class NamedPerson(Struct, frozen=True):
    id: UUID
    name: str


class Elsewhere(Struct, frozen=True):
    """The ticket as a partner knows it, as far as we know now."""

    helpdesk: str
    external_id: str
    """Empty as long as the partner has not told."""
    external_reference: str
    """How the partner wants it to be named in messages."""
    remote_state: str
    """The partner's own word."""


class TicketInFull(Struct, frozen=True, kw_only=True):
    number: int
    version: int
    position: int
    """Of the last event included."""
    recorded_at: datetime
    status: str
    status_since: datetime
    subject: str | None
    description: str | None
    solution: str | None
    qualifier: str
    type: str
    category: str
    issue_type: str
    priority: str
    original_priority: str
    vo: str
    vo_specific: bool
    affected_site: str
    notified_site: str
    unit: str
    submitter: NamedPerson | None
    assignee: NamedPerson | None
    opened_at: datetime
    remind_on: date | None
    reopenings: int
    missing_versions: int
    """Versions that an imported history does not tell of."""
    elsewhere: list[Elsewhere]
    """The same ticket in the systems of partners, as known now."""
    possible: list[str]
    """What the caller may do now; empty when an earlier state is shown."""


class _Details(Struct):
    name: str = ""


_details = msgspec.json.Decoder(_Details).decode

_KEPT: Final = 2_000
# Texts are read every time, so that an erased one is gone at once.
STILL_SO: Final = """
    SELECT head.position, head.elsewhere, content.id, content.body
      FROM (SELECT position, (SELECT json_agg(json_build_array(
                                         helpdesk, external_id, external_reference, remote_state))
                                FROM view.exchange WHERE number = %b AND number <> 0) AS elsewhere
              FROM ledger.event WHERE originator_id = %b
             ORDER BY originator_version DESC LIMIT 1) AS head
      LEFT JOIN ledger.content ON content.id = ANY(%b)
"""
ELSEWHERE: Final = """
    SELECT helpdesk, external_id, external_reference, remote_state
      FROM view.exchange WHERE number = %b AND number <> 0
"""


class _Folded(Struct, frozen=True):
    """A ticket as it was folded from its whole stream up to ``last``."""

    ticket: Ticket
    last: Recorded


class TicketReader:
    """Reads tickets for showing. What was folded is kept: one question tells whether it still holds."""

    def __init__(self, ledger: Ledger, store: PostgresStore) -> None:
        self._ledger = ledger
        self._store = store
        self._kept: OrderedDict[int, _Folded] = OrderedDict()

    async def read(
        self, actor: Actor, number: int, *, as_of: AsOf | None = None, version: int | None = None
    ) -> TicketInFull:
        """The ticket now, or as of a time, a position or a version. Raises ``TicketNotFound``.

        Whether the actor may read it is decided on its present state.
        """
        if as_of is None and version is None and (kept := self._kept.get(number)) is not None:
            shown = await self._shown_from(kept, actor)
            if shown is not None:
                return shown
        history = await self._ledger.history(number)
        ticket = Ticket.replay(ticket_id(number), [recorded.event for recorded in history])
        self._keep(number, _Folded(ticket, history[-1]))
        if not may_read(actor, ticket):
            raise TicketNotFound(number)
        known = _cut(history, as_of, version)
        if not known:
            raise TicketNotFound(number)
        past = len(known) < len(history)
        if past:
            ticket = Ticket.replay(ticket_id(number), [recorded.event for recorded in known])
        references = await self._references(ticket)
        contents = await self._store.contents(sealed.id for sealed in references if sealed)
        texts = {id_: content.body for id_, content in contents.items()}
        return _shown(
            ticket,
            known[-1],
            references,
            texts,
            await self._elsewhere(number),
            [] if past else possible(ticket, actor),
        )

    async def _shown_from(self, kept: _Folded, actor: Actor) -> TicketInFull | None:
        """None when the ticket has changed since."""
        ticket = kept.ticket
        references = await self._references(ticket)
        wanted = [sealed.id for sealed in references if sealed]
        try:
            rows = await self._store.rows(STILL_SO, [ticket.number, ticket.id, wanted])
        except UndefinedTable:
            return None
        if not rows or rows[0][0] != kept.last.position:
            return None
        if not may_read(actor, ticket):
            raise TicketNotFound(ticket.number)
        texts = {id_: body for _, _, id_, body in rows}
        elsewhere = rows[0][1] or ()
        return _shown(ticket, kept.last, references, texts, elsewhere, possible(ticket, actor))

    async def _elsewhere(self, number: int) -> list[tuple[str, ...]]:
        """Nothing in a database that no projector has seen yet."""
        try:
            return await self._store.rows(ELSEWHERE, [number])
        except UndefinedTable:
            return []

    def _keep(self, number: int, folded: _Folded) -> None:
        self._kept[number] = folded
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _references(self, ticket: Ticket) -> list[Sealed | None]:
        """Subject, description, solution; details of submitter and assignee."""
        return [
            ticket.subject,
            ticket.description,
            ticket.solution,
            await self._person(ticket.submitter),
            await self._person(ticket.assignee),
        ]

    async def _person(self, person: UUID | None) -> Sealed | None:
        entry = await self._ledger.directory.person(person) if person is not None else None
        return entry.details if entry is not None else None


def _cut(history: list[Recorded], as_of: AsOf | None, version: int | None) -> list[Recorded]:
    if isinstance(as_of, datetime):
        history = until(history, as_of)
    elif as_of is not None:
        history = [recorded for recorded in history if recorded.position <= as_of]
    return history if version is None else history[:version]


def _shown(
    ticket: Ticket,
    last: Recorded,
    references: Sequence[Sealed | None],
    texts: Mapping[UUID, bytes],
    elsewhere: Iterable[Sequence[str]],
    may_do: list[str],
) -> TicketInFull:
    subject, description, solution, submitter, assignee = references
    return TicketInFull(
        number=ticket.number,
        version=ticket.version,
        position=last.position,
        recorded_at=last.recorded_at,
        status=ticket.status.value,
        status_since=ticket.status_since,
        subject=_text(subject, texts),
        description=_text(description, texts),
        solution=_text(solution, texts),
        qualifier=ticket.qualifier,
        type=ticket.type.value,
        category=ticket.category,
        issue_type=ticket.issue_type,
        priority=ticket.priority.value,
        original_priority=ticket.original_priority.value,
        vo=ticket.vo,
        vo_specific=ticket.vo_specific,
        affected_site=ticket.affected_site,
        notified_site=ticket.notified_site,
        unit=ticket.unit,
        submitter=_person(ticket.submitter, submitter, texts),
        assignee=_person(ticket.assignee, assignee, texts),
        opened_at=ticket.opened_at,
        remind_on=ticket.remind_on,
        reopenings=ticket.reopenings,
        missing_versions=ticket.missing_versions,
        elsewhere=sorted((Elsewhere(*each) for each in elsewhere), key=_by_name),
        possible=may_do,
    )


def _by_name(each: Elsewhere) -> tuple[str, str]:
    return each.helpdesk, each.external_id


def _text(sealed: Sealed | None, texts: Mapping[UUID, bytes]) -> str | None:
    if sealed is None:
        return None
    body = texts.get(sealed.id)
    return ERASED if body is None else body.decode("utf-8", "replace")


def _person(
    person: UUID | None, sealed: Sealed | None, texts: Mapping[UUID, bytes]
) -> NamedPerson | None:
    if person is None:
        return None
    body = texts.get(sealed.id) if sealed is not None else None
    return NamedPerson(person, ERASED if body is None else _details(body).name)
