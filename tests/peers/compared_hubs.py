"""Two Ticket Ledgers that can look at each other's tickets, one of which forgets: by a lost message, by a restore."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from adapters.kit.comparing_pages import Compared
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from tests.exchange_scenarios import by_test
from tests.peers.webhook_scenarios import Hub, hub

LOOKS = "#tickets=tickets"


class Pair:
    """``ours`` is GGUS, with ``osg`` as partner; ``theirs`` is OSG, with ``ggus``."""

    def __init__(self, ours: Hub, theirs: Hub) -> None:
        self.ours, self.theirs = ours, theirs

    async def number_there(self, number: int) -> int:
        """Their ticket for ours, when both know it."""
        async with asyncio.timeout(60):
            while True:
                if await self.ours.store.holder("exchange:osg", str(number)):
                    exchange = await self.ours.settled("osg", number)
                    if exchange.external_id:
                        there = int(exchange.external_id.removeprefix("OSG-"))
                        await self.theirs.settled("ggus", there)
                        return there
                await self.ours.services.wakeup.wait(await self.ours.store.head(), 0.1)

    async def compared(self, *, repair: bool = False) -> tuple[Compared, Compared]:
        """All tickets, as each side compares them."""
        return (
            await compared(self.ours, "osg", repair=repair),
            await compared(self.theirs, "ggus", repair=repair),
        )


async def compared(at: Hub, partner: str, *, repair: bool = False) -> Compared:
    assert await at.services.projector.wait_for(await at.store.head(), 30)
    with by_test():
        return await at.services.exchange.comparison.pages.compare(
            partner, repair=repair, confirm=False
        )


def diverging(page: Compared) -> list[tuple[str, str, str, str]]:
    return [(each.field, each.ours, each.theirs, each.repair) for each in page.diverging]


@asynccontextmanager
async def pair(ours: str, theirs: str) -> AsyncGenerator[Pair]:
    """``ROC_US`` is the other's unit for GGUS, ``NGI_DE`` is GGUS's for OSG. Nobody compares by itself."""
    async with (
        hub(ours, "GGUS", partner_compare_s=0) as one,
        hub(theirs, "OSG", partner_compare_s=0) as other,
    ):
        await meet(one, "osg", ["ROC_US"], other.address("ggus") + LOOKS)
        await meet(other, "ggus", ["NGI_DE"], one.address("osg") + LOOKS)
        yield Pair(one, other)


async def meet(at: Hub, name: str, units: list[str], address: str) -> None:
    """Register a partner, or where it is now."""
    known = await at.ledger.load(Helpdesk, named_id(Helpdesk.KIND, name))
    if known is None:
        await at.partner(name, address, units)
        return
    with by_test():
        known.register(name, "webhook", units, address=address)
        await at.ledger.save(known)


@asynccontextmanager
async def forgetful(at: Hub, name: str, units: list[str], address: str) -> AsyncIterator[None]:
    """Within the block, what is sent to the partner is taken by somebody who forgets it."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        [size] = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        await reader.readexactly(size)
        writer.write(b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await meet(at, name, units, f"http://127.0.0.1:{port}/events{LOOKS}")
        yield
    await meet(at, name, units, address + LOOKS)


def copied(database: str, copy: str) -> str:
    """A database as it is now, under another name. Nobody is connected to it."""
    name = str(conninfo_to_dict(database)["dbname"])
    with psycopg.connect(make_conninfo(database, dbname="postgres"), autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(copy)))
        connection.execute(
            SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(Identifier(copy), Identifier(name))
        )  # fmt: skip
    return make_conninfo(database, dbname=copy)
