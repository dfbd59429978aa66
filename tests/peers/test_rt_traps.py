"""What Request Tracker does that would lose, double or spoil tickets: each trap by name, on the real server."""

import asyncio
import itertools
from datetime import datetime, timedelta

import psycopg
import pytest

from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.mapping import Rt
from adapters.helpdesks.rt.poller import RtPoller
from adapters.kit.retry import Undelivered
from adapters.store.secrets import HelpdeskSecrets
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import InterfaceState
from domain.ticket import Ticket
from tests.couriers import everything, killed_after
from tests.exchange_scenarios import RULE, by_test
from tests.peers.rt_scenarios import Desk, custom, message, opening, rt_hub, session_of

_numbers = itertools.count(1000)


@pytest.fixture
async def session(request_tracker):
    session = session_of(request_tracker)
    yield session
    await session.close()


@pytest.fixture
async def courier(session):
    return RtCourier(session, settle_s=0)


async def holders(desk: Desk, number: int) -> list[int]:
    return await desk.found(f"'CF.{{ExternalID}}' = 'T{number}-{number}'")


# -- writing ---------------------------------------------------------------------------------------------


async def test_a_refusal_under_status_200_parks_the_message_with_their_words(
    database, request_tracker
):
    async with rt_hub(database, request_tracker, units=["ROC_DE", "NGI_DE"]) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        await ours.linked_to(number)
        await ours.execute(c.Assign(number=number, unit="NGI_DE"))
        [parked] = await ours.wait_for(Exchange.Parked)
        assert parked.code == "refused"
        assert "NGI_DE" in await ours.text(parked.detail)


async def test_a_queue_that_they_do_not_have_parks_the_opening(database, request_tracker):
    async with rt_hub(database, request_tracker, units=["NGI_DE"]) as ours:
        ours.work()
        await ours.open_ticket("NGI_DE")
        [parked] = await ours.wait_for(Exchange.Parked)
        assert parked.code == "forbidden"
        assert "NGI_DE" in await ours.text(parked.detail)


async def test_an_unknown_custom_field_is_dropped_in_silence_and_the_receipt_says_so(courier):
    delivered = await courier.deliver(opening(next(_numbers), custom={"Nobody": "knows"}))
    assert delivered.receipt.endswith("created; not taken: Nobody")


async def test_without_the_field_for_our_number_no_ticket_stays_behind(
    request_tracker, courier, supporter
):
    number = next(_numbers)
    async with Desk(request_tracker, "root") as root:
        some = await supporter.ticket(await supporter.open("ROC_DE", "any", Content="x"))
        [field] = [each["id"] for each in some["CustomFields"] if each["name"] == "ExternalID"]
        await root.say("PUT", f"/customfield/{field}", Disabled=1)
        try:
            for _ in range(2):
                with pytest.raises(Undelivered) as failure:
                    await courier.deliver(opening(number, subject=f"orphan {number}"))
                assert (failure.value.code, failure.value.final) == ("no-field", True)
        finally:
            await root.say("PUT", f"/customfield/{field}", Disabled=0)
    assert await supporter.found(f"Subject = 'orphan {number}' AND Status != 'deleted'") == []


async def test_a_second_ticket_with_our_number_is_never_made(courier, bridge):
    number = next(_numbers)
    delivered = await asyncio.gather(*(courier.deliver(opening(number)) for _ in range(4)))
    assert len({each.external_id for each in delivered}) == 1
    assert await holders(bridge, number) == [int(delivered[0].external_id)]


async def test_tickets_that_raced_for_our_number_are_merged_into_one(
    request_tracker, courier, bridge
):
    number = next(_numbers)
    desks = [await Desk(request_tracker, "bridge").__aenter__() for _ in range(4)]
    made = await asyncio.gather(
        *(
            desk.open("ROC_DE", f"race {number}", Content="x",
                      CustomFields={"ExternalID": f"T{number}-{number}"})
            for desk in desks
        )
    )  # fmt: skip
    assert len(set(made)) == 4, "RT made one for each"
    delivered = await courier.deliver(opening(number))
    assert await holders(bridge, number) == [int(delivered.external_id)]
    for desk in desks:
        await desk.__aexit__()


