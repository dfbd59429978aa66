"""The lives of tickets as one would first write them: each is replayed event by event, noting what its clocks need."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from domain.aggregate import Event
from domain.lifecycle import OPEN, Status
from domain.service_levels import ServiceLevels
from domain.ticket import Ticket


class Period(Struct):
    unit: str
    from_at: datetime
    awaited: bool
    answered_at: datetime | None = None
    to_at: datetime | None = None
    solved: bool = False
    waits: list[tuple[datetime, datetime]] = []


class Life(Struct):
    """What a report needs of a ticket."""

    submitted_at: datetime
    periods: list[Period]
    solved_at: datetime | None
    site: str
    vo: str
    priority: str


def life(  # noqa: C901, PLR0912 - straight on, as it would first be written
    stream: Sequence[Event], levels: ServiceLevels, as_of: datetime
) -> Life | None:
    """Replay one ticket event by event and note what concerns its clocks."""
    awaiting = set(levels.policy.awaiting)
    ticket = Ticket(stream[0].originator_id)
    periods: list[Period] = []
    now: Period | None = None
    solved_at = None
    before: Status | None = None
    waiting_since = None
    for event in stream:
        if max(event.occurred_at, ticket.at) > as_of:
            break
        ticket.apply(event)
        at, status = ticket.at.replace(microsecond=0), ticket.status
        if waiting_since is not None:
            if now is not None:
                now.waits.append((waiting_since, at))
            waiting_since = None
        if status not in OPEN:
            if now is not None:
                finish(now, at)
                now.solved = True
                now = None
            if before in OPEN:
                solved_at = at
        else:
            solved_at = None
            if now is not None:
                unanswered = now.awaited and now.answered_at is None
                begins_anew = (
                    status in (Status.ASSIGNED, Status.REOPENED)
                    and status is not before
                    and not unanswered
                )
                if now.unit != ticket.unit or begins_anew:
                    finish(now, at)
                    if now.from_at == at:
                        periods.remove(now)
                    now = None
                elif unanswered and status.value not in awaiting:
                    now.answered_at = at
            if now is None and ticket.unit:
                now = Period(ticket.unit, at, status.value in awaiting)
                periods.append(now)
            if status is Status.WAITING_FOR_REPLY:
                waiting_since = at
        before = status
    if before is None:
        return None
    if waiting_since is not None and now is not None:
        now.waits.append((waiting_since, as_of.replace(microsecond=0)))
    return Life(
        ticket.opened_at.replace(microsecond=0), periods, solved_at,
        ticket.notified_site or ticket.affected_site, ticket.vo, ticket.original_priority.value,
    )  # fmt: skip


def finish(period: Period, at: datetime) -> None:
    period.to_at = at
    if period.awaited and period.answered_at is None:
        period.answered_at = at
