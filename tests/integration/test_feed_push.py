"""Feeds pushed as signed webhooks to a real HTTP server that fails in every way."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest
from pydantic import SecretStr

from adapters.kit.retry import Patience
from api.bootstrap import Services, running
from api.settings import Environment, Settings
from domain.errors import Invalid, NotNow
from domain.subscriptions import Subscription
from tests.feeds import begin, comment, helpdesk
from tests.projecting import by
from tests.sink import GONE, REFUSED, Sink, sink

Run = Callable[..., AbstractAsyncContextManager[Services]]


@pytest.fixture
def run(database: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that starts the service; failed deliveries are tried again soon."""
    quick = Patience(first_s=0.05, longest_s=0.2)
    monkeypatch.setattr("api.feed_pushing.PATIENCE", quick)
    monkeypatch.setattr("api.feed_pushing.ANSWER_S_MAX", 0.5)
    monkeypatch.setattr("adapters.kit.push._LOOK_S", 0.1)

    @asynccontextmanager
    async def start(*, allow_private: bool = True) -> AsyncIterator[Services]:
        settings = Settings(
            database_url=SecretStr(database), environment=Environment.TEST,
            allow_private_partners=allow_private,
        )  # fmt: skip
        async with running(settings) as services:
            yield services

    return start


async def subscribed(services: Services, taking: Sink, name: str = "osg", after: int = 0) -> None:
    await services.ledger.save(helpdesk(name))
    with by(f"helpdesk:{name}"):
        secret = await services.feed_pushing.subscribe(name, taking.url, after)
    assert secret is not None
    taking.secrets = [secret]


async def test_every_entry_is_pushed_once_in_order_and_signed(run):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        ticket = await begin(services.ledger, "osg", 1)
        for number in range(120):
            await comment(services.ledger, ticket, f"comment {number}")
        await taking.wait_for(122)
        assert (taking.requests, taking.repeated, taking.unsigned) == (122, 0, [])
        assert taking.environments == {"test"}
        began = time.perf_counter()
        await comment(services.ledger, ticket, "soon there")
        await taking.wait_for(123)
        assert time.perf_counter() - began < 1
        await asyncio.sleep(0.3)
        status = await services.feed_pushing.status("osg")
        assert (status.state, status.acknowledged, status.last_error) == ("active", 123, "")


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda request: (500 if request % 3 else 204, "", 0),
        lambda request: (204, "", 0.8 if request % 4 == 1 else 0),
        lambda request: (REFUSED if request % 2 else 204, "", 0),
        lambda request: (302 if request % 2 else 204, "Location: http://127.0.0.1:1/\r\n", 0),
        lambda request: (204, "Connection: close\r\n" if request % 2 else "", 0),
    ],
    ids=["500 after having acted", "slow", "away", "redirects", "hangs up"],
)
async def test_a_receiver_in_trouble_gets_everything_in_order(run, behaviour):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        taking.behaviour = behaviour
        ticket = await begin(services.ledger, "osg", 1)
        for number in range(6):
            await comment(services.ledger, ticket, f"comment {number}")
        await taking.wait_for(8, 30)
        await asyncio.sleep(0.1)
        taking.behaviour = lambda _: (204, "", 0)
        await comment(services.ledger, ticket, "the last")
        await taking.wait_for(9, 30)
        sequences = [event.data.sequence for event in taking.reader.events]
        assert sequences == list(range(1, 10))


async def test_the_wish_to_be_left_alone_is_honoured(run):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        taking.behaviour = lambda _: (REFUSED, "Retry-After: 3600\r\n", 0)
        await begin(services.ledger, "osg", 1)
        async with asyncio.timeout(5):
            while not (status := await services.feed_pushing.status("osg")).attempts:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert (taking.requests, status.attempts) == (1, 1)
        assert "503" in status.last_error
        assert status.retry_at is not None


async def test_after_a_stop_it_goes_on_where_the_partner_is(run):
    async with sink() as taking:
        async with run() as services:
            await subscribed(services, taking)
            ticket = await begin(services.ledger, "osg", 1)
            await taking.wait_for(2)
        async with run() as services:
            await comment(services.ledger, ticket, "after the stop")
            await taking.wait_for(3)
        assert taking.repeated <= 2


