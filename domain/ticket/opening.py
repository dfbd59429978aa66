"""How a ticket begins."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.errors import Invalid
from domain.texts import must_be_line, must_be_name, must_be_one_of, must_fit, must_say
from domain.ticket.state import TicketState
from domain.vocabulary import (
    DEFAULTS,
    SUBJECT_CHARACTERS_MAX,
    TPM,
    NotificationMode,
    Priority,
    TicketType,
)

VO_SPECIFIC: Final = "a VO specific problem needs the name of the VO"


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


class Opening(TicketState):
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
            Opening.Opened,
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
            Opening.Opened,
            number=number,
            subject=None,
            submitter=submitter,
            particulars=particulars,
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


def _must_be_sound(about: Particulars) -> None:
    for field, words in _WORDS.items():
        must_be_one_of(field, getattr(about, field), words)
    must_be_name("category", about.category)
    must_be_name("issue_type", about.issue_type)
    must_be_line("vo", about.vo)
    must_be_line("affected_site", about.affected_site)
    if about.vo_specific and not about.vo:
        raise Invalid(VO_SPECIFIC)


_WORDS: Final = {
    "type": tuple(each.value for each in TicketType),
    "priority": tuple(each.value for each in Priority),
    "notification": tuple(each.value for each in NotificationMode),
}
