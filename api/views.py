"""The ticket as readers are shown it, folded from the log: now or as of any moment."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from api.commanding import may_read, possible
from domain.content import Content, Sealed
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
    possible: list[str]
    """What the caller may do now; empty when an earlier state is shown."""


class _Details(Struct):
    name: str = ""


_details = msgspec.json.Decoder(_Details).decode


async def read_ticket(
    ledger: Ledger,
    actor: Actor,
    number: int,
    *,
    as_of: AsOf | None = None,
    version: int | None = None,
) -> TicketInFull:
    """The ticket now, or as of a time, a position or a version. Raises ``TicketNotFound``.

    Whether the actor may read it is decided on its present state.
    """
    history = await ledger.history(number)
    ticket = Ticket.replay(ticket_id(number), [recorded.event for recorded in history])
    if not may_read(actor, ticket):
        raise TicketNotFound(number)
    shown = _cut(history, as_of, version)
    past = len(shown) < len(history)
    if not shown:
        raise TicketNotFound(number)
    if past:
        ticket = Ticket.replay(ticket_id(number), [recorded.event for recorded in shown])
    return await _view(ledger, ticket, shown[-1], [] if past else possible(ticket, actor))


def _cut(history: list[Recorded], as_of: AsOf | None, version: int | None) -> list[Recorded]:
    if isinstance(as_of, datetime):
        history = until(history, as_of)
    elif as_of is not None:
        history = [recorded for recorded in history if recorded.position <= as_of]
    return history if version is None else history[:version]


async def _view(ledger: Ledger, ticket: Ticket, last: Recorded, may_do: list[str]) -> TicketInFull:
    submitter = await _sealed_name(ledger, ticket.submitter)
    assignee = await _sealed_name(ledger, ticket.assignee)
    references = (ticket.subject, ticket.description, ticket.solution, submitter, assignee)
    contents = await ledger.store.contents({sealed.id for sealed in references if sealed})
    return TicketInFull(
        number=ticket.number,
        version=ticket.version,
        position=last.position,
        recorded_at=last.recorded_at,
        status=ticket.status.value,
        status_since=ticket.status_since,
        subject=_text(ticket.subject, contents),
        description=_text(ticket.description, contents),
        solution=_text(ticket.solution, contents),
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
        submitter=_person(ticket.submitter, submitter, contents),
        assignee=_person(ticket.assignee, assignee, contents),
        opened_at=ticket.opened_at,
        remind_on=ticket.remind_on,
        reopenings=ticket.reopenings,
        missing_versions=ticket.missing_versions,
        possible=may_do,
    )


async def _sealed_name(ledger: Ledger, person: UUID | None) -> Sealed | None:
    entry = await ledger.directory.person(person) if person is not None else None
    return entry.details if entry is not None else None


def _text(sealed: Sealed | None, contents: dict[UUID, Content]) -> str | None:
    if sealed is None:
        return None
    content = contents.get(sealed.id)
    return ERASED if content is None else content.text()


def _person(
    person: UUID | None, sealed: Sealed | None, contents: dict[UUID, Content]
) -> NamedPerson | None:
    if person is None:
        return None
    content = contents.get(sealed.id) if sealed is not None else None
    return NamedPerson(person, ERASED if content is None else _details(content.body).name)
