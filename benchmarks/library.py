# ruff: noqa: ARG002 - the arguments are what the events hold
"""The ``eventsourcing`` library as it is meant to be used: its aggregate, application and PostgreSQL recorder.

The aggregate does what ours does in the measured actions, and its events are about as large.
"""

from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import StoredEvent

PROVENANCE = {
    "actor": "user:5e1f7a52-6c0e-4d5f-9c1b-0f2b7f6f5a10",
    "correlation_id": "8a5f0c1e9b7d4f63",
    "subject": "3f0c9d7e-1b2a-4c3d-8e4f-5a6b7c8d9e0f",
    "commitment": "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9",
}
"""Stands in every event, as ours say who caused them and what text they refer to."""


class LibraryTicket(Aggregate):
    @event("Opened")
    def __init__(self, number: int, command_id: str, provenance: dict[str, str]) -> None:
        self.number = number
        self.comments = 0

    @event("Commented")
    def comment(
        self, text: str, visibility: str, command_id: str, provenance: dict[str, str]
    ) -> None:
        self.comments += 1


class Tickets(Application[UUID]):
    def open(self, number: int, comments: int) -> UUID:
        ticket = LibraryTicket(number, str(uuid4()), PROVENANCE)
        for _ in range(comments):
            ticket.comment("A text of ordinary length.", "public", str(uuid4()), PROVENANCE)
        self.save(ticket)
        return ticket.id

    def comment(self, ticket_id: UUID) -> None:
        ticket: LibraryTicket = self.repository.get(ticket_id)
        ticket.comment("A text of ordinary length.", "public", str(uuid4()), PROVENANCE)
        self.save(ticket)


def stored(count: int, state: bytes) -> list[StoredEvent]:
    """First events of so many streams, with the given bytes."""
    return [StoredEvent(uuid4(), 1, "ticket.opened", state) for _ in range(count)]
