"""Tickets and their spells, folded together: one state, two tables, always at the same position."""

from collections.abc import Callable, Iterable
from functools import cache
from sys import intern
from types import MappingProxyType
from typing import Any, ClassVar, Final

from psycopg.sql import SQL, Identifier

from domain.aggregate import Event
from domain.identifiers import ticket_number
from domain.lifecycle import BALL, OPEN, Status
from domain.ticket import Ticket
from domain.vocabulary import TPM, Priority
from projections.columns import Instant
from projections.projection import Fold, Logged, Projection, Rows
from projections.spells import SPELL, SPELL_OVER, Spell
from projections.tables import LIVE, Connection
from projections.ticket_page import TICKET, TicketRow

Change = Callable[[TicketRow, Any], None]

LOAD: Final = SQL("SELECT {columns} FROM {ticket} WHERE number = ANY(%b)")

_STATUSES: Final = {status.value: (status in OPEN, BALL[status].value) for status in Status}
_PRECEDENCE: Final = {priority.value: len(Priority) - 1 - priority.rank for priority in Priority}


class TicketFold(Fold):
    def __init__(self) -> None:
        self.tickets: Rows[TicketRow] = Rows(TICKET)
        self.spells: Rows[Spell] = Rows(SPELL_OVER)
        self.rows = (self.tickets, self.spells)

    async def load(
        self, connection: Connection, events: Iterable[Logged], suffix: str = LIVE
    ) -> None:
        known = self.tickets.current
        wanted = {
            number
            for number in (ticket_number(each.event.originator_id) for each in events)
            if number is not None and number not in known
        }
        if not wanted:
            return
        cursor = await connection.execute(_load(suffix), [list(wanted)], binary=True)
        for row in await cursor.fetchall():
            ticket = TICKET.restored(row)
            known[ticket.number] = ticket

    def apply(self, events: Iterable[Logged]) -> None:
        known, changed, over = self.tickets.current, self.tickets.changed, self.spells.finished
        for each in events:
            event, position = each.event, each.position
            number = ticket_number(event.originator_id)
            assert number is not None
            ticket = known.get(number)
            if ticket is None:
                self.tickets.begin(number, _opened(each, event))
                continue
            if position <= ticket.position:
                continue  # delivered before
            change = CHANGES[type(event)]
            at = ticket.changed_at = max(ticket.changed_at, each.at)
            ticket.version = event.originator_version
            ticket.position = position
            changed[number] = ticket
            if change is not None:
                spell = _spell(ticket, at, position)
                change(ticket, event)
                if _moved(spell, ticket, at):
                    over.append(spell)
                    ticket.spells += 1
                    ticket.from_at, ticket.from_position = at, position


def _opened(each: Logged, event: Event) -> TicketRow:
    if not isinstance(event, Ticket.Opened):
        raise TypeError(f"ticket {ticket_number(event.originator_id)} was never opened")
    about = event.particulars
    open_, ball = _STATUSES[Status.NEW.value]
    site = intern(about.affected_site)
    priority = intern(about.priority)
    return TicketRow(
        number=event.number, stream=event.originator_id, version=event.originator_version,
        position=each.position, opened_position=each.position,
        status=Status.NEW.value, open=open_, ball=ball, unit=TPM, submitter=event.submitter,
        priority=priority, precedence=_PRECEDENCE[priority], original_priority=priority,
        type=intern(about.type), category=intern(about.category),
        issue_type=intern(about.issue_type), vo=intern(about.vo), affected_site=site, site=site,
        subject=event.subject.id if event.subject else None,
        opened_at=each.at, changed_at=each.at, waiting_since=each.at,
        from_at=each.at, from_position=each.position,
    )  # fmt: skip


def _spell(ticket: TicketRow, to_at: Instant, to_position: int) -> Spell:
    """The ticket's present spell, as it would be over now."""
    return Spell(
        number=ticket.number, seq=ticket.spells, status=ticket.status, open=ticket.open,
        ball=ticket.ball, unit=ticket.unit, priority=ticket.priority, precedence=ticket.precedence,
        original_priority=ticket.original_priority, vo=ticket.vo, site=ticket.site,
        assignee=ticket.assignee, type=ticket.type, category=ticket.category,
        opened_at=ticket.opened_at, waiting_since=ticket.waiting_since,
        from_at=ticket.from_at, to_at=to_at,
        from_position=ticket.from_position, to_position=to_position,
    )  # fmt: skip


