"""What the log tells of one partner since a conformance run began: a case reads its evidence here.

After a crash the tape is read again from the beginning of the run, and tells the same.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from api.bootstrap import Services
from domain.aggregate import Event
from domain.content import Sealed
from domain.exchange import Exchange
from domain.ticket import Ticket

_PAGE: Final = 500
_KEPT_MAX: Final = 5_000
"""Events of one run. A partner that brings more is not being tested but flooding."""
_TEXT_BYTES_MAX: Final = 20_000
"""What is larger is not about a code word."""


class Flooded(Exception):
    """There is more on the tape than one run can lead to."""


class Entry(Struct, frozen=True, kw_only=True):
    position: int
    event: Event
    text: str
    """All that stands beside the event, as text: of a message, its bytes."""


class Tape:
    def __init__(self, services: Services, helpdesk: str, tag: str, position: int) -> None:
        """``tag`` begins the names of the run's steps; ``position`` is where the run began."""
        self._store, self._wakeup = services.store, services.wakeup
        self._helpdesk, self._tag = helpdesk, tag
        self._position = position
        self._entries: list[Entry] = []
        self.streams: dict[UUID, int] = {}
        """Conversations with the partner that began since, each with our ticket (0: none yet)."""

    async def forward(self, wait_s: float = 0) -> None:
        """Read what is new; wait for it a moment. Raises ``Flooded``, ``StoreUnavailable``."""
        while page := await self._store.log(self._position, _PAGE):
            for recorded in page:
                if self._matters(recorded.event):
                    text = await self._text(recorded.event)
                    entry = Entry(position=recorded.position, event=recorded.event, text=text)
                    self._entries.append(entry)
            self._position = page[-1].position
            if len(self._entries) > _KEPT_MAX:
                raise Flooded
            wait_s = 0
        if wait_s:
            await self._wakeup.wait(self._position, wait_s)

    def of(self, *kinds: type[Event], after: int = 0) -> Iterator[Entry]:
        """Events of these kinds, the oldest first."""
        return (
            each
            for each in self._entries
            if isinstance(each.event, kinds) and each.position > after
        )

    def theirs(self, word: str) -> list[Entry]:
        """What the partner did to tickets, where its text holds the word."""
        actor = f"helpdesk:{self._helpdesk}"
        return [
            each
            for each in self._entries
            if type(each.event) in Ticket.mutators
            and each.event.provenance.actor == actor
            and word in each.text
        ]

    def messages(self, word: str) -> list[Entry]:
        """Messages of the partner that hold the word, whatever became of them."""
        return [each for each in self.of(Exchange.MessageReceived) if word in each.text]

    def outcome(self, message: Entry) -> Entry | None:
        """What became of a message of theirs; None while it waits."""
        stream, reference = message.event.originator_id, message.event.originator_version
        outcomes = self.of(
            Exchange.Applied, Exchange.Ignored, Exchange.MessageRefused, Exchange.Parked,
            after=message.position,
        )  # fmt: skip
        for each in outcomes:
            event: Any = each.event
            if event.originator_id == stream and event.reference == reference:
                return each
        return None

    def step(self, name: str) -> list[Entry]:
        """What the run itself did to a ticket, by the name of the step."""
        return [
            each
            for each in self._entries
            if type(each.event) in Ticket.mutators and each.event.provenance.correlation_id == name
        ]

    def _matters(self, event: Event) -> bool:
        stream = event.originator_id
        match event:
            case Exchange.Opened() if event.helpdesk == self._helpdesk:
                self.streams[stream] = event.number
                return True
            case Exchange.Linked() if stream in self.streams:
                self.streams[stream] = event.number
                return True
            case _ if type(event) in Exchange.mutators:
                return stream in self.streams
            case _:
                return type(event) in Ticket.mutators and self._of_run(event)

    def _of_run(self, event: Event) -> bool:
        provenance = event.provenance
        return (
            provenance.actor == f"helpdesk:{self._helpdesk}"
            or provenance.correlation_id.startswith(self._tag)
        )

    async def _text(self, event: Event) -> str:
        fields: list[Any] = [getattr(event, name) for name in event.__struct_fields__]
        sealed = [
            each.id for each in fields if isinstance(each, Sealed) and each.size <= _TEXT_BYTES_MAX
        ]
        found = await self._store.contents(sealed) if sealed else {}
        return "\n".join(found[each].text() for each in sealed if each in found)
