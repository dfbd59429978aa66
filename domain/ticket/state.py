"""What a ticket is at a moment, and what all its parts ask before they let something happen."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from msgspec import Struct

from domain.aggregate import BEGINNING, Aggregate
from domain.content import Sealed, SealedFile
from domain.errors import NothingToDo, NotNow, TransitionNotAllowed
from domain.lifecycle import FINAL, OPEN, POSSIBLE, STEPS, Action, Status
from domain.vocabulary import NotificationMode, Priority, TicketType


class Attachment(Struct, frozen=True, gc=False):
    """A file of a ticket."""

    version: int
    """Of the ticket, when it was attached: names the file within the ticket."""
    attached_at: datetime
    file: SealedFile
    name: Sealed
    visibility: str


class TicketState(Aggregate):
    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.number = 0
        self.status = Status.NEW
        self.type = TicketType.USER
        self.category = self.issue_type = ""
        self.priority = self.original_priority = Priority.LESS_URGENT
        self.vo = self.affected_site = self.notified_site = self.unit = ""
        self.vo_specific = False
        self.submitter: UUID | None = None
        self.assignee: UUID | None = None
        self.notification = NotificationMode.ON_SOLUTION
        self.subject: Sealed | None = None
        self.description: Sealed | None = None
        self.solution: Sealed | None = None
        self.qualifier = ""
        self.remind_on: date | None = None
        self.opened_at = BEGINNING
        self.status_since = BEGINNING
        self.reopenings = 0
        self.missing_versions = 0
        self.files: tuple[Attachment, ...] = ()

    def fork(self) -> Self:
        """A second ticket with this state, on which to decide without touching this one."""
        assert not self.pending_events
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))  # every value but the three lists is immutable
        other.pending_events, other.pending_contents, other.pending_claims = [], [], []
        return other

    def _becomes(self, status: Status) -> None:
        self.status = status
        self.status_since = self.at
        self.remind_on = None

    def _must_permit(self, action: Action) -> None:
        possible = POSSIBLE[self.status]
        if action in possible:
            return
        names = sorted(each.value for each in possible)
        if STEPS[action][1] is self.status and action is not Action.RECORD_REPLY:
            raise NothingToDo(f"the ticket already is {self.status.value}", possible=names)
        raise TransitionNotAllowed(
            f"{action.value} is not possible while the ticket is {self.status.value}"
            + (f" (possible: {', '.join(names)})" if names else "; this status is final"),
            possible=names,
        )

    def _must_be_open(self) -> None:
        self._must_not_be_final()
        if self.status not in OPEN:
            raise NotNow(f"a {self.status.value} ticket has no supporter; reopen it first")

    def _must_not_be_final(self) -> None:
        if self.status in FINAL:
            raise NotNow(f"a {self.status.value} ticket is final; open a new one that refers to it")
