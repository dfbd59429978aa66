"""Work on the ticket, and what it waits for."""

from datetime import date

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.lifecycle import Action, Status
from domain.texts import must_fit, must_say
from domain.ticket.state import TicketState


class Progress(TicketState):
    class WorkStarted(Event, tag="ticket.work-started", frozen=True, kw_only=True, gc=False):
        """Somebody works on the ticket now."""

        note: Sealed | None = None

    def start_work(self, note: str = "") -> None:
        self._must_permit(Action.START_WORK)
        must_fit("note", note)
        self.trigger(Progress.WorkStarted, note=self.seal_optional(note))

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
        self.trigger(Progress.ReplyRequested, question=self.seal(question), remind_on=remind_on)

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
        self.trigger(Progress.SubmitterReplied, text=self.seal(text))

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
        self.trigger(Progress.PutOnHold, reason=self.seal(reason), remind_on=remind_on)

    @mutates(PutOnHold)
    def _put_on_hold(self, event: PutOnHold) -> None:
        self._becomes(Status.ON_HOLD)
        self.remind_on = event.remind_on
