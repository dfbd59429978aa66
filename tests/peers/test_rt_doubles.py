"""A write that we gave up, and that takes effect in Request Tracker all the same: while we wait, or later."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.observer import RtObserver
from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from tests.couriers import patiently
from tests.peers.proxy import Proxy
from tests.peers.rt_scenarios import custom, message, opening, session_of

_numbers = itertools.count(9000)
PATIENCE_S = 60

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def session(request_tracker):
    session = session_of(request_tracker)
    yield session
    await session.close()


@pytest.fixture
async def courier(session):
    return RtCourier(session, settle_s=0)


@asynccontextmanager
async def given_up(request_tracker, parcel: Parcel, path: str) -> AsyncIterator[Proxy]:
    """One attempt that ended while its write was on its way: it arrives when the block says so."""
    async with Proxy(request_tracker.url) as proxy:
        proxy.held_back = lambda method, asked: method == "POST" and asked.endswith(path)
        terms = Terms.of(proxy.url.replace("://", "://bridge@"))
        first = Session(terms, request_tracker.passwords["bridge"], allow_private=True)
        attempt = asyncio.create_task(RtCourier(first, settle_s=0).deliver(parcel))
        async with asyncio.timeout(PATIENCE_S):
            await proxy.holding.wait()
        attempt.cancel()
        with suppress(asyncio.CancelledError):
            await attempt
        await first.close()
        yield proxy


async def arrived(proxy: Proxy, path: str) -> None:
    proxy.let_go.set()
    async with asyncio.timeout(PATIENCE_S):
        while not any(asked.endswith(path) for _, asked in proxy.calls):  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("public", [True, False])
async def test_a_text_that_arrives_while_we_wait_is_not_written_again(
    request_tracker, session, courier, supporter, public
):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    late = message(
        number, "late", external_id=theirs, text="Said once.", public=public,
        decided_at="2026-03-02T09:30:00+00:00",
    )  # fmt: skip
    how = "correspond" if public else "comment"
    async with given_up(request_tracker, late, f"/{how}") as proxy:
        after_restart = RtCourier(session, settle_s=3600)
        with pytest.raises(Undelivered) as failure:
            await after_restart.deliver(late)
        assert (failure.value.code, failure.value.final) == ("settling", False)
        await arrived(proxy, f"/{how}")
        await after_restart.deliver(late)
    assert await supporter.texts(theirs, how.capitalize()) == ["Said once."]


async def test_after_a_while_a_text_that_did_not_arrive_is_written(session, courier, supporter):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    text = message(number, "n", external_id=theirs, decided_at="2026-03-02T09:30:00+00:00")
    await patiently(RtCourier(session, settle_s=0.5), text)
    assert await supporter.texts(theirs, "Correspond") == ["some text"]


async def test_a_text_that_arrives_still_later_is_named_in_every_receipt_and_never_written_a_third_time(
    request_tracker, session, courier, supporter
):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    late = message(number, "late", external_id=theirs, text="Twice.")
    async with given_up(request_tracker, late, "/correspond") as proxy:
        assert "repeats" not in (await courier.deliver(late)).receipt
        await arrived(proxy, "/correspond")
    again = await courier.deliver(late)
    after = await courier.deliver(message(number, "after", external_id=theirs, text="And then?"))
    assert "repeats" in again.receipt
    assert "repeats" in after.receipt
    assert await supporter.texts(theirs, "Correspond") == ["Twice.", "Twice.", "And then?"]
    [seen] = await RtObserver(session, f"T{number}").look([theirs])
    assert [each.split()[0::2] for each in seen.doubled] == [["transaction", "repeats"]]


async def test_a_ticket_that_is_made_late_is_merged_by_who_compares(
    request_tracker, session, courier, supporter
):
    """RT keeps our number unique: the late one is made without it, and no search by number finds it."""
    number = next(_numbers)
    page = f"https://hub.test/tickets/{number}"
    parcel = opening(number, subject=f"late {number}", custom={"ExternalURL": page})
    async with given_up(request_tracker, parcel, "/ticket") as proxy:
        theirs = (await courier.deliver(parcel)).external_id
        await arrived(proxy, "/ticket")
    [late] = [
        each for each in await supporter.found(f"Subject = 'late {number}'") if each != int(theirs)
    ]
    assert custom(await supporter.ticket(late), "ExternalID") == ""
    [seen] = await RtObserver(session, f"T{number}").look([theirs])
    assert seen.number == number
    assert (await supporter.ticket(late))["id"] == int(theirs)
