"""What is said of the history itself: what an archive does not tell, and what was erased."""

from uuid import UUID

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.texts import must_say
from domain.ticket.state import TicketState


class Record(TicketState):
    class HistoryGap(Event, tag="ticket.history-gap", frozen=True, kw_only=True, gc=False):
        """The archive skips versions here: something happened that it does not tell."""

        missing_versions: int

    def record_history_gap(self, missing_versions: int) -> None:
        assert missing_versions > 0
        self.trigger(Record.HistoryGap, missing_versions=missing_versions)

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
        self.trigger(Record.Erased, content=content, why=self.seal(why))

    @mutates(Erased)
    def _erased(self, event: Erased) -> None:
        """The deletion itself is the store's. A file that is gone may be attached again."""
        self.files = tuple(each for each in self.files if each.file.id != event.content)
