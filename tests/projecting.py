"""Tickets with a life, and projections that run, for tests of the read side."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from adapters.store.connection import service_conninfo
from adapters.store.engine import PostgresStore
from domain import clock
from domain.aggregate import Aggregate
from domain.identifiers import ticket_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.ticket import Particulars, Ticket
from projections.positions import prepare
from projections.registry import ALL
from projections.runner import Projector


def by(actor: str = "user:supporter", occurred_at=None):
    """Attribute what a test does."""
    return acting(
        Provenance(actor=actor, command_id=uuid4(), correlation_id="test"),
        occurred_at or clock.now(),
    )


def opened(number: int, subject: str = "a disk is full", **particulars) -> Ticket:
    ticket = Ticket(ticket_id(number))
    ticket.open(
        number, subject=subject, submitter=UUID(int=7), particulars=Particulars(**particulars)
    )
    return ticket


async def save(store, *aggregates: Aggregate):
    return await Ledger(store).save(*aggregates)


@asynccontextmanager
async def stored(database: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(database) as store:
        yield store


@asynccontextmanager
async def asking(database: str) -> AsyncIterator[AsyncConnection]:
    async with await AsyncConnection.connect(
        service_conninfo(database, "test"), autocommit=True
    ) as connection:
        yield connection


@asynccontextmanager
async def projecting(
    database: str, projections: Sequence = ALL, **options
) -> AsyncIterator[Projector]:
    """A projector that runs during the block and must end without an error."""
    projector = Projector(service_conninfo(database, "projector"), projections, **options)
    stop = asyncio.Event()
    running = asyncio.create_task(projector.run(stop))
    try:
        yield projector
    finally:
        stop.set()
        await running


async def made(connection, projections=ALL) -> None:
    """Make the tables, for questions without a projector."""
    await prepare(connection, projections)


async def caught_up(projector: Projector, store, timeout_s: float = 10.0) -> int:
    head = await store.head()
    assert await projector.wait_for(head, timeout_s), projector.positions()
    return head
