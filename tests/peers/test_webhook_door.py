"""What comes to the door of webhooks: partners, forgers, floods, and messages in every state of disorder."""

import asyncio
import json

import pytest

from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Policy
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.peers.webhook_scenarios import KEY, OTHER_KEY, Partner, hub

TICKET = {"id": "4711", "state": "new", "subject": "Gatekeeper down", "description": "Since noon."}


@pytest.fixture
async def ours(database):
    async with hub(database, "GGUS") as running:
        # Nothing listens there: what goes out waits.
        await running.partner("desk", "http://127.0.0.1:9/events", ["ROC_US"])
        yield running


@pytest.fixture
async def partner(ours):
    made = Partner(ours.address("desk"))
    yield made
    await made.close()


async def received(ours) -> int:
    return len(await ours.events(Exchange.MessageReceived))


async def linked(ours, partner, unit: str = "ROC_US") -> int:
    """A ticket of ours that the partner has as 4711; its number."""
    number = await ours.open_ticket(unit)
    await ours.wait_for(Exchange.DispatchDecided)
    event = partner.event("linked", {"id": "4711", "state": "new"}, yours=f"GGUS-{number}")
    assert (await partner.send(event)).status_code == 202
    await ours.wait_for(Exchange.Linked)
    return number


async def test_a_ticket_of_theirs_is_opened_once_however_often_it_is_sent(ours, partner):
    event = partner.event(
        "opened", TICKET, submitter={"mail": "somebody@example.org"}, hops="XNGI-4"
    )
    first = await partner.send(event)
    assert first.status_code == 202, first.text
    assert set(first.json()) == {"exchange", "position", "received_at"}
    [opened] = await ours.wait_for(Ticket.Opened)
    assert await ours.text(opened.subject) == "Gatekeeper down"
    assert opened.submitter is not None
    again = await partner.send(event)
    assert (again.status_code, again.content) == (204, b"")
    other = await partner.send(event | {"time": "2026-03-02T10:00:00Z"})
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")
    assert await received(ours) == 1
    exchange = await ours.exchange("desk", opened.number)
    assert (exchange.external_id, exchange.remote_state) == ("4711", "new")


