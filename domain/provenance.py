"""Who caused an event, through which door, and in answer to what.

Set once at the door (API request, inbound message, timer, import) and carried by every event that is
triggered inside the ``acting`` block. Outside such a block no event can be triggered: an event without
an author would be a hole in the audit trail.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

from domain import clock
from domain.content import Sealed


class Origin(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where a change was first made, when it came from another helpdesk."""

    helpdesk: str
    """Name of the partner that told us."""
    message: str
    """The partner's own identifier of the message or event."""
    hops: tuple[str, ...] = ()
    """Tickets that the change came through before, oldest first, as the partner says: an installation and a
    number each, such as ``GGUS-42``. The last one is the partner's own where it says so."""


class Provenance(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who did it, by which command, in which conversation, and why."""

    actor: str
    """``user:<person id>``, ``rule:<name>@<version>``, ``helpdesk:<name>`` or ``import:<name>``."""
    command_id: UUID
    """Of the command that produced the event; tells a lost acknowledgement from a conflict."""
    correlation_id: str
    """Shared by all that belongs to one request or exchange."""
    causation_id: str = ""
    """The message, event or timer that directly led to the command; empty for a person's own act."""
    reason: Sealed | None = None
    """Given where a person overrides a rule."""
    origin: Origin | None = None


_acting: ContextVar[tuple[Provenance, datetime | None]] = ContextVar("provenance")


@contextmanager
def acting(provenance: Provenance, occurred_at: datetime | None = None) -> Generator[None]:
    """Attribute what happens inside the block.

    ``occurred_at`` is the source's own time for it (aware), where it differs from now.
    """
    if occurred_at is not None:
        assert occurred_at.tzinfo is not None
        occurred_at = occurred_at.astimezone(UTC)
    token = _acting.set((provenance, occurred_at))
    try:
        yield
    finally:
        _acting.reset(token)


def current() -> Provenance:
    """The provenance in force. Raises ``LookupError`` outside an ``acting`` block."""
    return _acting.get()[0]


def attribution() -> tuple[Provenance, datetime]:
    """The provenance in force and the time at which the thing happened."""
    provenance, occurred_at = _acting.get()
    return provenance, occurred_at or clock.now()


def by_rule(rule: str) -> AbstractContextManager[None]:
    """An ``acting`` block for what ``rule`` does in consequence of the command in force."""
    cause, occurred_at = _acting.get()
    return acting(
        Provenance(
            actor=f"rule:{rule}",
            command_id=cause.command_id,
            correlation_id=cause.correlation_id,
            causation_id=f"command:{cause.command_id}",
            origin=cause.origin,
        ),
        occurred_at,
    )
