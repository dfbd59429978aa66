"""Which ticket of ours is which of theirs: when the conversation begins, when it is known, when theirs is lost."""

from datetime import datetime

from domain.aggregate import Event, mutates
from domain.errors import NothingToDo
from domain.exchange.parking import Parking
from domain.exchange.receiving import Receiving
from domain.exchange.state import Direction, Outcome


class Linking(Receiving, Parking):
    class Opened(Event, tag="exchange.opened", frozen=True, kw_only=True, gc=False):
        helpdesk: str
        number: int = 0
        external_id: str = ""
        """The partner's ticket, where its message names one that we hear of for the first time."""

    def open(
        self, helpdesk: str, number: int = 0, external_id: str = "", *, link_key: str = ""
    ) -> None:
        """Begin the conversation: from our side with a ticket, from theirs with a message.

        ``link_key``: the key under which their ticket is claimed, where that is not its identifier.
        """
        assert not self.version
        self.trigger(Linking.Opened, helpdesk=helpdesk, number=number, external_id=external_id)
        if number:
            self.claim(f"exchange:{helpdesk}", str(number))
        if external_id:
            self.claim(f"link:{helpdesk}", link_key or external_id)

    @mutates(Opened)
    def _opened(self, event: Opened) -> None:
        self.helpdesk, self.number = event.helpdesk, event.number
        self.external_id, self.theirs = event.external_id, not event.number
        self.linked_at = self.at

    class Linked(Event, tag="exchange.linked", frozen=True, kw_only=True, gc=False):
        number: int
        external_id: str
        external_reference: str = ""
        """How the partner wants its ticket to be named in a message, such as ``ISSUE=7932 PROJ=71``."""
        opened_at: datetime | None = None
        """When theirs was made, by their clock. One made at another time is another ticket, whatever its identifier."""

    def link(
        self,
        number: int,
        external_id: str,
        external_reference: str = "",
        *,
        link_key: str = "",
        opened_at: datetime | None = None,
    ) -> None:
        """Our ticket and theirs are the same request. ``link_key`` as in ``open``."""
        if opened_at is None and external_id == self.external_id:
            opened_at = self.opened_at
        known = (self.number, self.external_id, self.external_reference, self.opened_at)
        if (number, external_id, external_reference, opened_at) == known:
            raise NothingToDo("this link is known")
        assert not self.number or number == self.number, "a conversation keeps its ticket"
        if number != self.number:
            self.claim(f"exchange:{self.helpdesk}", str(number))
        if external_id and external_id != self.external_id:
            self.claim(f"link:{self.helpdesk}", link_key or external_id)
        self.trigger(
            Linking.Linked,
            number=number,
            external_id=external_id,
            external_reference=external_reference,
            opened_at=opened_at,
        )

    @mutates(Linked)
    def _linked(self, event: Linked) -> None:
        if event.external_id != self.external_id:
            self.linked_at = self.at
            self.lost.pop(event.external_id, None)
        self.number, self.external_id = event.number, event.external_id
        self.external_reference, self.opened_at = event.external_reference, event.opened_at

    class Unlinked(Event, tag="exchange.unlinked", frozen=True, kw_only=True, gc=False):
        """Their ticket is lost, or its identifier is another's now: ours is told to them anew, as a whole."""

        external_id: str
        why: str
        """A stable code, such as ``gone``."""

    def unlink(self, link_key: str, why: str) -> None:
        """Give up their ticket. What waits for them is part of the whole that they will be told.

        ``link_key`` is the key under which this conversation holds it.
        """
        assert self.number, "there is something to tell"
        if not self.external_id:
            raise NothingToDo("no ticket of theirs is known")
        for message in list(self.messages.values()):
            if message.direction is Direction.OUT:
                if message.outcome is Outcome.PARKED:
                    self.resume(message.reference, skip=True)
                else:
                    self.ignore(message.reference, "told-as-a-whole")
        self.claim(f"unlinked:{self.helpdesk}", link_key)
        self.trigger(Linking.Unlinked, external_id=self.external_id, why=why)

    @mutates(Unlinked)
    def _unlinked(self, event: Unlinked) -> None:
        self.lost[event.external_id] = self.opened_at
        self.external_id = self.external_reference = self.remote_state = ""
        self.theirs, self.decided_until, self.opened_at = False, 0, None
        self.heard = self.told = None
