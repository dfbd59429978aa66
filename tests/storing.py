"""Small appends for tests of the store."""

from uuid import UUID, uuid4

from domain import clock
from domain.content import Content
from domain.provenance import Provenance
from domain.store import Append
from domain.ticket import Ticket


def taken(stream: UUID, version: int, cause: str = "") -> Ticket.Taken:
    return Ticket.Taken(
        originator_id=stream,
        originator_version=version,
        occurred_at=clock.now(),
        provenance=Provenance(
            actor="user:x", command_id=uuid4(), correlation_id="c", causation_id=cause
        ),
        person=stream,
    )


def one(stream: UUID, version: int, **beside) -> Append:
    return Append([taken(stream, version)], **beside)


def large(size: int) -> Content:
    return Content(uuid4(), b"salt", "application/octet-stream", b"x" * size)
