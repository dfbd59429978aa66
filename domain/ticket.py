"""The ticket: a request and its life.

Each action reads top-down: the event (what is stored), the command (may we?), the mutator (what
changes). Commands ask ``lifecycle`` and hold all rules; mutators accept whatever was once recorded.
Who may act is not decided here but in ``domain.rights``, before the ticket is asked.
"""

from datetime import date, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import BEGINNING, Aggregate, Event, mutates
from domain.content import Sealed, SealedFile, sha256_of
from domain.errors import Invalid, NothingToDo, NotNow, TooLarge, TransitionNotAllowed
from domain.lifecycle import FINAL, OPEN, POSSIBLE, STEPS, Action, Status
from domain.texts import (
    must_be_file_name,
    must_be_line,
    must_be_media_type,
    must_be_name,
    must_be_one_of,
    must_fit,
    must_say,
)
from domain.vocabulary import (
    DEFAULTS,
    FILE_BYTES_MAX,
    FILES_MAX,
    SOLVED_QUALIFIERS,
    SUBJECT_CHARACTERS_MAX,
    TPM,
    UNSOLVED_QUALIFIERS,
    NotificationMode,
    Priority,
    TicketType,
    Visibility,
)


class Particulars(Struct, frozen=True, kw_only=True, gc=False):
    """What a ticket is about, apart from its texts. Names are those of the directory.

    Stored in full: an installation may change its lists, and with them these defaults, at any time.
    """

    type: str = TicketType.USER.value
    category: str = DEFAULTS.categories[0]
    priority: str = Priority.LESS_URGENT.value
    issue_type: str = DEFAULTS.issue_types[0]
    vo: str = ""
    vo_specific: bool = False
    affected_site: str = ""
    """Where the problem is seen; says nothing about routing."""
    notification: str = NotificationMode.ON_SOLUTION.value


class Attachment(Struct, frozen=True, gc=False):
    """A file of a ticket."""

    version: int
    """Of the ticket, when it was attached: names the file within the ticket."""
    attached_at: datetime
    file: SealedFile
    name: Sealed
    visibility: str


