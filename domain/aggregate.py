"""What all aggregates share: attributed events, contents and claims that wait to be stored.

An event is a frozen ``Struct`` with an explicit topic: plain data, decoded in one step, also by programs
that do not know our classes. An aggregate meets the protocols of the ``eventsourcing`` library
(``CollectEventsProtocol``); its mutators run on every replay and therefore hold no rules.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Self
from uuid import UUID

from msgspec import Struct

from domain.content import TEXT, Content, Sealed, SealedFile, seal, sha256_of
from domain.provenance import Provenance, attribution


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="topic", gc=False):
    """Something that happened. Fields are a file format: read for decades, never changed."""

    originator_id: UUID
    """The stream."""
    originator_version: int
    """Place in the stream, from 1."""
    occurred_at: datetime
    """When it happened, as the source says. When it was recorded stands beside it in the log."""
    provenance: Provenance
    """Who caused it, and in answer to what."""


class Claim(Struct, frozen=True, gc=False):
    """A name that only one stream may hold: stored, and refused if taken, with the events."""

    kind: str
    """For example ``link:osg``, ``identity:mail``."""
    key: str
    originator_id: UUID


Mutator = Callable[[Any, Any], None]

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


def mutates(kind: type[Event]) -> Callable[[Mutator], Mutator]:
    """Mark a method as the mutator of an event type."""

    def mark(method: Mutator) -> Mutator:
        method.mutates = kind  # type: ignore[attr-defined]
        return method

    return mark


class Aggregate:
    """Identifier, version, and what was decided but is not stored yet."""

    mutators: ClassVar[dict[type[Event], Mutator]] = {}

    def __init_subclass__(cls) -> None:
        cls.mutators = {
            method.mutates: method
            for part in reversed(cls.__mro__)
            for method in vars(part).values()
            if hasattr(method, "mutates")
        }

    def __init__(self, originator_id: UUID) -> None:
        self.id = originator_id
        self.version = 0
        self.at = BEGINNING
        """When the last event took effect: the latest ``occurred_at`` so far. Never goes back.

        A mutator finds here the time at which its own event takes effect.
        """
        self.pending_events: list[Event] = []
        self.pending_contents: list[Content] = []
        self.pending_claims: list[Claim] = []

    # -- writing -------------------------------------------------------------------------------------

    def trigger(self, event_type: type[Event], /, **fields: Any) -> None:
        """Let an event happen: build it, apply it, keep it for storing."""
        provenance, occurred_at = attribution()
        event = event_type(
            originator_id=self.id,
            originator_version=self.version + 1,
            occurred_at=occurred_at,
            provenance=provenance,
            **fields,
        )
        self.apply(event)
        self.pending_events.append(event)

    def seal(self, text: str) -> Sealed:
        """Put a text beside the events; the event gets the returned reference."""
        return self.seal_bytes(text.encode(), TEXT)

    def seal_optional(self, text: str) -> Sealed | None:
        return self.seal(text) if text else None

    def seal_bytes(self, body: bytes, media_type: str) -> Sealed:
        sealed, content = seal(body, media_type)
        self.pending_contents.append(content)
        return sealed

    def seal_file(self, body: bytes, media_type: str) -> SealedFile:
        sealed = self.seal_bytes(body, media_type)
        return SealedFile(sealed.id, sealed.commitment, sealed.size, media_type, sha256_of(body))

    def claim(self, kind: str, key: str) -> None:
        """Ask that this stream alone may hold ``key``; storing fails with ``AlreadyClaimed`` otherwise."""
        self.pending_claims.append(Claim(kind, key, self.id))

    def collect_events(self) -> Sequence[Event]:
        """Take the events that wait to be stored (protocol of the ``eventsourcing`` library)."""
        events, self.pending_events = self.pending_events, []
        return events

    # -- replaying -----------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Change state as ``event`` says. Accepts whatever was once recorded."""
        self.at = max(self.at, event.occurred_at)
        self.mutators[type(event)](self, event)
        self.version = event.originator_version

    @classmethod
    def replay(cls, originator_id: UUID, events: Iterable[Event]) -> Self:
        """The aggregate that these events, in order of version, tell of."""
        aggregate = cls(originator_id)
        mutators = cls.mutators
        for event in events:
            if event.occurred_at > aggregate.at:  # noqa: PLR1730 - the loop that replays everything
                aggregate.at = event.occurred_at
            mutators[type(event)](aggregate, event)
            aggregate.version = event.originator_version
        return aggregate

    def state(self) -> dict[str, Any]:
        """All that replaying must reproduce, for comparison."""
        return {
            name: value for name, value in vars(self).items() if not name.startswith("pending_")
        }
