"""What would make a poller of Redmine miss changes, or take them for something else: each on the real server."""

import asyncio
from datetime import datetime, timedelta

import msgspec
import psycopg
import pytest

from adapters.helpdesks.redmine.cursor import Cursor
from adapters.helpdesks.redmine.mapping import Redmine
from adapters.helpdesks.redmine.poller import RedminePoller
from adapters.helpdesks.redmine.words import WORDS
from adapters.kit.contract import Unreadable
from adapters.kit.retry import Undelivered
from domain import clock
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import InterfaceState
from domain.ticket import Ticket
from tests.couriers import everything
from tests.peers.proxy import Proxy
from tests.peers.redmine_scenarios import Desk, redmine_hub, session_of

WRITERS, ENTRIES = 8, 5

pytestmark = pytest.mark.timeout(900)
"""To start Redmine is part of the first test, on however busy a machine."""


@pytest.fixture
async def session(redmine):
    session = session_of(redmine)
    yield session
    await session.close()


@pytest.fixture
async def poller(session):
    return RedminePoller(session, "T", WORDS)


async def nothing(_: str, opened_at: datetime | None = None) -> bool:
    return False


async def rest(poller: RedminePoller, cursor: bytes, known=everything) -> tuple[list, bytes]:
    """All that there is to fetch."""
    messages = []
    while True:
        page = await poller.poll(cursor, known)
        messages += page.messages
        cursor = page.cursor
        if not page.more:
            return messages, cursor


def said(messages: list, issue: int) -> list[str]:
    read = [Redmine().read(each.raw).body for each in messages]
    return [each.change.text for each in read if each.issue.id == issue and each.change.text]


@pytest.mark.slow
async def test_under_eight_writers_every_change_is_found_once(redmine, poller, analyst):
    """Several issues each, several changes a second, two writers at each issue."""
    cursor = (await poller.poll(b"", everything)).cursor
    desks = [Desk(redmine, ("supporter", "customer")[n % 2]) for n in range(WRITERS)]
    issues = [await analyst.open("ROC_DE", "busy", description="first") for _ in range(WRITERS)]

    async def write(who: int, desk: Desk) -> None:
        for n in range(ENTRIES):
            await desk.note(issues[who], f"{who} {n}")
            await desk.note(issues[(who + 1) % WRITERS], f"{who} {n} too")

    writing = asyncio.gather(*(write(who, desk) for who, desk in enumerate(desks)))
    found = []
    while not writing.done():
        some, cursor = await rest(poller, cursor)
        found += some
    await writing
    expected = {
        f"journal:{journal['id']}"
        for issue in issues
        for journal in (await analyst.issue(issue))["journals"]
    } | {f"issue:{issue}" for issue in issues}
    assert len(expected) == WRITERS * (2 * ENTRIES + 1)
    async with asyncio.timeout(60):  # what was young is looked at once more
        while len(found) < len(expected):
            some, cursor = await rest(poller, cursor)
            found += some
    names = [each.message_id.rpartition(":")[0] for each in found]
    assert set(names) >= expected
    assert len(names) == len(set(names))
    for issue in issues:
        numbers = [
            int(name.removeprefix("journal:"))
            for name, each in zip(names, found, strict=True)
            if name.startswith("journal") and Redmine().read(each.raw).external_id == str(issue)
        ]
        assert numbers == sorted(numbers), "in their order"
    for desk in desks:
        await desk.__aexit__()


async def test_two_changes_in_one_second_with_a_look_between_them_are_both_found(
    redmine, poller, analyst, monkeypatch
):
    # Longer than a busy machine needs for the second change.
    monkeypatch.setattr("adapters.helpdesks.redmine.cursor.YOUNG", timedelta(seconds=12))
    theirs = await analyst.open("ROC_DE", "same second")
    _, cursor = await rest(poller, (await poller.poll(b"", everything)).cursor)
    await asyncio.sleep(1.1)  # not in the second in which the issue was made
    await analyst.note(theirs, "one")
    first: list = []
    async with asyncio.timeout(60):
        while not said(first, theirs):
            first, cursor = await rest(poller, cursor)
    assert said(first, theirs) == ["one"]
    await analyst.note(theirs, "two")
    # However slow this machine is: both bear the second of the first one.
    async with await psycopg.AsyncConnection.connect(redmine.database()) as connection:
        await connection.execute(
            "UPDATE journals SET created_on = (SELECT min(created_on) FROM journals WHERE journalized_id = %s)"
            " WHERE journalized_id = %s",
            [theirs, theirs],
        )
        await connection.execute(
            "UPDATE issues SET updated_on = (SELECT min(created_on) FROM journals WHERE journalized_id = %s)"
            " WHERE id = %s",
            [theirs, theirs],
        )
    second: list = []
    async with asyncio.timeout(60):
        while "two" not in said(second, theirs):
            some, cursor = await rest(poller, cursor)
            second += some
    assert said(second, theirs) == ["two"]
    at = msgspec.json.decode(cursor, type=Cursor)
    assert at.seen[theirs].again_at is None, "it is not looked at for ever"