async def test_a_create_that_loses_the_race_is_merged_into_the_winner(
    courier, bridge, supporter, monkeypatch
):
    number = next(_numbers)
    honest = RtCourier._create

    async def late(self, document):
        await bridge.open(
            "ROC_DE", "faster", Content="x", CustomFields={"ExternalID": document.external_id}
        )
        return await honest(self, document)

    monkeypatch.setattr(RtCourier, "_create", late)
    delivered = await courier.deliver(opening(number, subject=f"slower {number}"))
    assert await holders(bridge, number) == [int(delivered.external_id)]
    assert await supporter.found(f"Subject = 'slower {number}'") == [], "merged"


async def test_what_somebody_changed_there_meanwhile_keeps_the_last_word(courier, supporter):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    work = message(number, "work", external_id=theirs, set={"Status": "open"})
    await courier.deliver(work)
    await supporter.change(theirs, Status="stalled")
    delivered = await courier.deliver(work)
    assert delivered.receipt.endswith("overtaken: Status")
    assert (await supporter.ticket(theirs))["Status"] == "stalled"
    assert len(await supporter.texts(theirs, "Correspond")) == 1


async def test_a_crash_between_any_two_steps_creates_and_writes_nothing_twice(
    request_tracker, supporter, monkeypatch
):
    """After each call that changes something, and then once more as after a restart.

    A crash after a call that only asks leaves RT as the one after the change before it.
    """
    for step in itertools.count(1):
        number = next(_numbers)
        with killed_after(step, monkeypatch, changing=True) as killed:
            await _open_and_solve(request_tracker, number)
        theirs = await _open_and_solve(request_tracker, number)
        assert await holders(supporter, number) == [int(theirs)], step
        assert await supporter.found(f"Subject = 'crash {number}'") == [int(theirs)], step
        assert await supporter.texts(theirs, "Correspond") == ["The end."], step
        ticket = await supporter.ticket(theirs)
        assert (ticket["Status"], ticket["Priority"]) == ("resolved", "70"), step
        if not killed.was:
            break
    assert step > 4, "log in, create, write, change"


async def _open_and_solve(request_tracker, number: int) -> str:
    """As a fresh process would."""
    session = session_of(request_tracker)
    try:
        courier = RtCourier(session, settle_s=0)
        theirs = (await courier.deliver(opening(number, subject=f"crash {number}"))).external_id
        await courier.deliver(
            message(
                number, f"end-{number}", external_id=theirs, text="The end.",
                set={"Status": "resolved", "Priority": "70"},
            )
        )  # fmt: skip
        return theirs
    finally:
        await session.close()


# -- asking ----------------------------------------------------------------------------------------------


async def test_a_transaction_that_commits_after_later_ones_is_found(
    request_tracker, session, supporter
):
    """RT numbers its transactions from a sequence: 12 may be visible before 11."""
    theirs = await supporter.open("ROC_DE", "late", Content="x")
    poller = RtPoller(session, "T")
    cursor = (await poller.poll(b"", everything)).cursor
    async with await psycopg.AsyncConnection.connect(request_tracker.database()) as connection:
        row = await connection.execute(
            "INSERT INTO transactions (objecttype, objectid, type, creator, created) VALUES"
            " ('RT::Ticket', %s, 'Comment', (SELECT id FROM users WHERE name = 'supporter'),"
            " now() AT TIME ZONE 'UTC') RETURNING id",
            [theirs],
        )
        [late] = await row.fetchone()
        await supporter.comment(theirs, "sooner")
        found = await poller.poll(cursor, everything)
        [sooner] = found.messages
        assert int(sooner.message_id.split(":")[1]) > late
        await connection.commit()
    found = await poller.poll(found.cursor, everything)
    assert [each.message_id.split(":")[1] for each in found.messages] == [str(late)]
    assert (await poller.poll(found.cursor, everything)).messages == []