async def test_pause_resume_rewind_and_end(run):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        ticket = await begin(services.ledger, "osg", 1)
        await taking.wait_for(2)
        pushing = services.feed_pushing
        with by("helpdesk:osg"):
            await pushing.pause("osg")
        await asyncio.sleep(0.3)
        await comment(services.ledger, ticket, "while it is paused")
        await asyncio.sleep(0.3)
        assert (taking.reader.mark.sequence, (await pushing.status("osg")).state) == (2, "paused")
        with by("helpdesk:osg"):
            await pushing.resume("osg")
        await taking.wait_for(3)
        with by("helpdesk:osg"):
            await pushing.rewind("osg", 1)
        async with asyncio.timeout(5):
            while taking.repeated < 2:  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.02)
        with by("helpdesk:osg"):
            await pushing.end("osg")
            with pytest.raises(NotNow):
                await pushing.rewind("osg", 0)
        await asyncio.sleep(0.3)
        await comment(services.ledger, ticket, "nobody is told")
        await asyncio.sleep(0.4)
        assert (taking.reader.mark.sequence, taking.repeated) == (3, 2)


async def test_a_receiver_that_wants_no_more_is_left_in_peace(run):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        taking.behaviour = lambda _: (GONE, "", 0)
        await begin(services.ledger, "osg", 1)
        async with asyncio.timeout(5):
            while (await services.feed_pushing.status("osg")).why != "gone":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        taking.behaviour = lambda _: (204, "", 0)
        with by("helpdesk:osg"):
            await services.feed_pushing.resume("osg")
        await taking.wait_for(2)


async def test_two_keys_sign_after_a_rotation_and_one_in_the_end(run, clock):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        (old,) = taking.secrets
        ticket = await begin(services.ledger, "osg", 1)
        await taking.wait_for(2)
        with by("helpdesk:osg"):
            new, until = await services.feed_pushing.rotate_key("osg", timedelta(hours=24))
        assert new != old
        await comment(services.ledger, ticket, "a reader with the old key")
        await taking.wait_for(3)
        taking.secrets = [new]
        await comment(services.ledger, ticket, "a reader with the new key")
        await taking.wait_for(4)

        clock.forward(until - clock.now + timedelta(seconds=1))
        await comment(services.ledger, ticket, "the old key has ended")
        await taking.wait_for(5)
        assert taking.unsigned == []
        taking.secrets = [old]
        await comment(services.ledger, ticket, "nobody believes the old key")
        async with asyncio.timeout(5):
            while not taking.unsigned:  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.02)


async def test_keys_are_never_in_events(run):
    async with sink() as taking, run() as services:
        await subscribed(services, taking)
        with by("helpdesk:osg"):
            new, _ = await services.feed_pushing.rotate_key("osg", timedelta(hours=1))
        states = await services.store.rows("SELECT state FROM ledger.event")
        stored = b"".join(bytes(state) for (state,) in states).decode()
        for secret in (taking.secrets[0], new):
            assert secret.removeprefix("whsec_") not in stored
        kinds = {
            type(each.event)
            for each in await services.store.log(0, 100)
            if type(each.event) in Subscription.mutators
        }
        assert kinds == {Subscription.Subscribed, Subscription.KeyRotated}


@pytest.mark.parametrize(
    "url",
    [
        "http://osg.example.org/feed", "ftp://osg.example.org/", "https://", "https:///feed", "osg.example.org",
        "https://user:word@osg.example.org/", "https://127.0.0.1/", "https://localhost:8000/",
        "https://10.1.2.3/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://0.0.0.0/", "https://2130706433/", "https://[fe80::1]/",
        "https://osg.example.org:99999/", "https://osg.example.org/#x",
    ],
)  # fmt: skip
async def test_nobody_makes_us_knock_at_doors_inside(run, url):
    async with run(allow_private=False) as services:
        await services.ledger.save(helpdesk("osg"))
        with by("helpdesk:osg"), pytest.raises(Invalid):
            await services.feed_pushing.subscribe("osg", url, 0)


async def test_a_name_that_leads_inside_later_is_not_connected_to(run, monkeypatch):
    async with sink() as taking:
        async with run() as services:
            await subscribed(services, taking)
        async with run(allow_private=False) as services:
            await begin(services.ledger, "osg", 1)
            async with asyncio.timeout(5):
                while not (status := await services.feed_pushing.status("osg")).attempts:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert "private" in status.last_error
            assert taking.requests == 0


async def test_a_partner_in_trouble_holds_up_nobody_else(run):
    async with sink() as dead, sink() as well, run() as services:
        dead.behaviour = lambda _: (REFUSED, "", 0.3)
        await subscribed(services, dead, "osg")
        await subscribed(services, well, "egi")
        await begin(services.ledger, "osg", 1)
        for number in range(2, 30):
            await begin(services.ledger, "egi", number)
        await well.wait_for(56)
        assert dead.reader.mark.sequence == 0
