"""What comes in: kept as it came, then applied, ignored or refused."""

from collections.abc import Iterable
from typing import Final

from domain.aggregate import Event, mutates
from domain.content import Sealed
from domain.exchange.state import Direction, ExchangeState, Message

LOOP: Final = "loop"
"""Code of a refusal: a request of ours, or one that we have, would be opened a second time."""


class Receiving(ExchangeState):
    class MessageReceived(
        Event, tag="exchange.message-received", frozen=True, kw_only=True, gc=False
    ):
        message_id: str
        """The partner's identifier of the message, or a hash of its content where it has none."""
        raw: Sealed
        mapping: str
        """Name and version of the mapping that will read it first."""

    def receive(self, message_id: str, raw: bytes, media_type: str, mapping: str) -> int:
        """Keep a message exactly as it came; returns its reference. Storing refuses one seen before."""
        self.claim(f"message:{self.helpdesk}", message_id)
        self.trigger(
            Receiving.MessageReceived,
            message_id=message_id,
            raw=self.seal_bytes(raw, media_type),
            mapping=mapping,
        )
        return self.version

    @mutates(MessageReceived)
    def _message_received(self, event: MessageReceived) -> None:
        reference = event.originator_version
        self.messages[reference] = Message(
            reference,
            Direction.IN,
            raw=event.raw,
            message_id=event.message_id,
            at=event.occurred_at,
        )

    class Applied(Event, tag="exchange.applied", frozen=True, kw_only=True, gc=False):
        """The message had its effect on the ticket."""

        reference: int
        number: int
        ticket_version: int
        """Of the ticket after the message had its effect."""
        remote_state: str = ""
        """The partner's exact word for the state, whatever we made of it."""
        withheld: tuple[str, ...] = ()
        """What the message asked for beside, and why that had no effect: ``<command>:<code>``."""
        understood: bool = True
        """Whether the next message of the partner is to be compared with this one."""

    def apply_message(
        self,
        reference: int,
        number: int,
        ticket_version: int,
        *,
        remote_state: str = "",
        withheld: Iterable[str] = (),
        understood: bool = True,
    ) -> None:
        self._must_wait(reference)
        self.trigger(
            Receiving.Applied,
            reference=reference,
            number=number,
            ticket_version=ticket_version,
            remote_state=remote_state,
            withheld=tuple(withheld),
            understood=understood,
        )

    @mutates(Applied)
    def _applied(self, event: Applied) -> None:
        self._done_with(event)

    class Ignored(Event, tag="exchange.ignored", frozen=True, kw_only=True, gc=False):
        reference: int
        why: str
        """A stable code, not a text of the message."""
        remote_state: str = ""
        withheld: tuple[str, ...] = ()
        understood: bool = False
        """Whether the next message of the partner is to be compared with this one."""

    def ignore(
        self,
        reference: int,
        why: str,
        *,
        remote_state: str = "",
        withheld: Iterable[str] = (),
        understood: bool = False,
    ) -> None:
        """The message rightly has no effect on the ticket."""
        self._must_wait(reference)
        self.trigger(
            Receiving.Ignored,
            reference=reference,
            why=why,
            remote_state=remote_state,
            withheld=tuple(withheld),
            understood=understood,
        )

    @mutates(Ignored)
    def _ignored(self, event: Ignored) -> None:
        self._done_with(event)

    def _done_with(self, event: Applied | Ignored) -> None:
        message = self.messages.pop(event.reference, None)
        if event.understood:
            if message is not None:
                self.heard = message.raw
            self.remote_state = event.remote_state or self.remote_state

    class MessageRefused(Event, tag="exchange.refused", frozen=True, kw_only=True, gc=False):
        reference: int
        code: str
        detail: Sealed

    def refuse(self, reference: int, code: str, detail: str) -> None:
        """The message is understood, and our rules do not permit what it asks."""
        self._must_wait(reference)
        self.trigger(
            Receiving.MessageRefused, reference=reference, code=code, detail=self.seal(detail)
        )

    @mutates(MessageRefused)
    def _refused(self, event: MessageRefused) -> None:
        self.messages.pop(event.reference, None)
        self.looped = self.looped or (event.code == LOOP and not self.number)