async def test_under_eight_writers_every_transaction_is_found_once(
    request_tracker, session, supporter
):
    poller = RtPoller(session, "T")
    cursor = (await poller.poll(b"", everything)).cursor
    desks = [await Desk(request_tracker, "supporter").__aenter__() for _ in range(8)]
    tickets = [await desk.open("ROC_DE", "busy", Content="x") for desk in desks]

    async def write(desk: Desk, ticket: int) -> None:
        for n in range(4):
            await desk.comment(ticket, f"entry {n}")

    writing = asyncio.gather(*map(write, desks, tickets))
    found: list[str] = []
    while True:
        ended = writing.done()
        page = await poller.poll(cursor, everything)
        cursor = page.cursor
        found += [each.message_id.rpartition(":")[0] for each in page.messages]
        if ended and not page.more:
            break
    await writing
    there = {
        f"txn:{row['id']}"
        for ticket in tickets
        for row in await supporter.transactions(ticket, "Create", "Comment")
    }
    assert len(there) == 40
    assert there <= set(found)
    assert len(found) == len(set(found))
    for desk in desks:
        await desk.__aexit__()


async def test_the_time_zone_of_our_account_changes_nothing(session, bridge, supporter):
    poller = RtPoller(session, "T")
    cursor = (await poller.poll(b"", everything)).cursor
    await bridge.say("PUT", "/user/bridge", Timezone="Pacific/Auckland")
    try:
        theirs = await supporter.open("ROC_DE", "zones", Content="x")
        [found] = (await poller.poll(cursor, everything)).messages
    finally:
        await bridge.say("PUT", "/user/bridge", Timezone="UTC")
    created = datetime.fromisoformat((await supporter.ticket(theirs))["Created"])
    assert found.sent_at is not None
    assert abs(found.sent_at - created) < timedelta(minutes=2)


async def test_a_lost_push_loses_nothing_and_one_that_arrives_saves_the_wait(
    database, request_tracker, supporter
):
    calls = 0

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await reader.readuntil(b"\r\n\r\n")
        calls += 1
        ours.parts.worker.pollers.hint("rt")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with rt_hub(database, request_tracker, poll_every_s=6) as ours:
        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            ours.work()
            number = await ours.open_ticket("ROC_DE")
            theirs = await ours.linked_to(number)
            await ours.polled()
            request_tracker.hint(f"http://127.0.0.1:{port}/")
            await supporter.reply(theirs, "with a hint")
            await ours.wait_for(Ticket.Commented)
            assert calls
            server.close()
            await supporter.reply(theirs, "nobody was told")
            await ours.wait_for(Ticket.Commented, 2, seconds=30)
        finally:
            request_tracker.hint()
            server.close()


