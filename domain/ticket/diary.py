"""What is said beside the work: entries, and what the ticket is about after all."""

from typing import Final

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.errors import Invalid, NothingToDo
from domain.texts import must_be_line, must_be_name, must_be_one_of, must_fit, must_say
from domain.ticket.opening import VO_SPECIFIC
from domain.ticket.state import TicketState
from domain.vocabulary import Priority, Visibility

_RECLASSIFIABLE: Final = ("priority", "category", "issue_type", "vo", "affected_site")


class Diary(TicketState):
    class Commented(Event, tag="ticket.commented", frozen=True, kw_only=True, gc=False):
        text: Sealed
        visibility: str

    def comment(self, text: str, visibility: Visibility) -> None:
        """Add an entry to the public or the internal diary. Final tickets take no more."""
        self._must_not_be_final()
        must_say("text", text)
        self.trigger(Diary.Commented, text=self.seal(text), visibility=visibility.value)

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
            raise Invalid(VO_SPECIFIC)
        must_fit("justification", justification)
        self.trigger(
            Diary.Reclassified,
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
