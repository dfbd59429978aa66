"""Who has the ticket: the support unit, the site that is told, the person."""

from uuid import UUID

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.errors import NothingToDo
from domain.lifecycle import Action, Status
from domain.texts import must_be_line, must_be_name, must_fit
from domain.ticket.state import TicketState


class Routing(TicketState):
    class Assigned(Event, tag="ticket.assigned", frozen=True, kw_only=True, gc=False):
        unit: str
        notified_site: str = ""
        """The site that is told, when the ticket goes to the unit because of it."""
        note: Sealed | None = None

    def assign(
        self, unit: str, *, notified_site: str = "", note: str = "", anew: bool = False
    ) -> None:
        """Route to a support unit. The new unit starts at ``assigned`` and with nobody in person."""
        self._must_permit(Action.ASSIGN)
        if unit == self.unit and anew:
            notified_site = notified_site or self.notified_site
        elif unit == self.unit and notified_site == self.notified_site:
            raise NothingToDo(f"the ticket is already assigned to {unit}")
        must_be_name("unit", unit)
        must_be_line("notified_site", notified_site)
        must_fit("note", note)
        self.trigger(
            Routing.Assigned, unit=unit, notified_site=notified_site, note=self.seal_optional(note)
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
        self.trigger(Routing.SiteNotificationEnded, site=self.notified_site)

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
        self.trigger(Routing.Taken, person=person)

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
        self.trigger(Routing.Released, person=self.assignee)

    @mutates(Released)
    def _released(self, _: Released) -> None:
        self.assignee = None
