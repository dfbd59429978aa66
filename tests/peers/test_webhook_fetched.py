"""Files that are too large for an event travel between hubs all the same: fetched by their hash, once."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from adapters.kit.downloads import NotFetched
from adapters.kit.interface import Elsewhere
from domain import commands as c
from domain.content import sha256_of
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.peers.compared_hubs import LOOKS, Pair, meet, pair
from tests.peers.webhook_scenarios import Hub

LARGE = Random(4).randbytes(5_000_000)
NOWHERE = "#tickets=http://127.0.0.1:9/tickets"


def attaching(number: int, body: bytes, visibility: Visibility = Visibility.PUBLIC) -> c.Attach:
    return c.Attach(
        number=number, name="core.dump", media_type="application/x-core", body=body, visibility=visibility
    )  # fmt: skip


async def the_files(hub: Hub, number: int) -> list[str]:
    return [each.file.sha256 for each in (await hub.ledger.ticket(number)).files]


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.1)


async def exchanged(hubs: Pair) -> tuple[int, int]:
    number = await hubs.ours.open_ticket("ROC_US")
    return number, await hubs.number_there(number)


async def test_a_large_file_arrives_once_and_does_not_come_back(database, more_databases):
    async with pair(database, more_databases()) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        number, there = await exchanged(hubs)
        await ours.execute(
            attaching(number, LARGE), attaching(number, b"for us", Visibility.INTERNAL)
        )
        [attached] = await theirs.wait_for(Ticket.Attached)
        body = (await theirs.store.contents([attached.file.id]))[attached.file.id].body
        assert body == LARGE
        assert attached.file.media_type == "application/x-core"
        assert attached.provenance.actor == "helpdesk:ggus"
        await hubs.number_there(number)
        [entry] = await theirs.texts(Ticket.Commented, "text")
        assert "core.dump (5000000 bytes)" in entry, "where it is was told meanwhile"
        assert len(await the_files(ours, number)) == 2
        assert await the_files(theirs, there) == [sha256_of(LARGE)]


async def test_what_could_not_be_fetched_is_fetched_after_a_restart(database, more_databases):
    other = more_databases()
    async with pair(database, other) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        number, there = await exchanged(hubs)
        await meet(theirs, "ggus", ["NGI_DE"], ours.address("osg") + NOWHERE)
        await asyncio.sleep(1.1)  # terms are believed for a second
        await ours.execute(attaching(number, LARGE))
        await theirs.wait_for(Ticket.Commented)
        fetching = theirs.services.exchange.worker.fetching
        assert fetching is not None

        async def failed() -> bool:
            return bool(fetching._attempts)

        await until(failed)
    async with pair(database, other) as hubs:
        await hubs.theirs.wait_for(Ticket.Attached)
        assert await the_files(hubs.theirs, there) == [sha256_of(LARGE)]


async def test_only_public_files_of_tickets_that_are_exchanged_are_given(database, more_databases):
    async with pair(database, more_databases()) as hubs:
        ours, theirs = hubs.ours, hubs.theirs
        number, _ = await exchanged(hubs)
        others = await ours.open_ticket("NGI_IT")
        await ours.execute(attaching(number, b"for us", Visibility.INTERNAL))
        await ours.execute(attaching(number, b"public"))
        await ours.execute(attaching(others, b"of another"))
        partner = await theirs.services.exchange.conversations.known_terms("ggus")
        assert partner.address.endswith(LOOKS)
        source = await theirs.services.exchange.carriers.files(partner)
        assert source is not None

        async def fetched(of: int, body: bytes) -> bytes | NotFetched:
            return await source.fetch(
                Elsewhere(
                    ticket=f"GGUS-{of}", name="x", media_type="", size=len(body),
                    sha256=sha256_of(body), visibility=Visibility.PUBLIC,
                )
            )  # fmt: skip

        assert await fetched(number, b"public") == b"public"
        for of, body in (
            (number, b"for us"),
            (others, b"of another"),
            (number, b"of another"),
            (999, b"x"),
        ):
            assert isinstance(await fetched(of, body), NotFetched)