async def test_both_modes_are_read_and_what_is_kept_is_what_came(ours, partner):
    number = await linked(ours, partner)
    event = partner.event("commented", {"id": "4711"}, text="grüße ✓")
    assert (await partner.send_binary(event)).status_code == 202
    await ours.wait_for(Ticket.Commented)
    assert await ours.texts(Ticket.Commented, "text") == ["grüße ✓"]
    *_, last = await ours.events(Exchange.MessageReceived)
    raw = (await ours.store.contents([last.raw.id]))[last.raw.id]
    assert raw.media_type == "message/http"
    head, _, body = raw.body.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/partners/desk/events HTTP/1.1\r\n")
    assert json.loads(body) == event["data"]
    assert b"ce-type: org.ticketledger.ticket.commented" in head
    assert b"webhook-signature: v1," in head
    forged = partner.event("commented", {"id": "4711"}, text="again")
    answer = await partner.send_binary(forged, **{"ce-id": "another"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no-cloud-event")
    del number


@pytest.mark.parametrize(
    "sending",
    [
        {"at": -400},
        {"at": 400},
        {"spoil": lambda _: {}},
        {"spoil": lambda h: h | {"webhook-signature": "v1,AAAA"}},
        {"spoil": lambda h: h | {"webhook-signature": h["webhook-signature"].replace("v1,", "v1a,")}},
        {"spoil": lambda h: h | {"webhook-id": "another"}},
        {"spoil": lambda h: h | {"webhook-timestamp": str(int(h["webhook-timestamp"]) + 1)}},
        {"spoil": lambda h: h | {"webhook-timestamp": "tomorrow"}},
        {"spoil": lambda h: h | {"webhook-id": "x" * 300}},
    ],
    ids=["old", "of the future", "unsigned", "wrong", "another scheme", "other id", "other time", "no time", "long id"],
)  # fmt: skip
async def test_what_is_not_signed_lately_is_not_kept(ours, partner, sending):
    answer = await partner.send(partner.event("opened", TICKET), **sending)
    assert (answer.status_code, answer.json()["code"]) == (401, "not-signed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await received(ours) == 0


async def test_strangers_do_not_learn_who_is_a_partner(ours, partner):
    await ours.partner("silent", "https://desk.example.org/events", secret="nonsense")
    answers = []
    for name in ("desk", "silent", "nobody"):
        stranger = Partner(ours.address(name), OTHER_KEY)
        answers.append(await stranger.send(stranger.event("opened", TICKET)))
        await stranger.close()
    assert {(each.status_code, each.text) for each in answers} == {(401, answers[0].text)}
    assert await received(ours) == 0


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"<html>busy</html>", {}, 422, "no-cloud-event"),
        (b"[]", {}, 422, "no-cloud-event"),
        (b'{"specversion": "0.3", "id": "1", "source": "s", "type": "t"}', {}, 422, "no-cloud-event"),
        (b'{"specversion": "1.0", "source": "s", "type": "t"}', {}, 422, "no-cloud-event"),
        (b"{" * 100_000, {}, 422, "no-cloud-event"),
        (b"{}", {"content-type": "application/json"}, 422, "no-cloud-event"),
        (b"\x1f\x8b\x00", {"content-encoding": "gzip"}, 415, "encoded"),
        (b" " * 9_000_001, {}, 413, "too-large"),
    ],
)  # fmt: skip
async def test_what_is_no_event_is_refused_at_once(ours, partner, body, headers, status, code):
    answer = await partner.send(body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await received(ours) == 0


async def test_a_flood_is_slowed_down_and_nobody_else_with_it(database):
    async with hub(database, "GGUS", partner_messages_per_s_max=0.5) as ours:
        await ours.partner("desk", "http://127.0.0.1:9/events")
        await ours.partner("quiet", "http://127.0.0.1:9/events")
        loud, quiet = Partner(ours.address("desk")), Partner(ours.address("quiet"))
        answers = [
            await loud.send(loud.event("commented", {"id": "1"}, text=str(n))) for n in range(30)
        ]
        statuses = {each.status_code for each in answers}
        assert statuses == {202, 429}
        [refused, *_] = [each for each in answers if each.status_code == 429]
        assert refused.json()["code"] == "too-many"
        assert int(refused.headers["retry-after"]) >= 1
        assert (await quiet.send(quiet.event("opened", TICKET))).status_code == 202
        await loud.close()
        await quiet.close()


async def test_a_state_that_was_not_agreed_on_parks_its_conversation_alone(ours, partner):
    number = await linked(ours, partner)
    other = await partner.send(partner.event("opened", TICKET | {"id": "4712"}))
    assert other.status_code == 202
    await ours.wait_for(Ticket.Opened, 2)
    event = partner.event("updated", {"id": "4711", "state": "quantum"}, changed=["state"])
    assert (await partner.send(event)).status_code == 202
    [parked] = await ours.wait_for(Exchange.Parked)
    assert parked.code == "unreadable"
    assert "quantum" in await ours.text(parked.detail)
    await partner.send(partner.event("commented", {"id": "4711"}, text="waits"))
    await partner.send(partner.event("commented", {"id": "4712"}, text="goes on"))
    await ours.wait_for(Ticket.Commented)
    assert await ours.texts(Ticket.Commented, "text") == ["goes on"]
    assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED


async def test_a_partner_reaches_no_ticket_that_is_not_exchanged_with_it(ours, partner):
    secret = await ours.open_ticket("NGI_DE")
    number = await linked(ours, partner)
    wrong = [
        partner.event("commented", {"id": "66"}, yours=f"GGUS-{secret}", text="hello"),
        partner.event("commented", {"id": "67"}, yours=f"GGUS-{number}", text="hello"),
        partner.event("commented", {"id": "4711"}, yours=f"EVIL-{number}", text="hello"),
        partner.event("opened", {**TICKET, "id": f"GGUS-{secret}"}),
    ]
    for event in wrong:
        assert (await partner.send(event)).status_code == 202
    refused = await ours.wait_for(Exchange.MessageRefused, 4)
    assert sorted(each.code for each in refused) == [
        "link-conflict", "malformed", "malformed", "not-exchanged",
    ]  # fmt: skip
    assert await ours.events(Ticket.Commented) == []
    assert len(await ours.events(Ticket.Opened)) == 2


async def test_events_that_come_late_do_not_undo_later_ones(ours, partner):
    number = await linked(ours, partner)
    later = partner.event(
        "updated", {"id": "4711", "version": 9, "state": "solved"}, changed=["state"], text="Fixed."
    )
    early = partner.event(
        "updated", {"id": "4711", "version": 8, "state": "on hold", "priority": "urgent"},
        changed=["state", "priority"], text="We wait.",
    )  # fmt: skip
    await partner.send(later)
    await ours.wait_for(Ticket.Solved)
    await partner.send(early)
    await ours.wait_for(Ticket.Commented)
    ticket = await ours.ledger.ticket(number)
    assert ticket.status is Status.SOLVED
    assert ticket.priority.value == "less urgent"
    assert await ours.texts(Ticket.Commented, "text") == ["We wait."]


async def test_an_update_that_comes_before_the_opening_opens_the_ticket_where_it_can(ours, partner):
    lone = partner.event("updated", {"id": "1", "state": "in progress"}, changed=["state"])
    await partner.send(lone)
    [ignored] = await ours.wait_for(Exchange.Ignored)
    assert ignored.why == "unknown-ticket"
    await partner.send(partner.event("commented", TICKET, text="And since then?"))
    [opened] = await ours.wait_for(Ticket.Opened)
    assert await ours.text(opened.description) == "Since noon.\n\nAnd since then?"
    await partner.send(partner.event("opened", TICKET))
    found = await ours.wait_for(Exchange.Ignored, 2)
    assert found[-1].why == "opened-before"


async def test_their_ticket_may_be_merged_reopened_and_deleted(ours, partner):
    number = await linked(ours, partner)
    await partner.send(partner.event("merged", {"id": "4711"}, into="4000"))
    await ours.wait_for(Ticket.Commented)
    moved = partner.event(
        "updated", {"id": "4000", "state": "solved"}, changed=["state"], text="Done."
    )
    await partner.send(moved)
    await ours.wait_for(Ticket.Solved)
    again = partner.event("updated", {"id": "4000", "state": "in progress"}, changed=["state"])
    await partner.send(again)
    await ours.wait_for(Ticket.Reopened)
    await partner.send(partner.event("deleted", {"id": "4000"}))
    entries = await ours.wait_for(Ticket.Commented, 2)
    assert [each.visibility for each in entries] == [Visibility.INTERNAL.value] * 2
    assert (await ours.exchange("desk", number)).external_id == "4000"


async def test_a_partner_whose_work_stays_there_still_says_that_its_ticket_is_gone(ours):
    await ours.partner(
        "closed", "http://127.0.0.1:9/events", ["NGI_IT"], policy=Policy.CLOSING_ONLY
    )
    partner = Partner(ours.address("closed"))
    await linked(ours, partner, "NGI_IT")
    await partner.send(partner.event("commented", {"id": "4711"}, text="We look into it."))
    kept = await ours.wait_for(Exchange.Ignored, 2)
    assert [each.why for each in kept] == ["linked", "closing-only"]
    await partner.send(partner.event("deleted", {"id": "4711"}))
    [entry] = await ours.wait_for(Ticket.Commented)
    assert await ours.text(entry.text) == "The partner deleted its ticket 4711."
    await partner.close()


async def test_events_of_other_kinds_and_our_own_coming_back_have_no_effect(ours, partner):
    number = await ours.open_ticket("ROC_US")
    [decided] = await ours.wait_for(Exchange.DispatchDecided)
    raw = (await ours.store.contents([decided.raw.id]))[decided.raw.id].body
    body = raw.partition(b"\r\n\r\n")[2]
    assert (await partner.send(body, id=json.loads(body)["id"])).status_code == 202
    [echo] = await ours.wait_for(Exchange.Ignored)
    assert echo.why == "echo"
    other = partner.event("opened", TICKET, type="com.example.object.created")
    assert (await partner.send(other)).status_code == 202
    [_, ignored] = await ours.wait_for(Exchange.Ignored, 2)
    assert ignored.why == "other-event"
    unknown = partner.event("exploded", TICKET)
    assert (await partner.send(unknown)).status_code == 202
    await ours.wait_for(Exchange.Parked)
    assert len(await ours.events(Ticket.Opened)) == 1
    await ours.execute(c.Comment(number=number, text="still alive"))


async def test_a_service_that_dies_after_keeping_a_message_gives_it_its_effect_later(database):
    async with hub(database, "GGUS") as ours:
        await ours.partner("desk", "http://127.0.0.1:9/events")
    partner = Partner("", KEY)
    async with hub(database, "GGUS") as ours:
        partner.url = ours.address("desk")
        # The program ends between the answer and the effect, or after it: either way once.
        await asyncio.gather(
            *(partner.send(partner.event("opened", TICKET | {"id": f"t{n}"})) for n in range(10))
        )
    async with hub(database, "GGUS") as ours:
        await ours.wait_for(Ticket.Opened, 10)
        assert len(await ours.events(Exchange.Applied)) == 10
    await partner.close()
