"""The exchange with people who have nothing but mail, over real SMTP and a real database."""

import asyncio
from datetime import datetime, timedelta

import pytest

from adapters.kit.inbox import Inbox
from adapters.kit.reply_addresses import ReplyAddresses
from adapters.store.reply_key import ReplyKeyring
from domain import clock
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import InterfaceState
from domain.identifiers import random_id
from domain.lifecycle import Status
from domain.reply_keys import ReplyKeys
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.couriers import Crash
from tests.exchange_scenarios import Patience, by_test, hub
from tests.mail_people import (
    LIST,
    PLAIN,
    SUPPORTER,
    bounce_of,
    conversation,
    join,
    read,
    refused,
    reply_to,
    sent_by,
)
from tests.serving import told


async def test_a_ticket_goes_out_in_words_and_comes_back_solved(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    told = read(opening)
    assert told["Subject"] == f"GGUS-Ticket-ID: #{number} Transfers fail"
    assert told["Auto-Submitted"] == "auto-generated"
    assert "All of them." in told.get_content()
    assert str(told["Reply-To"]).startswith(f"savannah+{number}.")

    await ours.send(*sent_by(reply_to(opening, "Which files?")))
    [entry] = await ours.wait_for(Ticket.Commented)
    assert await ours.text(entry.text) == "Which files?"
    assert entry.visibility == Visibility.PUBLIC.value
    await ours.send(*sent_by(reply_to(opening, "#in-progress")))
    await ours.wait_for(Ticket.WorkStarted)
    await ours.send(*sent_by(reply_to(opening, "#solved\nRestarted the gatekeeper.")))
    [solved] = await ours.wait_for(Ticket.Solved)
    assert await ours.text(solved.solution) == "Restarted the gatekeeper."
    assert solved.provenance.actor == "helpdesk:savannah"
    assert (await conversation(ours, number)).remote_state == "solved"

    await ours.execute(c.Reopen(number=number, comment="Not yet."))
    mails = await mailbox.wait_for(2)
    assert len(mails) == 2, "their own words do not go back to them"
    again = read(mails[1])
    assert again["References"] == told["References"] == again["In-Reply-To"]
    assert "Not yet." in again.get_content()


async def test_nothing_but_entries_solutions_and_beginnings_can_be_had_by_mail(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    for word in ("closed", "verified", "assign", "top-priority"):
        await ours.send(*sent_by(reply_to(opening, f"#{word} NGI_IT")))
    applied = await ours.wait_for(Exchange.Applied, 4)
    assert {each.withheld for each in applied} == {("word:not-agreed",)}
    ticket = await ours.ledger.ticket(number)
    assert (ticket.status, ticket.unit) == (Status.ASSIGNED, "NGI_DE")
    assert len(await ours.events(Ticket.Commented)) == 4


async def test_the_address_counts_more_than_reference_and_subject(ours, mailbox):
    first = await ours.open_ticket("NGI_DE")
    second = await ours.open_ticket("NGI_DE")
    mails = await mailbox.wait_for(2)
    one, two = sorted(mails, key=lambda raw: read(raw)["Subject"])
    raw, _ = reply_to(
        two, "by address", Subject=f"GGUS-Ticket-ID: #{second}", To=read(one)["Reply-To"]
    )
    await ours.send(raw, SUPPORTER, read(one)["Reply-To"])
    [entry] = await ours.wait_for(Ticket.Commented)
    assert (await ours.ledger.ticket(first)).id == entry.originator_id

    raw, _ = reply_to(one, "by reference", Subject=f"GGUS-Ticket-ID: #{second}", To=PLAIN)
    await ours.send(raw, SUPPORTER, PLAIN)
    entries = await ours.wait_for(Ticket.Commented, 2)
    assert entries[1].originator_id == entries[0].originator_id

    subject = f"Re: GGUS-Ticket-ID: #{second} whatever"
    raw, _ = reply_to(one, "by subject", Subject=subject, To=PLAIN, In_Reply_To="", References="")
    await ours.send(raw, LIST, PLAIN)
    entries = await ours.wait_for(Ticket.Commented, 3)
    assert (await ours.ledger.ticket(second)).id == entries[2].originator_id


async def test_the_same_words_again_and_doubled_message_ids(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    once = sent_by(reply_to(opening, "Which files?", Message_ID="<1@site.test>"))
    await asyncio.gather(*(ours.send(*once) for _ in range(4)))
    await ours.wait_for(Ticket.Commented)
    assert len(await ours.events(Exchange.MessageReceived)) == 1
    await ours.send(*sent_by(reply_to(opening, "Which files?")))
    [ignored] = await ours.wait_for(Exchange.Ignored)
    assert ignored.why == "said-again"
    # Another mail under the same Message-ID is another mail.
    await ours.send(*sent_by(reply_to(opening, "These files.", Message_ID="<1@site.test>")))
    assert len(await ours.wait_for(Ticket.Commented, 2)) == 2


async def test_entries_stand_in_the_order_of_the_mails(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    for n in range(8):
        await ours.send(*sent_by(reply_to(opening, f"entry {n}")))
    entries = await ours.wait_for(Ticket.Commented, 8)
    assert [await ours.text(each.text) for each in entries] == [f"entry {n}" for n in range(8)]


async def test_a_reply_that_was_kept_but_not_applied_is_applied_after_a_restart(
    database, mailbox, monkeypatch
):
    monkeypatch.setattr(Inbox, "take", Inbox.receive)  # kept, and no further
    async with hub(database, mailbox) as ours:
        await join(ours)
        ours.work()
        await ours.open_ticket("NGI_DE")
        [opening] = await mailbox.wait_for(1)
        await ours.wait_for(Exchange.Dispatched)
        await ours.rest()
        await ours.send(*sent_by(reply_to(opening, "#solved\nDone.")))
        assert await ours.events(Ticket.Solved) == []
    async with hub(database, mailbox) as ours:
        # The key of the addresses has outlived the program.
        await ours.send(*sent_by(reply_to(opening, "And more.")))
        ours.work()
        await ours.wait_for(Ticket.Commented)
        assert len(await ours.events(Ticket.Solved)) == 1
        assert len(mailbox.mails) == 1


@pytest.mark.parametrize("step", ["apply_message", "take_back"])
async def test_a_crash_while_a_mail_has_its_effect_leaves_nothing_half_done(
    ours, mailbox, monkeypatch, step
):
    monkeypatch.setattr(Inbox, "take", Inbox.receive)  # kept, and no further
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    await ours.wait_for(Exchange.Dispatched)
    await ours.rest()
    if step == "take_back":
        await ours.send(bounce_of(opening), "", PLAIN)
    else:
        await ours.send(*sent_by(reply_to(opening, "#solved\nOnce.")))
    [received] = await ours.events(Exchange.MessageReceived)

    def crash(*_, **__) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Exchange, step, crash)
        with pytest.raises(Crash):
            await ours.parts.inbox.apply(received.originator_id)
    effects = (Ticket.Solved, Exchange.Returned, Exchange.Ignored, Exchange.Applied)
    assert await ours.events(*effects) == []
    assert await ours.parts.inbox.apply(received.originator_id)
    assert not await ours.parts.inbox.apply(received.originator_id)
    assert len(await ours.events(Ticket.Solved, Exchange.Returned)) == 1


async def test_what_could_not_be_sent_goes_out_when_the_relay_is_back(database, mailbox):
    patience = Patience(first_s=0.01, longest_s=0.02, attempts_max=50)
    async with hub(database, mailbox, patience=patience) as ours:
        await join(ours)
        await mailbox.down()
        ours.work()
        number = await ours.open_ticket("NGI_DE")
        await ours.wait_for(Exchange.Failed, 2)
        await mailbox.up()
        [opening] = await mailbox.wait_for(1)
        assert f"#{number}" in read(opening)["Subject"]


async def test_internal_entries_and_persons_never_leave(ours, mailbox):
    number = await ours.open_ticket("TPM")
    await ours.execute(
        c.Comment(number=number, text="before, secret", visibility=Visibility.INTERNAL),
        c.Comment(number=number, text="for everybody"),
    )
    await ours.execute(c.Assign(number=number, unit="NGI_DE"))
    [opening] = await mailbox.wait_for(1)
    assert "for everybody" in read(opening).get_content()
    await ours.execute(c.Comment(number=number, text="x, secret", visibility=Visibility.INTERNAL))
    await ours.execute(c.Comment(number=number, text="the end"))
    mails = await mailbox.wait_for(2)
    assert "the end" in read(mails[1]).get_content()
    assert not any(b"secret" in each for each in mails)


async def test_a_helpdesk_that_is_not_interfaced_has_no_addresses(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    partner = await ours.parts.conversations.known_partner("savannah")
    with by_test():
        partner.set_interface(InterfaceState.NOT_INTERFACED)
        await ours.ledger.save(partner)
    raw, recipient = reply_to(opening, "still there?")
    assert (await refused(ours, raw, SUPPORTER, recipient))[0] == 550


async def test_answers_to_mails_from_before_the_key_was_replaced_arrive_until_the_time_given(
    ours, mailbox, database
):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    old = str(read(opening)["Reply-To"])

    done = await asyncio.to_thread(
        told, "exchange", "rotate-reply-key", "--overlap=1", DATABASE_URL=database
    )
    raw, recipient = reply_to(opening, "Seen.")
    assert recipient == old
    await ours.send(raw, SUPPORTER, recipient)
    await ours.wait_for(Ticket.Commented)
    key = ReplyKeyring(ours.store)
    addresses = ReplyAddresses("hub.test", key)
    new = await addresses.address("savannah", number)
    assert new != old
    raw, _ = reply_to(opening, "Done.")
    await ours.send(raw, SUPPORTER, new)
    await ours.wait_for(Ticket.Commented, 2)

    # then nothing of the key is in the log, and a later rotation makes the time no longer
    [rotated] = await ours.events(ReplyKeys.KeyRotated)
    assert str(rotated.key) == done["key"]
    assert rotated.until == datetime.fromisoformat(done["until"])
    assert rotated.provenance.actor == "rule:command-line@1"
    secrets = [each.secret.hex().encode() for each in await key()]
    states = await ours.store.rows("SELECT state FROM ledger.event")
    assert not any(secret in bytes(state) for secret in secrets for (state,) in states)
    await key.rotate(random_id(), rotated.until + timedelta(days=9))
    first = (await key())[-1]
    assert first.until == rotated.until
    assert len(await key()) == 3

    # and where a key became known, nothing that it signed is believed any more
    await key.rotate(random_id(), clock.now())
    assert len(await key()) == 1
    for address in (old, new):
        detail = address.partition("@")[0].partition("+")[2]
        assert await ReplyAddresses("hub.test", key).number("savannah", detail) == 0
