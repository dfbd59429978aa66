"""A webhook partner restored from an old backup gives identifiers again: nothing is taken for another ticket's."""

import pytest

from domain import commands as c
from domain.exchange import Exchange
from domain.ticket import Ticket
from tests.peers.webhook_scenarios import Partner, hub

BEFORE, AFTER = "2026-03-02T09:00:00.25Z", "2026-03-09T09:00:00Z"
LOST = {"id": "4711", "state": "new", "opened_at": BEFORE, "subject": "Lost", "description": "x"}
ANOTHER = LOST | {"opened_at": AFTER, "subject": "Another"}


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


def about(ticket: dict[str, str]) -> dict[str, str]:
    """As the events tell that come after the opening."""
    return {name: ticket[name] for name in ("id", "opened_at")}


async def test_a_ticket_that_gets_the_identifier_of_a_lost_one_is_one_of_its_own(ours, partner):
    await partner.send(partner.event("opened", LOST))
    [lost] = await ours.wait_for(Ticket.Opened)
    await ours.wait_for(Exchange.Linked)
    assert (
        str((await ours.exchange("desk", lost.number)).opened_at)
        == "2026-03-02 09:00:00.250000+00:00"
    )

    # What names it before it is opened here might be about either: nobody guesses.
    early = partner.event("commented", about(ANOTHER), text="early")
    await partner.send(early)
    [refused] = await ours.wait_for(Exchange.MessageRefused)
    assert refused.code == "another"

    await partner.send(partner.event("opened", ANOTHER, hops="DESK-4711"))
    _, another = await ours.wait_for(Ticket.Opened, 2)
    [unlinked] = await ours.events(Exchange.Unlinked)
    assert (unlinked.external_id, unlinked.why) == ("4711", "another")
    await partner.send(partner.event("commented", about(ANOTHER), text="of the other one"))
    await partner.send(partner.event("commented", about(LOST), text="of the lost one"))
    await ours.wait_for(Exchange.MessageRefused, 2)
    [comment] = await ours.events(Ticket.Commented)
    assert await ours.text(comment.text) == "of the other one"
    assert len(await ours.ledger.history(lost.number)) == 1, "nothing was written to it"
    assert (await ours.exchange("desk", another.number)).external_id == "4711"


async def test_what_they_say_of_our_ticket_is_not_said_of_one_that_got_its_number(ours, partner):
    number = await ours.open_ticket("ROC_US")
    await ours.wait_for(Exchange.DispatchDecided)
    event = partner.event("linked", {"id": "4711"}, yours=f"GGUS-{number}", yours_opened_at=BEFORE)
    await partner.send(event)
    [refused] = await ours.wait_for(Exchange.MessageRefused)
    assert refused.code == "another"
    assert await ours.events(Exchange.Linked) == []
    opened_at = (await ours.ledger.ticket(number)).opened_at.isoformat()
    right = partner.event("linked", about(LOST), yours=f"GGUS-{number}", yours_opened_at=opened_at)
    await partner.send(right)
    [linked] = await ours.wait_for(Exchange.Linked)
    assert (linked.external_id, str(linked.opened_at)) == (
        "4711",
        "2026-03-02 09:00:00.250000+00:00",
    )


async def test_after_a_restore_their_versions_grow_again_from_where_they_were(ours, partner):
    number = await ours.open_ticket("ROC_US")
    await ours.wait_for(Exchange.DispatchDecided)
    for version, state, time in (
        (9, "in progress", "2026-03-02T10:00:00Z"),
        (5, "waiting for reply", "2026-03-02T09:59:00Z"),  # late, of before the restore
        (6, "on hold", "2026-03-02T11:00:00Z"),  # after the restore
    ):
        ticket = about(LOST) | {"state": state, "version": version}
        event = partner.event(
            "updated", ticket, yours=f"GGUS-{number}", changed=["state"], text=state
        )
        await partner.send(event | {"time": time})
    await ours.wait_for(Ticket.PutOnHold)
    assert await ours.events(Ticket.ReplyRequested) == []
    await ours.execute(c.Comment(number=number, text="well"))


async def test_an_instant_that_is_none_is_not_believed(ours, partner):
    for n, time in enumerate(("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "soon")):
        event = partner.event("opened", LOST | {"id": f"47{n}", "opened_at": time})
        answer = await partner.send(event | {"time": time})
        assert answer.status_code == 202, answer.text
    await ours.wait_for(Ticket.Opened, 3)
    assert {each.opened_at for each in await ours.events(Exchange.Linked)} == {None}