async def test_a_change_that_is_committed_late_is_found(redmine, poller, analyst):
    """Its time is that of its beginning: what was changed meanwhile has a later one."""
    late = await analyst.open("ROC_DE", "late")
    _, cursor = await rest(poller, (await poller.poll(b"", everything)).cursor)
    async with await psycopg.AsyncConnection.connect(redmine.database()) as connection:
        await connection.execute(
            "INSERT INTO journals (journalized_id, journalized_type, user_id, notes, created_on)"
            " VALUES (%s, 'Issue', (SELECT id FROM users WHERE login = 'supporter'), 'slow',"
            " now() AT TIME ZONE 'UTC' - interval '20 s')",
            [late],
        )
        await connection.execute(
            "UPDATE issues SET updated_on = now() AT TIME ZONE 'UTC' - interval '20 s' WHERE id = %s",
            [late],
        )
        sooner = await analyst.open("ROC_DE", "sooner", description="sooner")
        found, cursor = await rest(poller, cursor)
        assert said(found, sooner) == ["sooner"]
        await connection.commit()
    # The beginning is not older than that here: move it, as if we were at it for an hour.
    at = msgspec.json.decode(cursor, type=Cursor)
    at.begun -= timedelta(hours=1)
    at.settled -= timedelta(hours=1)
    found, _ = await rest(poller, msgspec.json.encode(at))
    assert said(found, late) == ["slow"]


async def test_more_issues_than_a_page_holds_all_in_one_second_are_all_found(
    redmine, session, poller, analyst
):
    begun = (await poller.poll(b"", everything)).cursor
    await analyst.open("To_GGUS", "many")
    async with await psycopg.AsyncConnection.connect(redmine.database()) as connection:
        await connection.execute(
            "INSERT INTO issues (tracker_id, project_id, subject, status_id, priority_id, author_id, lock_version,"
            " created_on, updated_on, root_id, lft, rgt, is_private, done_ratio)"
            " SELECT tracker_id, project_id, 'many', status_id, priority_id, author_id, 0, date_trunc('second', created_on),"
            " date_trunc('second', updated_on), NULL, 1, 2, false, 0"
            " FROM issues, generate_series(1, 104) WHERE subject = 'many'"
        )
    found, cursor = await rest(poller, begun, nothing)
    assert len({each.message_id for each in found}) == len(found) == 105
    assert (await rest(poller, cursor, nothing))[0] == []
    assert len((await session.issues(limit=500)).issues) == 100, "the cap"
    async with await psycopg.AsyncConnection.connect(redmine.database()) as connection:
        await connection.execute("DELETE FROM issues WHERE subject = 'many'")


async def test_an_issue_too_large_to_be_read_is_loud_and_keeps_no_other_waiting(
    session, poller, analyst, monkeypatch
):
    _, cursor = await rest(poller, (await poller.poll(b"", everything)).cursor)
    monkeypatch.setattr(session._api, "_bytes_max", 60_000)
    large = await analyst.open("To_GGUS", "large", description="x" * 40_000)
    for n in range(3):
        await analyst.note(large, f"{n}" * 20_000)
    after = await analyst.open("To_GGUS", "after", description="small")
    found, _ = await rest(poller, cursor, nothing)
    assert {each.message_id.rpartition(":")[0] for each in found} == {
        f"too-large:{large}", f"issue:{after}",
    }  # fmt: skip
    [parked] = [each for each in found if each.message_id.startswith("too-large")]
    with pytest.raises(Unreadable):
        Redmine().read(parked.raw)


async def test_an_issue_moved_to_us_in_the_second_in_which_it_was_made_is_found(
    redmine, poller, analyst
):
    _, cursor = await rest(poller, (await poller.poll(b"", everything)).cursor)
    theirs = await analyst.open("ROC_DE", "moved", description="It is about x.")
    some, cursor = await rest(poller, cursor, nothing)
    assert some == [], "not ours yet"
    await analyst.note(theirs, "For the hub.", project="To_GGUS")
    async with await psycopg.AsyncConnection.connect(redmine.database()) as connection:
        await connection.execute(
            "UPDATE issues SET updated_on = created_on WHERE id = %s", [theirs]
        )
        await connection.execute(
            "UPDATE journals SET created_on = (SELECT created_on FROM issues WHERE id = journalized_id)"
            " WHERE journalized_id = %s",
            [theirs],
        )
    found: list = []
    async with asyncio.timeout(60):
        while not found:
            found, cursor = await rest(poller, cursor, nothing)
    assert said(found, theirs)[0].startswith("It is about x.")


async def test_closed_issues_are_listed_too(poller, analyst):
    _, cursor = await rest(poller, (await poller.poll(b"", everything)).cursor)
    theirs = await analyst.open("ROC_DE", "closed", description="x")
    await analyst.note(theirs, "The end.", status="Closed")
    found, _ = await rest(poller, cursor)
    assert said(found, theirs) == ["x", "The end."]


