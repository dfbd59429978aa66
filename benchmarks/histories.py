"""Made-up tickets of the shape of a real year: about seven events each, 78 units, 225 sites, four priorities.

The same seed gives the same tickets. Texts are left out: what is measured here never reads them.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import structs

from domain.aggregate import Event
from domain.content import seal
from domain.formats import encode, topic_of
from domain.identifiers import ticket_id
from domain.provenance import Provenance
from domain.ticket import Particulars, Ticket
from domain.vocabulary import Priority, Visibility

YEAR_BEGINS_AT = datetime(2025, 1, 1, tzinfo=UTC)
_YEAR_S = 365 * 86_400
_PRIORITIES = [priority.value for priority in Priority]
_SEALED, _ = seal(b"a text of ordinary length stands here", "text/plain; charset=utf-8")


def year(tickets: int, seed: int = 1) -> list[Event]:
    """The events of so many tickets in order of time, numbered from 1."""
    chance = random.Random(seed)
    events = [event for number in range(1, tickets + 1) for event in ticket(number, chance)]
    events.sort(
        key=lambda event: (event.occurred_at, event.originator_id, event.originator_version)
    )
    return events


def waiting(first: int, count: int, unit: str, seed: int = 2) -> Iterator[Event]:
    """The events of so many tickets, numbered from ``first``, that a unit has not yet begun with."""
    chance = random.Random(seed)
    for number in range(first, first + count):
        opened, assigned, *_ = ticket(number, chance)
        yield opened
        yield structs.replace(assigned, unit=unit)


def ticket(number: int, chance: random.Random) -> Iterator[Event]:
    """The life of one ticket."""
    stream = ticket_id(number)
    at = YEAR_BEGINS_AT + timedelta(seconds=chance.randrange(_YEAR_S))
    version = 0

    def event(kind: type[Event], after_h: float = 0.0, **fields: object) -> Event:
        nonlocal at, version
        if after_h:
            at += timedelta(seconds=int(chance.expovariate(1 / (after_h * 3600))))
        version += 1
        provenance = Provenance(
            actor="user:5e1f7a52-6c0e-4d5f-9c1b-0f2b7f6f5a10",
            command_id=UUID(int=chance.getrandbits(128), version=4),
            correlation_id=f"{chance.getrandbits(64):x}",
        )
        return kind(
            originator_id=stream, originator_version=version, occurred_at=at, provenance=provenance, **fields
        )  # fmt: skip

    about = Particulars(
        priority=chance.choices(_PRIORITIES, (60, 25, 10, 5))[0],
        vo=f"vo-{chance.randrange(20):02}",
        affected_site=f"site-{chance.randrange(225):03}",
    )
    yield event(Ticket.Opened, number=number, subject=_SEALED, particulars=about)
    yield event(Ticket.Assigned, 2, unit=f"unit-{chance.randrange(78):02}")
    for _ in range(chance.choices((0, 1, 2), (70, 22, 8))[0]):
        yield event(Ticket.Commented, 5, text=_SEALED, visibility=Visibility.PUBLIC.value)
        yield event(Ticket.Assigned, 8, unit=f"unit-{chance.randrange(78, 99):02}")
    yield event(Ticket.WorkStarted, 10)
    if chance.random() < 0.3:
        yield event(Ticket.ReplyRequested, 6, question=_SEALED)
        yield event(Ticket.SubmitterReplied, 30, text=_SEALED)
    if chance.random() < 0.1:
        yield event(Ticket.PutOnHold, 4, reason=_SEALED)
        yield event(Ticket.WorkStarted, 60)
    if chance.random() < 0.05:
        return
    yield event(Ticket.Solved, 24, solution=_SEALED, qualifier="fixed")
    if chance.random() < 0.05:
        yield event(Ticket.Reopened, 24, comment=_SEALED)
        yield event(Ticket.Assigned, 3, unit=f"unit-{chance.randrange(78):02}")
        yield event(Ticket.Solved, 30, solution=_SEALED, qualifier="fixed")
    yield event(Ticket.Closed, 120)


def commented(number: int, comments: int) -> Iterator[Event]:
    """A ticket that only ever gets comments."""
    life = ticket(number, random.Random(number))
    opened = next(life)
    yield opened
    for version in range(2, comments + 2):
        yield Ticket.Commented(
            originator_id=opened.originator_id, originator_version=version,
            occurred_at=opened.occurred_at + timedelta(minutes=version), provenance=opened.provenance,
            text=_SEALED, visibility=Visibility.PUBLIC.value,
        )  # fmt: skip


def rows(events: list[Event], first_position: int = 1) -> Iterator[tuple[object, ...]]:
    """As rows of ``ledger.event``: position, version, time of recording, stream, topic, state."""
    for position, event in enumerate(events, first_position):
        yield (
            position, event.originator_version, event.occurred_at, event.originator_id,
            topic_of(event), encode(event),
        )  # fmt: skip
