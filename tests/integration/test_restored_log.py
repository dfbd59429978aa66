"""Our own log, restored from a backup without its last events: nothing comes to mean something else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import msgspec
import pytest
from pydantic import SecretStr

from adapters.store.connection import service_conninfo
from adapters.store.leaving_out import end_of, leave_out_numbers, leave_out_positions
from api import restoring
from api.bootstrap import Services, running
from api.settings import Environment, Settings
from domain import commands as c
from domain.errors import Invalid, NotNow
from domain.feeds import Mark
from domain.identifiers import NUMBER_MAX
from domain.log import LOG_ID, Log
from projections import health
from projections.rebuild import rebuild
from replay.verify import verify
from tests.backups import backup
from tests.exchange_scenarios import RULE, by_test
from tests.feeds import Reader, all_entries, comment, exchanged, helpdesk, read
from tests.projecting import asking, by, stored
from tests.serving import ticketledger, told
from tests.sink import Sink, sink

Run = Callable[..., AbstractAsyncContextManager[Services]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr("adapters.kit.push._LOOK_S", 0.1)

    @asynccontextmanager
    async def start(database: str, *, work: bool = True) -> AsyncIterator[Services]:
        settings = Settings(
            database_url=SecretStr(database), environment=Environment.TEST, allow_private_partners=True,
            wait_s_max=10 if work else 0.2,
        )  # fmt: skip
        async with running(settings, work=work) as services:
            yield services

    return start


async def opened(services: Services, name: str = "osg") -> int:
    """A ticket that is exchanged with a partner; its number."""
    with by_test():
        outcome = await services.ledger.execute(
            c.OpenTicket(subject="Transfers fail", description="All of them."), actor=RULE
        )
    await services.ledger.save(exchanged(name, outcome.ticket.number))
    return outcome.ticket.number


async def commented(services: Services, number: int, text: str) -> None:
    await comment(services.ledger, await services.ledger.ticket(number), text)


@asynccontextmanager
async def reading(services: Services, name: str = "osg") -> AsyncIterator[httpx2.AsyncClient]:
    from api.app import create_app

    _, token = await services.tokens.create_for_helpdesk(name, timedelta(hours=1))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(create_app(services)),
        base_url=f"http://ledger.test/api/v1/feeds/{name}",
        headers={"Authorization": f"Bearer {token}"},
    ) as client:
        yield client


def cursor(mark: Mark) -> dict[str, Any]:
    return {"after": mark.sequence, "hash": mark.hash}


async def pull(client: httpx2.AsyncClient, reader: Reader) -> None:
    answer = await client.get("/events", params=cursor(reader.mark) | {"limit": 500})
    assert answer.status_code == 200, answer.text
    for item in answer.json()["items"]:
        reader.take(read(msgspec.json.encode(item)))


async def current(services: Services) -> None:
    assert await services.projector.wait_for(await services.store.head(), 10)


async def subscribed(services: Services, taking: Sink) -> None:
    await services.ledger.save(helpdesk("osg"))
    with by("helpdesk:osg"):
        secret = await services.feed_pushing.subscribe("osg", taking.url, 0)
    assert secret
    taking.secrets = [secret]


async def said(services: Services, *known: int) -> restoring.Loss:
    """That the log was restored."""
    with by_test():
        return await restoring.leave_out(services, await restoring.planned(services, *known))


async def test_what_was_given_out_before_a_loss_is_never_given_again(database, run):
    puller = Reader()
    async with sink() as taking:
        async with run(database) as services:
            await subscribed(services, taking)
            first = await opened(services)
            await taking.wait_for(2)
            await asyncio.sleep(0.2)  # that it was taken is written down
        with backup(database) as restored:
            async with run(database) as services:
                lost = await opened(services)
                await commented(services, first, "lost later")
                await current(services)
                lost_position = await services.store.head()
                await taking.wait_for(5)
                async with reading(services) as client:
                    await pull(client, puller)
            assert puller.mark == taking.reader.mark
            lost_mark, common = puller.mark, puller.events[1].data

            planned = told("log", "restored", "--dry-run", DATABASE_URL=restored)["loss"]
            async with stored(restored) as store:
                assert planned["position"] == 0
                assert (await end_of(store)).position == planned["after"], "nothing was changed"
            done = told("log", "restored", DATABASE_URL=restored)
            loss = done["loss"]
            again = ticketledger("log", "restored", DATABASE_URL=restored).stdout
            assert again.startswith(f"position {loss['position']}, recorded "), "said once"
            assert "osg (live): compare by eye, 1 tickets that are not final" in again
            assert loss["position"] == loss["until"] + 1
            assert loss["after"] == planned["after"] < lost_position < loss["until"]
            assert loss["numbers_after"] < lost <= loss["numbers_until"]
            (partner,) = done["partners"]
            assert (partner["name"], partner["compared"]) == ("osg", False)
            assert partner["tickets"] == [{"number": first, "external_id": ""}]

            async with run(restored) as services:
                assert [each.position for each in await restoring.losses(services)] == [
                    loss["position"]
                ]
                number = await opened(services)
                assert number == loss["numbers_until"] + 1
                [opening, *_] = await services.ledger.history(number)
                assert opening.position == loss["position"] + 1
                await commented(services, first, "after the loss")
                await current(services)
                async with reading(services) as client:
                    await finds_back(client, puller, Mark(common.sequence, common.hash))
                    await pull(client, puller)
                await taking.wait_for(puller.mark.sequence)
                assert taking.reader.mark == puller.mark
                assert [each.id for each in taking.reader.events] == [
                    each.id for each in puller.events
                ]
                status = await services.feed_pushing.status("osg")
                assert status.last_error == ""
            assert puller.topics == [
                "exchange.opened", "ticket.opened", "log.restored",
                "exchange.opened", "ticket.opened", "ticket.commented",
            ]  # fmt: skip
            goes_on = puller.events[2]
            assert goes_on.data.sequence > lost_mark.sequence
            assert (goes_on.type, goes_on.subject) == (
                "org.ticketledger.log.restored", "feeds/osg",
            )  # fmt: skip

            result = await verify(restored)
            assert result.ok, result.findings
            assert result.events < 20
            assert "are left out" in result.restored[0]
            (folded,) = await rebuild(
                service_conninfo(restored, "rebuild"), ["feeds"], switch=False
            )
            assert folded.ok, folded


async def finds_back(client: httpx2.AsyncClient, reader: Reader, common: Mark) -> None:
    """Whatever way it asks, it is told that it has what the feed has not; it goes back to what both have."""
    here = cursor(reader.mark)
    without = {"after": reader.mark.sequence}
    header = {"Last-Event-ID": str(reader.mark.sequence)}
    push = {**here, "url": "https://desk.example.org/feed"}
    for answer in (
        await client.get("/events", params=here),
        await client.get("/events", params=without | {"wait": 1}),
        await client.get("/stream", params=here),
        await client.get("/stream", headers=header),
        await client.put("/subscription", json=push),
        await client.post("/subscription/rewind", json=here),
    ):
        assert answer.status_code == 409, answer.text
        problem = answer.json()
        assert problem["code"] == "feed-forked"
        assert problem["nearest"] == {"sequence": common.sequence, "hash": common.hash}
    gone = await client.get("/position", params={"sequence": reader.mark.sequence})
    assert gone.status_code == 404
    there = await client.get("/position", params={"sequence": common.sequence})
    assert there.json()["hash"] == common.hash
    reader.go_back(common.hash)


async def test_a_reader_notices_a_loss_that_nobody_told_the_log_of(database, run):
    forked, ahead = Reader(), Reader()
    async with run(database) as services:
        await services.ledger.save(helpdesk("osg"))
        first = await opened(services)
        await current(services)
    with backup(database) as restored:
        async with run(database) as services, reading(services) as client:
            await commented(services, first, "lost later")
            await current(services)
            await pull(client, forked)
            await commented(services, first, "lost, too")
            await current(services)
            await pull(client, ahead)
        async with run(restored) as services, reading(services) as client:
            answer = await client.get("/events", params=cursor(ahead.mark))
            assert (answer.status_code, answer.json()["code"]) == (409, "cursor-ahead")
            assert answer.json()["nearest"]["sequence"] == 2
            await commented(services, first, "something else")
            await current(services)
            answer = await client.get("/events", params=cursor(forked.mark))
            assert (answer.status_code, answer.json()["code"]) == (409, "feed-forked")
            assert answer.json()["nearest"]["sequence"] == 2
            forked.go_back(answer.json()["nearest"]["hash"])
            await pull(client, forked)
            assert forked.topics == ["exchange.opened", "ticket.opened", "ticket.commented"]


async def test_a_feed_that_is_made_again_is_no_false_alarm(database, run):
    reader = Reader()
    async with run(database) as services, reading(services) as client:
        await services.ledger.save(helpdesk("osg"))
        await opened(services)
        await current(services)
        await pull(client, reader)
    async with run(database, work=False) as services, reading(services) as client:
        await services.store.rows(
            "WITH gone AS (DELETE FROM view.feed_entry), too AS (DELETE FROM view.feed_member),"
            " feed AS (DELETE FROM view.feed)"
            " UPDATE view.projection SET position = 0 WHERE name = 'feeds' RETURNING name"
        )
        for path, params in (
            ("/events", cursor(reader.mark)), ("/stream", cursor(reader.mark)),
            ("/position", {"sequence": reader.mark.sequence}),
        ):  # fmt: skip
            answer = await client.get(path, params=params)
            assert (answer.status_code, answer.json()["code"]) == (503, "not-yet"), path
            assert answer.headers["retry-after"]
    async with run(database) as services, reading(services) as client:
        answer = await client.get("/events", params=cursor(reader.mark))
        assert (answer.status_code, answer.json()["items"]) == (200, [])


async def test_a_partner_that_was_registered_after_the_backup_gets_no_sequence_twice(database, run):
    async with run(database) as services:
        with by_test():
            await services.ledger.execute(c.OpenTicket(subject="one"), actor=RULE)
    with backup(database) as restored:
        async with run(database) as services:
            await services.ledger.save(helpdesk("egi"))
            await opened(services, "egi")
            await current(services)
            async with asking(database) as connection:
                lost = await all_entries(connection, "egi")
        async with run(restored) as services:
            for _ in range(2):  # lost again, before it was registered again
                await said(services)
            await current(services)
        async with run(restored) as services:
            await services.ledger.save(helpdesk("egi"))
            await opened(services, "egi")
            await current(services)
            async with asking(restored) as connection:
                found = await all_entries(connection, "egi")
                assert {each.state for each in await health.status(connection)} == {"current"}
            both = await restoring.losses(services)
        left_out = sum(each.until - each.after for each in both)
        assert lost[-1].data.sequence == 2
        assert [each.data.sequence - left_out for each in found] == [1, 2, 3]
        assert found[0].data.event.topic == "log.restored"
        (again,) = await rebuild(service_conninfo(restored, "rebuild"), ["feeds"], switch=False)
        assert again.ok, again


async def test_an_operator_who_knows_more_says_so(database, run):
    async with run(database) as services:
        with pytest.raises(Invalid, match="empty"):
            await restoring.planned(services)
        with by_test():
            await services.ledger.execute(c.OpenTicket(subject="one"), actor=RULE)
        head = await services.store.head()
        for wrong in ((head, None), (None, 0), (None, NUMBER_MAX + 1)):
            with pytest.raises(Invalid):
                await restoring.planned(services, *wrong)
        loss = await said(services, 2000, 700)
        assert (loss.after, loss.until, loss.numbers_until) == (head, 2000, 700)
        assert await services.store.next_number() == 701
        assert await services.store.head() == 2001


async def test_what_broke_off_is_done_again(database, run):
    async with run(database) as services:
        with by_test():
            await services.ledger.execute(c.OpenTicket(subject="one"), actor=RULE)
        await leave_out_numbers(services.store, 400)  # and then the power failed
        loss = await said(services, 5_000)
        assert loss.numbers_after == 400
        assert await restoring.said_just_now(services) == loss
        assert loss.recorded_at is not None
        comparison = services.exchange.comparison
        await comparison.begin("osg", loss.recorded_at)
        begun = await comparison.progress("osg")
        assert begun is not None
        assert begun.ended_at is None
        await comparison.begin("osg", loss.recorded_at)
        assert await comparison.progress("osg") == begun


async def test_an_auditor_reads_what_was_lost(services, sign_in):
    loss = await said(services)
    auditor = await sign_in("auditor")
    told_of = (await auditor.get("/api/v1/losses")).json()["items"]
    assert [each["until"] - each["after"] for each in told_of] == [loss.until - loss.after]
    assert (await (await sign_in()).get("/api/v1/losses")).status_code == 403
    assert {each.state for each in await services.ask(health.status)} <= {"current", "catching up"}


async def test_a_log_that_goes_on_meanwhile_is_left_alone(database):
    async with stored(database) as store:
        log = Log(LOG_ID)
        with by_test():
            log.restored(7, 10, 0, 0, None)
            (event,) = log.collect_events()
            with pytest.raises(NotNow, match="went on"):
                await leave_out_positions(database, event)
            with pytest.raises(Invalid):
                log.restored(7, 7, 0, 0, None)
        assert await store.head() == 0


async def test_a_gap_of_which_the_log_says_nothing_is_a_finding(database):
    async with stored(database) as store:
        log = Log(LOG_ID)
        with by_test():
            log.restored(0, 10, 0, 5, None)
            (event,) = log.collect_events()
            await leave_out_positions(database, event)
        assert (await verify(database)).ok
        await store.rows(
            "INSERT INTO ledger.event SELECT 20, 2, recorded_at, originator_id, topic,"
            " convert_to(replace(convert_from(state, 'UTF8'), 'version\":1', 'version\":2'), 'UTF8')"
            " FROM ledger.event RETURNING position"
        )
    result = await verify(database)
    assert str(result.findings[0]).startswith("positions: position 20")