async def test_when_nothing_can_be_late_any_more_the_same_changes_are_not_asked_for_again(
    poller, analyst, monkeypatch
):
    await analyst.open("ROC_DE", "old")
    _, cursor = await rest(poller, (await poller.poll(b"", everything)).cursor)
    now = clock.now()
    for hours in (1, 2):
        with clock.using(lambda hours=hours: now + timedelta(hours=hours)):
            _, cursor = await rest(poller, cursor)
    at = msgspec.json.decode(cursor, type=Cursor)
    assert (at.seen, at.least > at.since) == ({}, True)


async def test_private_notes_are_internal_and_their_other_changes_are_not(
    database, redmine, analyst
):
    """Redmine makes two entries of one: the changes for all, the text for its desk."""
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        number = await hub.open_ticket("ROC_DE")
        theirs = await hub.linked_to(number)
        await analyst.note(theirs, "Not for users.", private_notes=True, status="Resolved")
        [solved] = await hub.wait_for(Ticket.Solved, seconds=60)
        assert "no public text" in await hub.text(solved.solution)
        [noted] = await hub.wait_for(Ticket.Commented, seconds=60)
        assert (await hub.text(noted.text), noted.visibility) == ("Not for users.", "internal")


async def test_a_state_that_was_never_agreed_on_parks_the_message(database, redmine, analyst):
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        number = await hub.open_ticket("ROC_DE")
        theirs = await hub.linked_to(number)
        async with await psycopg.AsyncConnection.connect(
            redmine.database(), autocommit=True
        ) as connection:
            await connection.execute("UPDATE issue_statuses SET name = 'Limbo' WHERE id = 4")
            try:
                await hub.rest()
                await hub.parts.carriers.close()  # names are asked for once a session
                hub.work()
                await analyst.change(theirs, status="Feedback")
                [parked] = await hub.wait_for(Exchange.Parked, seconds=60)
            finally:
                await connection.execute("UPDATE issue_statuses SET name = 'Feedback' WHERE id = 4")
        assert parked.code == "unreadable"
        assert "'Limbo'" in await hub.text(parked.detail)


async def test_a_page_where_an_answer_should_be_is_asked_for_again(database, redmine, analyst):
    async with Proxy(redmine.url) as proxy, redmine_hub(database, redmine, url=proxy.url) as hub:
        hub.work()
        number = await hub.open_ticket("ROC_DE")
        theirs = await hub.linked_to(number)
        await hub.polled()
        proxy.trouble = lambda _method, _path: "html"
        health = hub.parts.worker.pollers.health["redmine"]
        async with asyncio.timeout(60):
            while not health.failures:
                await hub.wakeup.wait(await hub.store.head(), 0.1)
        assert health.last_error.startswith("no-json")
        await analyst.note(theirs, "while you could not hear")
        proxy.trouble = lambda _method, _path: ""
        [commented] = await hub.wait_for(Ticket.Commented, seconds=60)
        assert await hub.text(commented.text) == "while you could not hear"


async def test_a_redirection_to_a_page_for_people_is_no_answer(session, monkeypatch):
    async def elsewhere(*_: object, **__: object):
        return type("Answer", (), {"status": 302, "headers": {"location": "https://sso.test/"}})()

    monkeypatch.setattr(session._api, "call", elsewhere)
    with pytest.raises(Undelivered, match=r"sso\.test") as failure:
        await session.issues()
    assert (failure.value.code, failure.value.final) == ("redirected", False)


async def test_a_paused_partner_is_not_asked_and_nothing_of_that_time_is_lost(
    database, redmine, analyst
):
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        number = await hub.open_ticket("ROC_DE")
        theirs = await hub.linked_to(number)
        await hub.polled()
        await hub.set_interface(InterfaceState.PAUSED)
        await analyst.note(theirs, "while you were away")
        await hub.execute(c.Comment(number=number, text="while we were away"))
        await hub.set_interface(InterfaceState.LIVE)
        await hub.wait_for(Ticket.Commented, 2, seconds=60)
        await hub.quiet(number)
        assert sorted(await analyst.notes(theirs)) == ["while we were away", "while you were away"]


async def test_their_forged_number_does_not_reach_a_ticket_that_is_not_theirs(
    database, redmine, analyst
):
    async with redmine_hub(database, redmine) as hub:
        hub.work()
        number = await hub.open_ticket("NGI_DE")
        await hub.polled()
        theirs = await analyst.open("ROC_DE", "mine now", ExternalID=f"{hub.name}-{number}")
        await analyst.change(theirs, status="Resolved")
        refused = await hub.wait_for(Exchange.MessageRefused, 2, seconds=60)
        assert {each.code for each in refused} == {"not-exchanged"}
        assert await hub.events(Ticket.Solved) == []
