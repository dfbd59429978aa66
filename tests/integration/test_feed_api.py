"""Feeds over HTTP: who may read which, pages, long waits, streams that break, and readers that miss nothing."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import httpx2
import msgspec
import pytest

from api import restoring
from api.auth import Scope
from api.bootstrap import Services
from api.cli.serving import _listening, _server
from api.feed_channel import RING_MAX
from api.feed_pushing import FeedPushing
from domain import clock
from domain.feeds import Mark
from domain.vocabulary import Visibility
from projections.feed_pages import FeedPage
from tests.feeds import Reader, begin, comment, exchanged, helpdesk, read
from tests.projecting import by, opened

pages = msgspec.json.Decoder(FeedPage)


@pytest.fixture
async def address(services: Services) -> AsyncIterator[str]:
    """A real server: streams need a socket."""
    async with served(services) as where:
        yield where


@asynccontextmanager
async def served(services: Services) -> AsyncIterator[str]:
    server = _server(services)
    listening = _listening("127.0.0.1", 0)
    serving = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    for channel in list(services.feed_hub._channels.values()):
        channel.closed = True
        channel.wake()
    await serving


@asynccontextmanager
async def partner(services: Services, address: str, name: str) -> AsyncIterator[httpx2.AsyncClient]:
    await services.ledger.save(helpdesk(name))
    _, token = await services.tokens.create_for_helpdesk(name, timedelta(hours=1))
    async with httpx2.AsyncClient(
        base_url=f"{address}/api/v1/feeds/{name}",
        headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False,
    ) as client:  # fmt: skip
        yield client


async def current(services: Services) -> None:
    assert await services.projector.wait_for(await services.store.head(), 5)


async def pull(client: httpx2.AsyncClient, reader: Reader, **query: float) -> httpx2.Response:
    answer = await client.get("/events", params={"after": reader.mark.sequence, **query})
    assert answer.status_code == 200, answer.text
    page = pages.decode(answer.content)
    for event in page.items:
        reader.take(event)
    if page.items:
        assert (page.last, page.hash) == (reader.mark.sequence, reader.mark.hash)
    return answer


async def follow(client: httpx2.AsyncClient, reader: Reader, until: int, **options) -> list[str]:
    """Read the stream until an entry came, or it ends; the names of other events."""
    told = []
    async with client.stream("GET", "/stream", **options) as answer:
        assert answer.status_code == 200
        name = ""
        async for line in answer.aiter_lines():
            kind, _, value = line.partition(": ")
            if kind == "event":
                name = value
            elif kind == "data" and name.startswith("org.ticketledger."):
                reader.take(read(value))
                if reader.mark.sequence >= until:
                    break
            elif kind == "data":
                told.append(name)
    return told


def resuming(reader: Reader) -> dict[str, dict[str, str]]:
    return {"headers": {"Last-Event-ID": str(reader.mark.sequence)}}


# -- who sees what -----------------------------------------------------------------------------------


async def test_a_partner_never_sees_a_ticket_that_is_not_exchanged_with_it(services, address):
    async with (
        partner(services, address, "osg") as osg,
        partner(services, address, "egi") as egi,
    ):
        mine = await begin(services.ledger, "osg", 1, subject="a secret of osg")
        await begin(services.ledger, "egi", 2, subject="a secret of egi")
        with by():
            nobodys = opened(3, subject="a secret of ours")
        await services.ledger.save(nobodys)
        await comment(services.ledger, mine, "internal secret", Visibility.INTERNAL)
        await current(services)

        reader = Reader()
        text = (await pull(osg, reader)).text
        assert {event.subject for event in reader.events} == {"tickets/1"}
        assert "a secret of osg" in text
        for secret in ("egi", "ours", "internal secret"):
            assert secret not in text

        for path in (
            "", "/events", "/stream", "/position?sequence=0", "/subscription", "/events?after=0&wait=1",
        ):  # fmt: skip
            foreign = await osg.get(f"{address}/api/v1/feeds/egi{path}")
            unknown = await osg.get(f"{address}/api/v1/feeds/nobody{path}")
            assert foreign.status_code == unknown.status_code == 404, path
            assert foreign.text.replace("egi", "nobody") == unknown.text
        for path in (
            "/tickets/1",
            "/tickets",
            "/queue",
            "/events",
            "/exchanges",
            "/directory/persons",
        ):
            assert (await osg.get(f"{address}/api/v1{path}")).status_code == 403, path
        token = osg.headers["Authorization"].removeprefix("Bearer ")
        assert (await osg.post(f"{address}/session", json={"token": token})).status_code == 401
        taken = await osg.put(
            f"{address}/api/v1/feeds/egi/subscription", json={"url": "https://osg.example.org/"}
        )
        assert taken.status_code == 404
        assert await length(egi) == 2


async def test_a_person_needs_the_scope_and_a_role_that_reads_everything(services, sign_in):
    await services.ledger.save(helpdesk("osg"))
    path = "/api/v1/feeds/osg/events"
    auditor = await sign_in("auditor", scopes=["feed"])
    assert (await auditor.get(path)).status_code == 200
    assert (await auditor.get("/api/v1/feeds/nobody/events")).status_code == 404
    asked = await auditor.put("/api/v1/feeds/osg/subscription", json={"url": "https://x.test/"})
    assert asked.status_code == 403
    assert (await (await sign_in("supporter:NGI_DE", scopes=["feed"])).get(path)).status_code == 403
    assert (await (await sign_in("auditor", scopes=["read"])).get(path)).status_code == 403


async def test_a_token_of_a_partner_can_have_no_other_scope(services):
    await services.ledger.save(helpdesk("osg"))
    _, token = await services.tokens.create_for_helpdesk("osg", timedelta(hours=1))
    access = await services.tokens.of_token(token)
    assert (access.person, access.helpdesk, access.scopes) == (None, "osg", {Scope.FEED})


# -- pages -------------------------------------------------------------------------------------------


async def test_full_pages_are_not_sent_again_unless_a_text_was_erased(services, address):
    async with partner(services, address, "osg") as osg:
        ticket = await begin(services.ledger, "osg", 1)
        for number in range(5):
            await comment(services.ledger, ticket, f"comment {number}")
        await current(services)
        full = await osg.get("/events", params={"limit": 5})
        again = await osg.get(
            "/events", params={"limit": 5}, headers={"If-None-Match": full.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")
        assert "private" in full.headers["cache-control"]
        rest = await osg.get("/events", params={"limit": 5, "after": 5})
        assert "etag" not in rest.headers
        assert rest.headers["cache-control"] == "no-store"

        await services.store.erase([ticket.subject.id])
        later = await osg.get(
            "/events", params={"limit": 5}, headers={"If-None-Match": full.headers["etag"]}
        )
        assert later.status_code == 200
        assert pages.decode(later.content).items[1].data.texts == {"subject": None}


async def test_a_reader_goes_back_to_any_sequence_and_time(services, address):
    async with partner(services, address, "osg") as osg:
        await begin(services.ledger, "osg", 1)
        await current(services)
        state = await state_of(osg)
        await begin(services.ledger, "osg", 2)
        await current(services)

        for query in ({"sequence": 2}, {"at": state["changed_at"].replace("Z", "+00:00")}):
            mark = msgspec.json.decode(
                (await osg.get("/position", params=query)).content, type=Mark
            )
            reader = Reader(mark)
            await pull(osg, reader)
            assert reader.mark.sequence == 4
        assert (await osg.get("/position", params={"sequence": 9})).status_code == 404
        assert (await osg.get("/position", params={"at": "2026-01-01"})).status_code == 422
        assert (await osg.get("/position")).status_code == 400


async def test_a_long_wait_ends_with_the_entry(services, address):
    async with partner(services, address, "osg") as osg:
        await begin(services.ledger, "osg", 1)
        await current(services)
        reader = Reader()
        await pull(osg, reader)
        waiting = asyncio.create_task(pull(osg, reader, wait=10))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await begin(services.ledger, "osg", 2)
        await asyncio.wait_for(waiting, 2)
        assert reader.mark.sequence >= 3
        await pull(osg, reader)
        await pull(osg, reader, wait=0.1)
        assert reader.mark.sequence == 4
        assert (await osg.get("/events", params={"wait": 31})).status_code == 422


# -- streams -----------------------------------------------------------------------------------------


async def test_a_stream_begins_anywhere_and_goes_on_live(services, address):
    async with partner(services, address, "osg") as osg:
        ticket = await begin(services.ledger, "osg", 1)
        await current(services)
        reader = Reader()
        following = asyncio.create_task(follow(osg, reader, 5))
        await asyncio.sleep(0.2)
        for number in range(3):
            await comment(services.ledger, ticket, f"comment {number}")
        await asyncio.wait_for(following, 5)
        assert reader.topics == ["exchange.opened", "ticket.opened", *["ticket.commented"] * 3]
        resumed = Reader(Mark(3, reader.events[2].data.hash))
        await follow(osg, resumed, 5, **resuming(resumed))
        assert resumed.mark == reader.mark
        for bad in ("x", "-1", "9" * 30):
            answer = await osg.get("/stream", headers={"Last-Event-ID": bad})
            assert answer.status_code == 400, bad


async def test_a_reader_that_takes_nothing_for_a_while_holds_up_nobody_and_misses_nothing(
    services, address
):
    async with partner(services, address, "osg") as osg, asyncio.TaskGroup() as tasks:
        ticket = await begin(services.ledger, "osg", 1)
        await current(services)
        slow, quick = Reader(), Reader()
        async with osg.stream("GET", "/stream") as answer:
            lines = (line async for line in answer.aiter_lines() if line.startswith("data: "))
            for _ in range(2):
                slow.take(read((await anext(lines)).removeprefix("data: ")))
            following = tasks.create_task(follow(osg, quick, 302))
            # more than its connection holds, one by one and many at once
            for count in (1, 1, 98, 1, 199):
                with by():
                    for _ in range(count):
                        ticket.comment("\N{GRINNING FACE}" * 4_000, Visibility.PUBLIC)
                await services.ledger.save(ticket)
                await current(services)
            await following
            while slow.mark.sequence < 302:
                slow.take(read((await anext(lines)).removeprefix("data: ")))
        assert slow.mark == quick.mark


async def test_a_reader_that_falls_out_of_the_ring_is_told_so(services, address, monkeypatch):
    for module in ("api.feed_hub", "api.feed_channel"):
        monkeypatch.setattr(f"{module}.RING_MAX", 20)
    assert RING_MAX > 20
    async with partner(services, address, "osg") as osg:
        ticket = await begin(services.ledger, "osg", 1)
        await current(services)
        reader = Reader()
        async with osg.stream("GET", "/stream") as answer:
            lines = answer.aiter_lines()
            while not (await anext(lines)).startswith("id: 2"):
                pass
            # given so much that no buffer between us holds it, and nobody reads
            with by():
                for _ in range(60):
                    for _ in range(10):
                        ticket.comment("\N{GRINNING FACE}" * 4_000, Visibility.PUBLIC)
                    await services.ledger.save(ticket)
            await current(services)
            await asyncio.sleep(0.5)
            told = [line async for line in lines if line.startswith("event: ")]
        assert told[-1] == "event: dropped"
        assert len(told) < 590
        reader = Reader()
        await follow(osg, reader, 602)  # and comes again
        assert reader.mark.sequence == 602


async def test_a_stream_that_meets_a_loss_of_ours_goes_on_behind_it(services, address):
    async with partner(services, address, "osg") as osg:
        await begin(services.ledger, "osg", 1)
        await current(services)
        reader, waiting = Reader(), Reader()
        await pull(osg, waiting)
        following = asyncio.create_task(follow(osg, reader, 99))
        asked = asyncio.create_task(pull(osg, waiting, wait=10))
        await asyncio.sleep(0.3)
        with by():
            await restoring.leave_out(services, await restoring.planned(services))
        assert await asyncio.wait_for(following, 10) == ["dropped"]
        await asyncio.wait_for(asked, 10)
        await follow(osg, reader, 3, **resuming(reader))
        assert (
            reader.topics == waiting.topics == ["exchange.opened", "ticket.opened", "log.restored"]
        )
        assert reader.mark == waiting.mark


async def test_a_reader_that_takes_nothing_is_let_go(services, address, monkeypatch):
    monkeypatch.setattr("api.feed_stream.SEND_S_MAX", 0.5)
    async with partner(services, address, "osg") as osg:
        ticket = await begin(services.ledger, "osg", 1)
        async with osg.stream("GET", "/stream"):
            with by():
                for _ in range(60):
                    for _ in range(10):
                        ticket.comment("\N{GRINNING FACE}" * 4_000, Visibility.PUBLIC)
                    await services.ledger.save(ticket)
            async with asyncio.timeout(10):
                while services.feed_hub._channels:  # noqa: ASYNC110 - nothing tells us
                    await asyncio.sleep(0.05)


async def test_a_stream_ends_with_its_token(services, address, monkeypatch):
    monkeypatch.setattr("api.feed_hub.PING_S", 0.2)
    monkeypatch.setattr("api.feed_stream.PING_S", 0.2)
    monkeypatch.setattr("api.auth.FRESH_S", 0.1)
    async with partner(services, address, "osg") as osg:
        following = asyncio.create_task(follow(osg, Reader(), 99))
        await asyncio.sleep(0.3)
        (row,) = await services.tokens.listed()
        await services.tokens.revoke(row.id)
        assert await asyncio.wait_for(following, 5) == ["ended"]


async def test_streams_are_sent_home_when_the_service_ends(database, services):
    async with served(services) as address, partner(services, address, "osg") as osg:
        following = asyncio.create_task(follow(osg, Reader(), 99))
        await asyncio.sleep(0.3)
        services.stopping.set()
        assert await asyncio.wait_for(following, 5) == ["ended"]


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_way_a_reader_follows_it_sees_every_entry_once_in_order(  # noqa: C901
    services, address, seed
):
    """Pull, long waits and streams in any mixture, each broken off at any moment; the reader checks the chain."""
    chance = random.Random(seed)
    async with partner(services, address, "osg") as osg:
        tickets = [await begin(services.ledger, "osg", 1)]
        done = asyncio.Event()

        async def write() -> None:
            for number in range(2, 14):
                if chance.random() < 0.5:
                    tickets.append(await begin(services.ledger, "osg", number))
                else:
                    with by():
                        late = opened(number)
                    await services.ledger.save(late)
                    await comment(services.ledger, late, "early")
                    await services.ledger.save(exchanged("osg", number))
                for _ in range(chance.randrange(4)):
                    await comment(services.ledger, chance.choice(tickets), "public")
                await asyncio.sleep(chance.random() * 0.05)
            done.set()

        async def read_on(reader: Reader, luck: random.Random) -> None:
            while not done.is_set() or reader.mark.sequence < await length(osg):
                match luck.randrange(3):
                    case 0:
                        await pull(osg, reader, limit=luck.randrange(1, 8))
                    case 1:
                        await pull(osg, reader, wait=luck.random() * 0.2)
                    case _:
                        some = reader.mark.sequence + luck.randrange(1, 9)
                        with suppress(TimeoutError):
                            async with asyncio.timeout(0.3):
                                await follow(osg, reader, some, **resuming(reader))

        readers = [Reader() for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for number, reader in enumerate(readers):
                group.create_task(read_on(reader, random.Random(f"{seed}-{number}")))
        await current(services)
        last = await length(osg)
        assert last > 24
        for reader in readers:
            await pull(osg, reader, limit=500)
            sequences = [event.data.sequence for event in reader.events]
            assert sequences == list(range(1, last + 1))


async def length(client: httpx2.AsyncClient) -> int:
    return int((await state_of(client))["last"])


async def state_of(client: httpx2.AsyncClient) -> dict:
    answer = await client.get(str(client.base_url).rstrip("/"))
    assert answer.status_code == 200
    return answer.json()


async def test_a_feed_is_pushed_again_from_a_sequence_or_from_an_instant_on(services, address):
    async with partner(services, address, "osg") as osg:
        allowing = FeedPushing(services.ledger, services.store, allow_private=True)
        with by("helpdesk:osg"):
            await allowing.subscribe("osg", "http://127.0.0.1:9/feed", 0)
        before = clock.now() - timedelta(minutes=1)
        await begin(services.ledger, "osg", 1)
        await current(services)
        page = pages.decode((await osg.get("/events")).content)
        assert len(page.items) == 2
        at = clock.now() + timedelta(minutes=1)
        wishes = ({"after": 1}, 1), ({"at": before.isoformat()}, 0), ({"at": at.isoformat()}, 2)
        for wish, after in wishes:
            answer = await osg.post("/subscription/rewind", json=wish)
            assert (answer.status_code, answer.json()["acknowledged"]) == (200, after), wish
        for wrong in ({}, {"after": 1, "at": at.isoformat()}, {"at": "2026-03-02T09:00:00"}):
            assert (await osg.post("/subscription/rewind", json=wrong)).status_code in (400, 422)


async def test_the_description_names_what_is_sent(services, stranger):
    document = (await stranger.get("/api/v1/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    entry = document["components"]["schemas"]["Entry"]
    assert set(entry["required"]) == {"sequence", "previous", "hash", "rule", "event", "texts"}
    for operation in document["operations"].values():
        channel = document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        sent = {each["$ref"].rpartition("/")[2] for each in operation["messages"]}
        assert sent == set(channel["messages"])
        for message in channel["messages"].values():
            assert message["$ref"].rpartition("/")[2] in document["components"]["messages"]
