"""An application of the ``eventsourcing`` library on the ledger: its repository folds our aggregates.

So whatever is written for the library (projection runners, subscriptions, systems) runs on our log.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, cast
from uuid import UUID

from eventsourcing.application import Application, ProjectorFunction, Repository
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, Recording, StoredEvent

from domain import formats
from domain.aggregate import Aggregate, Claim, Event
from domain.content import Content


class FormatMapper(Mapper[UUID]):
    """Between our events and stored events: ``domain.formats`` in the library's place."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        event = cast("Event", domain_event)
        return StoredEvent(
            event.originator_id,
            event.originator_version,
            formats.topic_of(event),
            formats.encode(event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        return cast("DomainEventProtocol[UUID]", formats.decode(stored_event.state))


def fold(aggregate: Aggregate | None, events: Iterable[Event]) -> Aggregate | None:
    """Carry an aggregate forward, or make it from its first event on."""
    if aggregate is None:
        waiting = list(events)
        return formats.replay(waiting[0].originator_id, waiting) if waiting else None
    for event in events:
        aggregate.apply(event)
    return aggregate


class LedgerRepository(Repository[UUID]):
    """Rebuilds our aggregates unless told otherwise."""

    def get(  # ours are no aggregates of the library, but meet its protocols
        self,
        aggregate_id: UUID,
        *,
        version: int | None = None,
        projector_func: ProjectorFunction[Any, Any] = cast("ProjectorFunction[Any, Any]", fold),  # noqa: B008
        **options: bool,
    ) -> Any:
        return super().get(aggregate_id, version=version, projector_func=projector_func, **options)


class LedgerApplication(Application[UUID]):
    """An application of the library on the ledger, with our aggregates."""

    name = "ledger"
    env: ClassVar = {
        "PERSISTENCE_MODULE": "adapters.store.recorder",
        "MAPPER_TOPIC": "adapters.store.application:FormatMapper",
    }

    def construct_repository(self) -> LedgerRepository:
        return LedgerRepository(self.events)

    def save(self, *objs: Any, **kwargs: Any) -> list[Recording[UUID]]:
        """Store what aggregates have decided: events with their contents and claims."""
        contents: list[Content] = []
        claims: list[Claim] = []
        for each in objs:
            if isinstance(each, Aggregate):
                contents += each.pending_contents
                claims += each.pending_claims
                each.pending_contents, each.pending_claims = [], []
        return super().save(*objs, contents=contents, claims=claims, **kwargs)