class Ticket(Aggregate):
    """One request, from opening to its final state."""

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

    def fork(self) -> "Ticket":
        """A second ticket with this state, on which to decide without touching this one."""
        assert not self.pending_events
        other = Ticket.__new__(Ticket)
        vars(other).update(vars(self))  # every value but the three lists is immutable
        other.pending_events, other.pending_contents, other.pending_claims = [], [], []
        return other

    # -- opening -------------------------------------------------------------------------------------

    class Opened(Event, tag="ticket.opened", frozen=True, kw_only=True, gc=False):
        number: int
        subject: Sealed | None
        """Missing only where an imported history never had one."""
        description: Sealed | None = None
        submitter: UUID | None = None
        """A person of the directory; missing where a partner did not say who."""
        particulars: Particulars
        problem_at: datetime | None = None
        """When the problem was seen, as the submitter says."""

    def open(
        self,
        number: int,
        *,
        subject: str,
        description: str = "",
        submitter: UUID | None = None,
        particulars: Particulars | None = None,
        problem_at: datetime | None = None,
    ) -> None:
        """Open the ticket. It waits for first-line support until it is assigned."""
        must_say("subject", subject, SUBJECT_CHARACTERS_MAX)
        if len(subject.splitlines()) > 1:
            raise Invalid("subject must be one line")
        must_fit("description", description)
        particulars = particulars or Particulars()
        _must_be_sound(particulars)
        if problem_at is not None and problem_at.tzinfo is None:
            raise Invalid("problem_at needs a time zone")
        self.trigger(
            Ticket.Opened,
            number=number,
            subject=self.seal(subject),
            description=self.seal_optional(description),
            submitter=submitter,
            particulars=particulars,
            problem_at=problem_at,
        )

    def open_from_archive(
        self, number: int, *, submitter: UUID | None, particulars: Particulars
    ) -> None:
        """Open a ticket whose texts the archive does not hold (its life is told in ``domain.archive``)."""
        self.trigger(
            Ticket.Opened, number=number, subject=None, submitter=submitter, particulars=particulars
        )

    @mutates(Opened)
    def _opened(self, event: Opened) -> None:
        about = event.particulars
        self.number = event.number
        self.subject, self.description = event.subject, event.description
        self.submitter = event.submitter
        self.type, self.category, self.issue_type = (
            TicketType(about.type),
            about.category,
            about.issue_type,
        )
        self.priority = self.original_priority = Priority(about.priority)
        self.vo, self.vo_specific, self.affected_site = (
            about.vo,
            about.vo_specific,
            about.affected_site,
        )
        self.notification = NotificationMode(about.notification)
        self.unit = TPM
        self.opened_at = self.status_since = self.at

    # -- routing -------------------------------------------------------------------------------------

    class Assigned(Event, tag="ticket.assigned", frozen=True, kw_only=True, gc=False):
        unit: str
        notified_site: str = ""
        """The site that is told, when the ticket goes to the unit because of it."""
        note: Sealed | None = None

    def assign(self, unit: str, *, notified_site: str = "", note: str = "") -> None:
        """Route to a support unit. The new unit starts at ``assigned`` and with nobody in person."""
        self._must_permit(Action.ASSIGN)
        if unit == self.unit and notified_site == self.notified_site:
            raise NothingToDo(f"the ticket is already assigned to {unit}")
        must_be_name("unit", unit)
        must_be_line("notified_site", notified_site)
        must_fit("note", note)
        self.trigger(
            Ticket.Assigned, unit=unit, notified_site=notified_site, note=self.seal_optional(note)
        )

    @mutates(Assigned)
    def _assigned(self, event: Assigned) -> None:
        self.unit, self.notified_site = event.unit, event.notified_site
        self.assignee = None
        self._becomes(Status.ASSIGNED)

    class HandedOver(Event, tag="ticket.handed-over", frozen=True, kw_only=True, gc=False):
        """Another unit has it, in the status it was in and with the same supporter.

        Happens only in histories from helpdesks where passing a ticket on says nothing about its status.
        """

        unit: str

    @mutates(HandedOver)
    def _handed_over(self, event: HandedOver) -> None:
        self.unit = event.unit

    class SiteNotificationEnded(
        Event, tag="ticket.site-notification-ended", frozen=True, kw_only=True, gc=False
    ):
        """The notified site left the infrastructure; its NGI keeps the ticket (GGUS routing rule 8)."""

        site: str

    def end_site_notification(self) -> None:
        self._must_not_be_final()
        if not self.notified_site:
            raise NothingToDo("no site is notified")
        self.trigger(Ticket.SiteNotificationEnded, site=self.notified_site)

    @mutates(SiteNotificationEnded)
    def _site_notification_ended(self, _: SiteNotificationEnded) -> None:
        self.notified_site = ""

    class Taken(Event, tag="ticket.taken", frozen=True, kw_only=True, gc=False):
        person: UUID

    def take(self, person: UUID) -> None:
        """Name the supporter who works on it. The status stays."""
        self._must_be_open()
        if person == self.assignee:
            raise NothingToDo("this person already has the ticket")
        self.trigger(Ticket.Taken, person=person)

    @mutates(Taken)
    def _taken(self, event: Taken) -> None:
        self.assignee = event.person

    class Released(Event, tag="ticket.released", frozen=True, kw_only=True, gc=False):
        person: UUID

    def release(self) -> None:
        """Give the ticket back to the unit as a whole."""
        self._must_be_open()
        if self.assignee is None:
            raise NothingToDo("nobody has taken the ticket")
        self.trigger(Ticket.Released, person=self.assignee)

    @mutates(Released)
    def _released(self, _: Released) -> None:
        self.assignee = None

    # -- progress ------------------------------------------------------------------------------------

    class WorkStarted(Event, tag="ticket.work-started", frozen=True, kw_only=True, gc=False):
        """Somebody works on the ticket now."""

        note: Sealed | None = None

    def start_work(self, note: str = "") -> None:
        self._must_permit(Action.START_WORK)
        must_fit("note", note)
        self.trigger(Ticket.WorkStarted, note=self.seal_optional(note))

    @mutates(WorkStarted)
    def _work_started(self, _: WorkStarted) -> None:
        self._becomes(Status.IN_PROGRESS)

    class ReplyRequested(Event, tag="ticket.reply-requested", frozen=True, kw_only=True, gc=False):
        question: Sealed | None
        remind_on: date | None = None

    def request_reply(self, question: str, remind_on: date | None = None) -> None:
        """Ask the submitter something; the ticket waits for the answer."""
        self._must_permit(Action.REQUEST_REPLY)
        must_say("question", question)
        self.trigger(Ticket.ReplyRequested, question=self.seal(question), remind_on=remind_on)

    @mutates(ReplyRequested)
    def _reply_requested(self, event: ReplyRequested) -> None:
        self._becomes(Status.WAITING_FOR_REPLY)
        self.remind_on = event.remind_on

    class SubmitterReplied(
        Event, tag="ticket.submitter-replied", frozen=True, kw_only=True, gc=False
    ):
        text: Sealed | None

    def record_reply(self, text: str) -> None:
        """The submitter answered: the ball is with the support unit again."""
        self._must_permit(Action.RECORD_REPLY)
        must_say("reply", text)
        self.trigger(Ticket.SubmitterReplied, text=self.seal(text))

    @mutates(SubmitterReplied)
    def _submitter_replied(self, _: SubmitterReplied) -> None:
        self._becomes(Status.IN_PROGRESS)

    class PutOnHold(Event, tag="ticket.put-on-hold", frozen=True, kw_only=True, gc=False):
        """Nothing can be done for some time, and the ticket says why."""

        reason: Sealed | None
        remind_on: date | None = None

    def put_on_hold(self, reason: str, remind_on: date | None = None) -> None:
        self._must_permit(Action.PUT_ON_HOLD)
        must_say("reason", reason)
        self.trigger(Ticket.PutOnHold, reason=self.seal(reason), remind_on=remind_on)

    @mutates(PutOnHold)
    def _put_on_hold(self, event: PutOnHold) -> None:
        self._becomes(Status.ON_HOLD)
        self.remind_on = event.remind_on

    # -- outcome -------------------------------------------------------------------------------------

    class Solved(Event, tag="ticket.solved", frozen=True, kw_only=True, gc=False):
        solution: Sealed | None
        """Missing only in imported histories."""
        qualifier: str
        """Empty where an imported history has none."""

    def solve(self, solution: str, qualifier: str = SOLVED_QUALIFIERS[0]) -> None:
        """A solved ticket always carries a solution text: the submitter gets it by mail."""
        self._must_permit(Action.SOLVE)
        must_say("solution", solution)
        must_be_one_of("qualifier", qualifier, SOLVED_QUALIFIERS)
        self.trigger(Ticket.Solved, solution=self.seal(solution), qualifier=qualifier)

    @mutates(Solved)
    def _solved(self, event: Solved) -> None:
        self._becomes(Status.SOLVED)
        self.solution, self.qualifier = event.solution, event.qualifier

    class FoundUnsolvable(
        Event, tag="ticket.found-unsolvable", frozen=True, kw_only=True, gc=False
    ):
        solution: Sealed | None
        qualifier: str

    def find_unsolvable(self, reason: str, qualifier: str = UNSOLVED_QUALIFIERS[-1]) -> None:
        """Give up, and say why in the place of the solution."""
        self._must_permit(Action.FIND_UNSOLVABLE)
        must_say("reason", reason)
        must_be_one_of("qualifier", qualifier, UNSOLVED_QUALIFIERS)
        self.trigger(Ticket.FoundUnsolvable, solution=self.seal(reason), qualifier=qualifier)

    @mutates(FoundUnsolvable)
    def _found_unsolvable(self, event: FoundUnsolvable) -> None:
        self._becomes(Status.UNSOLVED)
        self.solution, self.qualifier = event.solution, event.qualifier

    class Verified(Event, tag="ticket.verified", frozen=True, kw_only=True, gc=False):
        """The submitter confirmed the outcome. Final."""

    def verify(self) -> None:
        self._must_permit(Action.VERIFY)
        self.trigger(Ticket.Verified)

    @mutates(Verified)
    def _verified(self, _: Verified) -> None:
        self._becomes(Status.VERIFIED)

    class Reopened(Event, tag="ticket.reopened", frozen=True, kw_only=True, gc=False):
        comment: Sealed | None

    def reopen(self, comment: str) -> None:
        """The outcome is not accepted, or a better one is to be given."""
        self._must_permit(Action.REOPEN)
        must_say("comment", comment)
        self.trigger(Ticket.Reopened, comment=self.seal(comment))

    @mutates(Reopened)
    def _reopened(self, _: Reopened) -> None:
        self._becomes(Status.REOPENED)
        self.reopenings += 1

    class Closed(Event, tag="ticket.closed", frozen=True, kw_only=True, gc=False):
        """Nobody objected to the outcome in time. Final."""

    def close(self) -> None:
        self._must_permit(Action.CLOSE)
        self.trigger(Ticket.Closed)

    @mutates(Closed)
    def _closed(self, _: Closed) -> None:
        self._becomes(Status.CLOSED)

    # -- diary ---------------------------------------------------------------------------------------

    class Commented(Event, tag="ticket.commented", frozen=True, kw_only=True, gc=False):
        text: Sealed
        visibility: str

    def comment(self, text: str, visibility: Visibility) -> None:
        """Add an entry to the public or the internal diary. Final tickets take no more."""
        self._must_not_be_final()
        must_say("text", text)
        self.trigger(Ticket.Commented, text=self.seal(text), visibility=visibility.value)

    @mutates(Commented)
    def _commented(self, _: Commented) -> None:
        """The diary is read from the log."""

    class Reclassified(Event, tag="ticket.reclassified", frozen=True, kw_only=True, gc=False):
        """One field of the particulars got another value; a change of several is several events."""

        field: str
        value: str
        justification: Sealed | None = None

    def reclassify(self, field: str, value: str, justification: str = "") -> None:
        """Change priority, category, issue type, VO or affected site. A new priority needs a reason."""
        self._must_not_be_final()
        must_be_one_of("field", field, _RECLASSIFIABLE)
        if value == self.particular(field):
            raise NothingToDo(f"{field} already is {value!r}")
        if field == "priority":
            must_be_one_of("priority", value, [priority.value for priority in Priority])
            must_say("justification", justification)
        elif field in {"category", "issue_type"}:
            must_be_name(field, value)
        else:
            must_be_line(field, value)
        if field == "vo" and not value and self.vo_specific:
            raise Invalid(_VO_SPECIFIC)
        must_fit("justification", justification)
        self.trigger(
            Ticket.Reclassified,
            field=field,
            value=value,
            justification=self.seal_optional(justification),
        )

    def particular(self, field: str) -> str:
        """The present value of a field that can be reclassified."""
        return self.priority.value if field == "priority" else str(getattr(self, field))

    @mutates(Reclassified)
    def _reclassified(self, event: Reclassified) -> None:
        setattr(
            self, event.field, Priority(event.value) if event.field == "priority" else event.value
        )

    # -- files ---------------------------------------------------------------------------------------

    class Attached(Event, tag="ticket.attached", frozen=True, kw_only=True, gc=False):
        """A file belongs to the ticket from now on. It never changes; another version is another file."""

        file: SealedFile
        name: Sealed
        visibility: str

    def attach(self, name: str, media_type: str, body: bytes, visibility: Visibility) -> None:
        """Add a file. A copy of one that its readers can read already is refused."""
        self._must_not_be_final()
        must_be_file_name(name)
        must_be_media_type(media_type)
        if not body:
            raise Invalid("the file is empty")
        if len(body) > FILE_BYTES_MAX:
            raise TooLarge(f"a file of {len(body)} bytes, at most {FILE_BYTES_MAX} are taken")
        if len(self.files) >= FILES_MAX:
            raise TooLarge(f"the ticket has {FILES_MAX} files, and takes no more")
        if self.has_file(sha256_of(body), visibility):
            raise NothingToDo("the ticket has this file already")
        self.trigger(
            Ticket.Attached,
            file=self.seal_file(body, media_type),
            name=self.seal(name),
            visibility=visibility.value,
        )

    def has_file(self, sha256: str, visibility: Visibility = Visibility.PUBLIC) -> bool:
        """Whether those who may read this visibility can read such a file already."""
        readable = {Visibility.PUBLIC.value, visibility.value}
        return any(
            each.file.sha256 == sha256 and each.visibility in readable for each in self.files
        )

    @mutates(Attached)
    def _attached(self, event: Attached) -> None:
        version = event.originator_version
        added = Attachment(version, self.at, event.file, event.name, event.visibility)
        self.files = (*self.files, added)

    # -- histories from elsewhere --------------------------------------------------------------------

    class HistoryGap(Event, tag="ticket.history-gap", frozen=True, kw_only=True, gc=False):
        """The archive skips versions here: something happened that it does not tell."""

        missing_versions: int

    def record_history_gap(self, missing_versions: int) -> None:
        assert missing_versions > 0
        self.trigger(Ticket.HistoryGap, missing_versions=missing_versions)

    @mutates(HistoryGap)
    def _history_gap(self, event: HistoryGap) -> None:
        self.missing_versions += event.missing_versions

    class UpdatedElsewhere(
        Event, tag="ticket.updated-elsewhere", frozen=True, kw_only=True, gc=False
    ):
        """The archive counts an update here that changed nothing we keep."""

        fields: tuple[str, ...] = ()
        """What changed, in the archive's words; empty where it does not show what."""

    @mutates(UpdatedElsewhere)
    def _updated_elsewhere(self, _: UpdatedElsewhere) -> None:
        """Read from the log by those who want to know that something happened."""

    class Erased(Event, tag="ticket.erased", frozen=True, kw_only=True, gc=False):
        """A text was deleted from beside the log. The event that refers to it stays."""

        content: UUID
        why: Sealed

    def erase(self, content: UUID, why: str) -> None:
        must_say("why", why)
        self.trigger(Ticket.Erased, content=content, why=self.seal(why))

    @mutates(Erased)
    def _erased(self, event: Erased) -> None:
        """The deletion itself is the store's. A file that is gone may be attached again."""
        self.files = tuple(each for each in self.files if each.file.id != event.content)

    # -- helpers -------------------------------------------------------------------------------------

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


_RECLASSIFIABLE: Final = ("priority", "category", "issue_type", "vo", "affected_site")
_VO_SPECIFIC: Final = "a VO specific problem needs the name of the VO"


def _must_be_sound(about: Particulars) -> None:
    for field, words in _WORDS.items():
        must_be_one_of(field, getattr(about, field), words)
    must_be_name("category", about.category)
    must_be_name("issue_type", about.issue_type)
    must_be_line("vo", about.vo)
    must_be_line("affected_site", about.affected_site)
    if about.vo_specific and not about.vo:
        raise Invalid(_VO_SPECIFIC)


_WORDS: Final = {
    "type": tuple(each.value for each in TicketType),
    "priority": tuple(each.value for each in Priority),
    "notification": tuple(each.value for each in NotificationMode),
}