def _moved(spell: Spell, ticket: TicketRow, at: Instant) -> bool:
    """Whether something relevant changed since the spell; ``at`` is when."""
    if spell.status != ticket.status or spell.unit != ticket.unit:
        ticket.open, ticket.ball = _STATUSES[ticket.status]
        ticket.waiting_since = at
        return True
    return (
        spell.priority != ticket.priority
        or spell.assignee != ticket.assignee
        or spell.site != ticket.site
        or spell.vo != ticket.vo
        or spell.category != ticket.category
    )


@cache
def _load(suffix: str) -> bytes:
    columns = SQL(", ").join(Identifier(column) for column in TICKET.columns)
    return LOAD.format(columns=columns, ticket=TICKET.identifier(suffix)).as_bytes()


# -- what each event does to the row -----------------------------------------------------------------


def _becomes(status: Status) -> Change:
    def change(ticket: TicketRow, _: Event) -> None:
        ticket.status = status.value

    return change


def _assigned(ticket: TicketRow, event: Ticket.Assigned) -> None:
    ticket.status = Status.ASSIGNED.value
    ticket.unit = intern(event.unit)
    ticket.notified_site = intern(event.notified_site)
    ticket.site = ticket.notified_site or ticket.affected_site
    ticket.assignee = None


def _handed_over(ticket: TicketRow, event: Ticket.HandedOver) -> None:
    ticket.unit = intern(event.unit)


def _site_notification_ended(ticket: TicketRow, _: Ticket.SiteNotificationEnded) -> None:
    ticket.notified_site = ""
    ticket.site = ticket.affected_site


def _taken(ticket: TicketRow, event: Ticket.Taken) -> None:
    ticket.assignee = event.person


def _released(ticket: TicketRow, _: Ticket.Released) -> None:
    ticket.assignee = None


def _outcome(status: Status) -> Change:
    def change(ticket: TicketRow, _: Event) -> None:
        ticket.status = status.value
        ticket.solved_at = ticket.changed_at

    return change


def _final(status: Status) -> Change:
    def change(ticket: TicketRow, _: Event) -> None:
        ticket.status = status.value
        ticket.closed_at = ticket.changed_at

    return change


def _reopened(ticket: TicketRow, _: Ticket.Reopened) -> None:
    ticket.status = Status.REOPENED.value
    ticket.solved_at = ticket.closed_at = None
    ticket.reopenings += 1


def _reclassified(ticket: TicketRow, event: Ticket.Reclassified) -> None:
    setattr(ticket, event.field, intern(event.value))
    ticket.precedence = _PRECEDENCE[ticket.priority]
    ticket.site = ticket.notified_site or ticket.affected_site


def _history_gap(ticket: TicketRow, event: Ticket.HistoryGap) -> None:
    ticket.gaps += event.missing_versions


CHANGES: Final[MappingProxyType[type[Event], Change | None]] = MappingProxyType({
    Ticket.Assigned: _assigned,
    Ticket.HandedOver: _handed_over,
    Ticket.SiteNotificationEnded: _site_notification_ended,
    Ticket.Taken: _taken,
    Ticket.Released: _released,
    Ticket.WorkStarted: _becomes(Status.IN_PROGRESS),
    Ticket.ReplyRequested: _becomes(Status.WAITING_FOR_REPLY),
    Ticket.SubmitterReplied: _becomes(Status.IN_PROGRESS),
    Ticket.PutOnHold: _becomes(Status.ON_HOLD),
    Ticket.Solved: _outcome(Status.SOLVED),
    Ticket.FoundUnsolvable: _outcome(Status.UNSOLVED),
    Ticket.Verified: _final(Status.VERIFIED),
    Ticket.Reopened: _reopened,
    Ticket.Closed: _final(Status.CLOSED),
    Ticket.Reclassified: _reclassified,
    Ticket.HistoryGap: _history_gap,
    Ticket.Commented: None,
    Ticket.Attached: None,
    Ticket.UpdatedElsewhere: None,
    Ticket.Erased: None,
})  # fmt: skip
"""None: only version, position and time of the last change move. What has no row here stops the projection."""


class Tickets(Projection):
    name: ClassVar = "tickets"
    form: ClassVar = 1
    tables: ClassVar = (TICKET, SPELL_OVER)
    views: ClassVar = (SPELL,)
    topics: ClassVar = (Ticket.Opened, *CHANGES)

    def fold(self) -> TicketFold:
        return TicketFold()
