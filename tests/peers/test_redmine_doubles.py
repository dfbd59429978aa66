"""A write that we gave up, and that takes effect in Redmine all the same: later, after we wrote again."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from adapters.helpdesks.redmine.courier import RedmineCourier
from adapters.helpdesks.redmine.observer import RedmineObserver
from adapters.helpdesks.redmine.words import WORDS
from adapters.kit.interface import Delivered, Parcel
from domain import commands as c
from domain.exchange import Exchange
from tests.peers.proxy import Proxy
from tests.peers.redmine_scenarios import (
    CUSTOM,
    Desk,
    custom,
    message,
    opening,
    redmine_hub,
    session_of,
)

_numbers = itertools.count(9000)
PATIENCE_S = 60

pytestmark = pytest.mark.timeout(900)
"""To start Redmine is part of the first test, on however busy a machine."""


@pytest.fixture
async def session(redmine):
    session = session_of(redmine)
    yield session
    await session.close()


@pytest.fixture
async def courier(session):
    return RedmineCourier(session, WORDS)


@asynccontextmanager
async def given_up(redmine, parcel: Parcel, method: str) -> AsyncIterator[Proxy]:
    """One attempt that ended while its write was on its way: it arrives when the block says so."""
    async with Proxy(redmine.url) as proxy:
        proxy.held_back = lambda asked, _path: asked == method
        first = session_of(redmine, proxy.url)
        attempt = asyncio.create_task(RedmineCourier(first, WORDS).deliver(parcel))
        await proxy.holding.wait()
        attempt.cancel()
        with suppress(asyncio.CancelledError):
            await attempt
        await first.close()
        yield proxy


async def arrived(proxy: Proxy, method: str) -> None:
    proxy.let_go.set()
    async with asyncio.timeout(PATIENCE_S):
        while method not in [each for each, _ in proxy.calls]:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.05)


async def written_twice(redmine, courier, parcel: Parcel) -> Delivered:
    async with given_up(redmine, parcel, "PUT") as proxy:
        delivered = await courier.deliver(parcel)
        await arrived(proxy, "PUT")
    return delivered


@pytest.mark.parametrize("public", [True, False])
async def test_a_text_that_arrives_late_is_taken_back_before_the_next_one(
    redmine, courier, analyst, public
):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    late = message(number, "late", external_id=theirs, text="Said once.", public=public)
    await written_twice(redmine, courier, late)
    assert await analyst.notes(theirs, public=public) == ["Said once.", "Said once."]
    after = message(number, "after", external_id=theirs, text="And then?", public=public)
    delivered = await courier.deliver(after)
    assert await analyst.notes(theirs, public=public) == ["Said once.", "And then?"]
    assert "taken back" in delivered.receipt
    assert "taken back" not in (await courier.deliver(after)).receipt, "once is enough"


async def test_what_a_late_write_changed_once_more_is_set_back(redmine, courier, analyst):
    """It would end an issue that was reopened meanwhile."""
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    end = message(number, "end", external_id=theirs, text="Solved.", set={"status": "Resolved"})
    async with given_up(redmine, end, "PUT") as proxy:
        await courier.deliver(end)
        await analyst.note(theirs, "It is not.", status="In Progress", priority="Urgent")
        await arrived(proxy, "PUT")
    assert (await analyst.issue(theirs))["status"]["name"] == "Resolved"
    await courier.deliver(message(number, "after", external_id=theirs, text="Oh."))
    assert await analyst.notes(theirs) == ["Solved.", "It is not.", "Oh."]
    issue = await analyst.issue(theirs)
    assert (issue["status"]["name"], issue["priority"]["name"]) == ("In Progress", "Urgent")


async def test_where_our_role_may_not_edit_notes_the_receipt_names_what_stands_twice(
    redmine, session, courier, analyst
):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number, project="NGI_FR"))).external_id
    await written_twice(
        redmine, courier, message(number, "late", external_id=theirs, text="Twice.")
    )
    for event in ("after", "later"):
        delivered = await courier.deliver(message(number, event, external_id=theirs, text=event))
        assert "our role may not edit own notes" in delivered.receipt
    assert await analyst.notes(theirs) == ["Twice.", "Twice.", "after", "later"], "never a third"
    [seen] = await RedmineObserver(session, f"T{number}", WORDS).look([theirs])
    assert ["repeats" in each for each in seen.doubled] == [True], "an operator is told"


async def test_who_compares_takes_back_a_late_text_and_a_late_issue(
    redmine, session, courier, analyst
):
    number = next(_numbers)
    async with given_up(redmine, opening(number), "POST") as proxy:
        theirs = (await courier.deliver(opening(number))).external_id
        await arrived(proxy, "POST")
    await written_twice(redmine, courier, message(number, "late", external_id=theirs))
    holders = await analyst.with_our_number(f"T{number}-{number}")
    assert len(holders) == 2
    [seen] = await RedmineObserver(session, f"T{number}", WORDS).look([theirs])
    assert seen.messages == {f"<open-{number}@hub.test>", "<late@hub.test>"}
    assert await analyst.notes(theirs) == ["some text"]
    await _given_up_as_duplicate(analyst, max(holders), int(theirs))
    assert await analyst.with_our_number(f"T{number}-{number}") == [int(theirs)]


async def test_a_copy_of_somebody_there_is_no_double_of_ours(session, courier, analyst):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    copy = await analyst.open("ROC_DE", "a copy has all fields", ExternalID=f"T{number}-{number}")
    await RedmineObserver(session, f"T{number}", WORDS).look([theirs])
    assert (await analyst.issue(copy))["status"]["name"] == "New"


async def test_after_a_crash_of_ours_late_writes_are_taken_back_as_soon_as_they_are_seen(
    database, redmine, analyst
):
    """An issue and a text, each made once more by what had been on its way when we died."""
    async with Proxy(redmine.url) as proxy:
        async with redmine_hub(database, redmine, url=proxy.url) as hub:
            proxy.held_back = lambda method, path: (method, path) == ("POST", "/issues.json")
            hub.work()
            await hub.polled()
            number = await hub.open_ticket("ROC_DE", subject="Opened once")
            await proxy.holding.wait()
        proxy.held_back = lambda *_: False
        async with redmine_hub(database, redmine) as hub:
            hub.work()
            theirs = await hub.linked_to(number)
            await hub.quiet(number)
            proxy.let_go.set()
            await until(lambda: _opened_again(analyst, "Opened once"))
            await until(lambda: _only(analyst, f"{hub.name}-{number}", theirs))
            proxy.hold_again()
            proxy.held_back = lambda method, _: method == "PUT"
            await hub.execute(c.Comment(number=number, text="Said once."))
            await proxy.holding.wait()
        proxy.held_back = lambda *_: False
        async with redmine_hub(database, redmine) as hub:
            hub.work()
            await hub.quiet(number)
            proxy.let_go.set()
            await until(lambda: _marked_twice(analyst, theirs))
            await until(lambda: _said(analyst, theirs, ["Said once."]))
            assert await hub.events(Exchange.Parked) == []
    [double] = [each for each in await analyst.found(subject="Opened once") if each != theirs]
    await _given_up_as_duplicate(analyst, double, theirs)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.1)


async def _opened_again(analyst: Desk, subject: str) -> bool:
    return len(await analyst.found(subject=subject)) == 2


async def _only(analyst: Desk, ours: str, theirs: int) -> bool:
    return await analyst.with_our_number(ours) == [theirs]


async def _marked_twice(analyst: Desk, theirs: int) -> bool:
    return len(await analyst.steps(theirs, str(CUSTOM["EventID"]))) == 2


async def _said(analyst: Desk, theirs: int, texts: list[str]) -> bool:
    return await analyst.notes(theirs) == texts


async def _given_up_as_duplicate(analyst: Desk, double: int, theirs: int) -> None:
    issue = await analyst.issue(double)
    assert issue["status"]["name"] == "Rejected"
    assert custom(issue, "ExternalID") == ""
    [relation] = issue["relations"]
    assert (relation["relation_type"], relation["issue_to_id"]) == ("duplicates", theirs)
    assert await analyst.notes(double, public=False) == [
        f"This is the same request as #{theirs}: it was created twice."
    ]