async def test_a_ticket_merged_there_goes_on_with_the_one_that_is_left(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        other = await supporter.open("ROC_DE", "the same", Content="x")
        await supporter.change(theirs, MergeInto=other)
        [noted] = await ours.wait_for(Ticket.Commented)
        assert (
            await ours.text(noted.text) == f"The partner merged its ticket {theirs} into {other}."
        )
        assert noted.visibility == "internal"
        await supporter.reply(other, "It goes on here.")
        await ours.wait_for(Ticket.Commented, 2)
        await ours.execute(c.Comment(number=number, text="Fine."))
        exchange = await ours.quiet(number)
        assert exchange.external_id == str(other)
        assert await supporter.texts(other, "Correspond") == ["It goes on here.", "Fine."]
        assert len(await ours.events(Exchange.Opened)) == 1, "no second conversation"


async def test_a_ticket_that_ours_is_merged_into_is_theirs_alone_until_then(session, supporter):
    first = await supporter.open("ROC_DE", "known", Content="x")

    async def known(external_id: str, opened_at: datetime | None = None) -> bool:
        return external_id == str(first)

    poller = RtPoller(session, "T")
    cursor = (await poller.poll(b"", known)).cursor
    second = await supporter.open("ROC_DE", "not known", Content="x")
    await supporter.reply(second, "before")
    await supporter.change(first, MergeInto=second)
    await supporter.reply(second, "after")
    found = (await poller.poll(cursor, known)).messages
    read = [Rt().read(each.raw) for each in found]
    assert [each.body.transaction.type for each in read] == ["AddLink", "Correspond"]
    assert (read[0].external_id, read[0].moved_to) == (str(first), str(second))
    assert read[1].body.texts[0].text == "after"


async def test_a_ticket_deleted_there_is_said_here_and_parks_what_is_sent(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await supporter.change(theirs, Status="deleted")
        [noted] = await ours.wait_for(Ticket.Commented)
        assert await ours.text(noted.text) == f"The partner deleted its ticket {theirs}."
        assert (await ours.rt_exchange(number)).remote_state == "deleted"
        await ours.execute(c.Comment(number=number, text="Hello?"))
        [parked] = await ours.wait_for(Exchange.Parked)
        assert parked.code == "deleted-there"


async def test_their_forged_number_does_not_reach_a_ticket_that_is_not_theirs(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket("NGI_DE")
        await ours.polled()
        forged = {"ExternalID": f"{ours.name}-{number}"}
        theirs = await supporter.open("ROC_DE", "mine now", Content="x", CustomFields=forged)
        await supporter.change(theirs, Status="resolved")
        refused = await ours.wait_for(Exchange.MessageRefused, 2)
        assert {each.code for each in refused} == {"not-exchanged"}
        assert await ours.events(Ticket.Solved) == []


async def test_a_paused_partner_is_not_asked_and_nothing_of_that_time_is_lost(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.polled()
        await ours.set_interface(InterfaceState.PAUSED)
        health, asked_at = ours.parts.worker.pollers.health["rt"], None
        while asked_at != health.asked_at:  # whatever was being asked is answered
            asked_at = health.asked_at
            await asyncio.sleep(1)
        await supporter.reply(theirs, "while you were away")
        await ours.execute(c.Comment(number=number, text="while we were away"))
        await asyncio.sleep(1)
        assert health.asked_at == asked_at
        assert await ours.events(Ticket.Commented, Exchange.Failed) == [
            each
            for each in await ours.events(Ticket.Commented)
            if each.provenance.actor == RULE.name
        ]
        await ours.set_interface(InterfaceState.LIVE)
        await ours.wait_for(Ticket.Commented, 2)
        await ours.quiet(number)
        assert await supporter.texts(theirs, "Correspond") == [
            "while you were away", "while we were away",
        ]  # fmt: skip


# -- being let in ----------------------------------------------------------------------------------------


async def test_a_wrong_secret_keeps_messages_waiting_until_the_right_one_is_there(
    database, request_tracker
):
    async with rt_hub(database, request_tracker, password="wrong") as ours:
        ours.work()
        number = await ours.open_ticket("ROC_DE")
        [failed, *_] = await ours.wait_for(Exchange.Failed)
        assert failed.code == "unauthorised"
        async with asyncio.timeout(20):
            while not (health := ours.parts.worker.pollers.health["rt"]).failures:
                await ours.wakeup.wait(await ours.store.head(), 0.1)
        assert health.last_error.startswith("unauthorised")
        await HelpdeskSecrets(ours.store).keep("rt", request_tracker.passwords["bridge"])
        await ours.linked_to(number)
        assert await ours.events(Exchange.Parked) == []
        assert "wrong" not in str(await ours.events(Exchange))


async def test_a_session_that_they_forgot_is_renewed(request_tracker, courier):
    await courier.deliver(opening(next(_numbers)))
    async with await psycopg.AsyncConnection.connect(request_tracker.database()) as connection:
        await connection.execute("DELETE FROM sessions")
    delivered = await courier.deliver(opening(next(_numbers)))
    assert delivered.receipt.endswith("created")


async def test_a_message_before_the_opening_that_was_skipped_says_so(database, request_tracker):
    async with rt_hub(database, request_tracker, units=["NGI_DE"]) as ours:
        ours.work()
        number = await ours.open_ticket("NGI_DE")
        [parked] = await ours.wait_for(Exchange.Parked)
        await ours.execute(c.Comment(number=number, text="later"))
        with by_test():
            await ours.hand.resume(RULE, parked.originator_id, parked.reference, skip=True)
        parked = await ours.wait_for(Exchange.Parked, 2)
        assert parked[1].code == "not-open-there"


async def test_their_number_for_ours_is_the_field_that_people_see(courier, supporter):
    number = next(_numbers)
    theirs = (await courier.deliver(opening(number))).external_id
    assert custom(await supporter.ticket(theirs), "ExternalID") == f"T{number}-{number}"
