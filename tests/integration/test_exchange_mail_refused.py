"""What is refused, parked or waits in the exchange with a mail partner: by them, by the door, by our rules."""

import aiosmtplib
import pytest

from adapters.kit.inbox import Received
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.exchange_scenarios import RULE, SENDER, Patience, by_test, fields_of, hub, mail


async def test_a_mail_waits_behind_one_that_is_parked(database, mailbox):
    async with hub(database, mailbox) as ours:
        partner = await ours.parts.conversations.known_terms("osg")
        opening = mail("ISSUE=3 PROJ=71", Short_Description="Order")
        opened = await ours.parts.inbox.take(partner, opening, "<1@osg.test>")
        assert opened is not None
        broken = await ours.parts.inbox.take(
            partner,
            b"Subject: ISSUE=3 PROJ=71\r\n\r\n<Ticket>?",
            "<2@osg.test>",
            about=opened.exchange,
        )
        assert broken == Received(opened.exchange, broken.position, settled=True)
        assert len(await ours.events(Exchange.Parked)) == 1
        entry = mail("ISSUE=3 PROJ=71", Public_Diary="Later.")
        later = await ours.parts.inbox.take(partner, entry, "<3@osg.test>")
        assert later == Received(opened.exchange, later.position)
        assert await ours.events(Ticket.Commented) == []


async def test_a_partner_that_was_down_gets_everything_in_order_when_it_is_back(database, mailbox):
    async with hub(database, mailbox) as ours:
        await mailbox.down()
        ours.work()
        number = await ours.open_ticket("ROC_US")
        await ours.wait_for(Exchange.DispatchDecided)
        for n in range(5):
            await ours.execute(c.Comment(number=number, text=f"entry {n}"))
        await ours.wait_for(Exchange.Failed, 2)
        await mailbox.up()
        mails = await mailbox.wait_for(6)
        assert [fields_of(each).get("GHD_Public_Diary", "") for each in mails] == [
            "",
            *(f"entry {n}" for n in range(5)),
        ]


async def test_a_message_that_they_refuse_is_parked_and_holds_up_no_other_ticket(database, mailbox):
    async with hub(database, mailbox) as ours:
        mailbox.answer = lambda raw: "554 no" if b"Poison" in raw else "250 ok"
        ours.work()
        bad = await ours.open_ticket("ROC_US", subject="Poison")
        good = await ours.open_ticket("ROC_US", subject="Fine")
        [parked] = await ours.wait_for(Exchange.Parked)
        [delivered] = await mailbox.wait_for(1)
        assert fields_of(delivered)["GHD_Request-ID"] == str(good)
        assert parked.code == "smtp-554"
        await ours.execute(c.Comment(number=bad, text="later"))
        await ours.wait_for(Exchange.DispatchDecided, 3)
        assert len(mailbox.mails) == 1, "order holds within the parked conversation"

        mailbox.answer = lambda _: "250 ok"
        with by_test():
            await ours.hand.resume(RULE, parked.originator_id, parked.reference, skip=False)
        mails = await mailbox.wait_for(3)
        assert b"Poison" in mails[1]
        assert fields_of(mails[2])["GHD_Public_Diary"] == "later"


async def test_temporary_refusals_end_in_parking_and_skipping_lets_the_next_go(database, mailbox):
    patience = Patience(first_s=0.01, longest_s=0.02, attempts_max=3)
    async with hub(database, mailbox, patience=patience) as ours:
        mailbox.answer = lambda raw: "451 later" if b"Transfers" in raw else "250 ok"
        ours.work()
        number = await ours.open_ticket("ROC_US")
        [parked] = await ours.wait_for(Exchange.Parked)
        assert [each.attempt for each in await ours.events(Exchange.Failed)] == [1, 2, 3]
        mailbox.answer = lambda _: "250 ok"
        await ours.execute(c.Comment(number=number, text="next"))
        with by_test():
            await ours.hand.resume(RULE, parked.originator_id, parked.reference, skip=True)
        [only] = await mailbox.wait_for(1)
        assert fields_of(only)["GHD_Public_Diary"] == "next"


async def test_garbage_is_kept_parked_and_shown_byte_for_byte(database, mailbox):
    garbage = b"From: footprints@osg.test\r\nSubject: x\r\n\r\n\xff\xfe\x80 no ticket at all\r\n"
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.send(garbage)
        await ours.send(mail("ISSUE=1 PROJ=71", Short_Description="Good"))
        [parked] = await ours.wait_for(Exchange.Parked)
        await ours.wait_for(Ticket.Opened)
        assert parked.code == "unreadable"
        assert await ours.text(parked.detail) == "there is no Ticket document in the message"
        with by_test():
            kind, raw = await ours.hand.raw(RULE, parked.originator_id, parked.reference)
        assert (kind, raw) == ("message/rfc822", garbage)
        with by_test():
            await ours.hand.resume(RULE, parked.originator_id, parked.reference, skip=False)
        await ours.wait_for(Exchange.Parked, 2)


async def test_a_mail_without_a_body_is_parked(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.send(b"From: footprints@osg.test\r\nSubject: ISSUE=4\r\n\r\n")
        [parked] = await ours.wait_for(Exchange.Parked)
        assert await ours.text(parked.detail) == "the mail has no body"


@pytest.mark.parametrize(
    ("sender", "recipient", "code"),
    [
        ("stranger@example.org", "osg@hub.test", 550),
        ("", "osg@hub.test", 550),
        ("footprints@osg.test", "nobody@hub.test", 550),
        ("footprints@osg.test", "osg@elsewhere.test", 550),
    ],
)
async def test_strangers_and_unknown_recipients_are_refused_at_the_door(
    database, mailbox, sender, recipient, code
):
    async with hub(database, mailbox) as ours:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
            await ours.send(mail(), sender, recipient)
        assert refusal.value.recipients[0].code == code
        assert await ours.events(Exchange) == []


async def test_a_mail_beyond_the_limit_is_refused_at_the_door(database, mailbox):
    async with hub(database, mailbox) as ours:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refusal:
            await ours.send(mail(body="x\n" * 600_000))
        assert refusal.value.code == 552
        assert await ours.events(Exchange) == []


async def test_they_cannot_touch_a_ticket_that_is_not_exchanged_with_them(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("NGI_DE")
        await ours.send(
            mail("ISSUE=7 PROJ=71", Request_ID=number, Status="solved", Short_Solution="Mine")
        )
        [refused] = await ours.wait_for(Exchange.MessageRefused)
        assert refused.code == "not-exchanged"
        assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED


async def test_one_of_their_ids_cannot_mean_two_tickets(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        first = await ours.open_ticket("ROC_US")
        second = await ours.open_ticket("ROC_US")
        await mailbox.wait_for(2)
        await ours.send(mail("ISSUE=7 PROJ=71", Request_ID=first, Status="assigned"))
        await ours.wait_for(Exchange.Linked)
        await ours.send(mail("ISSUE=7 PROJ=71", Request_ID=second, Public_Diary="which?"))
        [refused] = await ours.wait_for(Exchange.MessageRefused)
        assert refused.code == "link-conflict"
        assert await ours.events(Ticket.Commented) == []


async def test_what_our_rules_refuse_is_recorded_and_has_no_effect(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        await mailbox.wait_for(1)
        await ours.send(mail("ISSUE=7 PROJ=71", Request_ID=number, Status="solved"))
        [refused] = await ours.wait_for(Exchange.MessageRefused)
        assert refused.code == "invalid"
        assert "solution must not be empty" in await ours.text(refused.detail)
        assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED


async def test_a_word_about_a_final_ticket_is_refused_and_keeps_nobody_busy(database, mailbox):
    """It was tried again without end: "not now" was taken for "somebody else has settled it"."""
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        await mailbox.wait_for(1)
        await ours.execute(c.Solve(number=number, solution="Done."), c.Verify(number=number))
        await ours.send(mail("ISSUE=7 PROJ=71", Request_ID=number, Public_Diary="Too late."))
        [refused] = await ours.wait_for(Exchange.MessageRefused)
        assert refused.code == "not-now"


async def test_a_helpdesk_with_an_adapter_that_we_do_not_have_stops_nobody(database, mailbox):
    async with hub(database, mailbox) as ours:
        with by_test():
            strange = Helpdesk(named_id(Helpdesk.KIND, "strange"))
            strange.register("strange", "telepathy", ["NGI_DE"], sender=SENDER)
            strange.set_interface(InterfaceState.LIVE)
            await ours.ledger.save(strange)
        ours.work()
        await ours.open_ticket("NGI_DE")
        await ours.open_ticket("ROC_US")
        await mailbox.wait_for(1)
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await ours.send(mail(), recipient="strange@hub.test")
