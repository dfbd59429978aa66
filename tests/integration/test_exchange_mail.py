"""The exchange with a mail partner, over real SMTP and a real database."""

import asyncio
from email import message_from_bytes
from email.policy import SMTP

import aiosmtplib
import pytest

from adapters.helpdesks.osg_mail.document import parse
from adapters.kit import mail as kit_mail
from adapters.kit.inbox import Inbox, Received
from adapters.kit.progress import Progress
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.couriers import Crash
from tests.exchange_scenarios import RULE, SENDER, Patience, by_test, hub, mail


def fields(raw: bytes) -> dict[str, str]:
    return parse(kit_mail.texts(message_from_bytes(raw))[0])


async def test_a_ticket_of_their_unit_goes_to_them_and_comes_back_solved(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        [opening] = await mailbox.wait_for(1)
        told = fields(opening)
        assert told["GHD_Request-ID"] == str(number)
        assert told["GHD_Short_Description"] == "Transfers fail"
        assert told["GHD_Responsible_Unit"] == "ROC_US"
        assert (b"Subject: GGUS-Ticket-ID: #%d Transfers fail" % number) in opening

        await ours.send(mail("ISSUE=7932 PROJ=71 got it", Request_ID=number, Status="assigned"))
        await ours.wait_for(Exchange.Ignored)
        await ours.send(mail("ISSUE=7932 PROJ=71", Request_ID=number, Status="in progress"))
        await ours.send(
            mail(
                "ISSUE=7932 PROJ=71",
                Request_ID=number,
                Status="solved",
                Detailed_Solution="Restarted the gatekeeper.",
            )
        )
        await ours.wait_for(Ticket.Solved)
        ticket = await ours.ledger.ticket(number)
        assert ticket.status is Status.SOLVED
        assert await ours.text(ticket.solution) == "Restarted the gatekeeper."
        exchange = await ours.exchange(number)
        assert (exchange.external_id, exchange.external_reference) == (
            "7932",
            "ISSUE=7932 PROJ=71",
        )
        assert exchange.remote_state == "solved"
        assert await ours.store.holder("link:osg", "7932") == exchange.id
        [started] = await ours.events(Ticket.WorkStarted)
        assert started.provenance.actor == "helpdesk:osg"
        assert started.provenance.causation_id.startswith("message:<")
        assert started.provenance.origin.helpdesk == "osg"

        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        mails = await mailbox.wait_for(2)
        assert b"ISSUE=7932 PROJ=71" in mails[1]
        assert fields(mails[1])["GHD_Status"] == "reopened"
        assert len(mails) == 2, "their own words do not go back to them"


async def test_an_unknown_id_opens_a_ticket_at_first_line_and_they_learn_its_number(
    database, mailbox
):
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.send(
            mail(
                "ISSUE=55 PROJ=71",
                Short_Description="Gatekeeper down",
                Description="Since noon.",
                Priority="very urgent",
                E_Mail="somebody@example.org",
                Name="Some Body",
                Status="in progress",
            )
        )
        [reply] = await mailbox.wait_for(1)
        told = fields(reply)
        [opened] = await ours.events(Ticket.Opened)
        assert told["GHD_Request-ID"] == str(opened.number)
        assert told["GHD_Origin_ID"] == "55"
        assert b"ISSUE=55 PROJ=71" in reply
        ticket = await ours.ledger.ticket(opened.number)
        assert (ticket.unit, ticket.status) == ("TPM", Status.NEW)
        assert ticket.submitter is not None
        [applied] = await ours.events(Exchange.Applied)
        assert applied.remote_state == "in progress"
        assert applied.withheld == ("in progress:created-as-new",)

        # A second message about the same id is an update, also without our number.
        await ours.send(mail("ISSUE=55 PROJ=71", Public_Diary="Any news?"))
        [comment] = await ours.wait_for(Ticket.Commented)
        assert await ours.text(comment.text) == "Any news?"
        assert len(await ours.events(Ticket.Opened)) == 1


async def test_a_mail_delivered_twice_has_one_effect(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        once = mail("ISSUE=8 PROJ=71", Short_Description="Once", message_id="<1@osg.test>")
        await asyncio.gather(*(ours.send(once) for _ in range(5)))
        _, answer = await ours.send(b"Received: from a relay\r\n" + once)
        assert "had it before" in answer
        await ours.wait_for(Exchange.Applied)
        assert len(await ours.events(Exchange.MessageReceived)) == 1
        # The same Message-ID on another text is another message.
        await ours.send(mail("ISSUE=8 PROJ=71", Public_Diary="More", message_id="<1@osg.test>"))
        await ours.wait_for(Ticket.Commented)
        assert len(await ours.events(Ticket.Opened)) == 1


async def test_messages_about_one_new_id_that_arrive_together_open_one_ticket(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        await asyncio.gather(
            *(
                ours.send(
                    mail("ISSUE=9 PROJ=71", Short_Description="Same", Public_Diary=f"entry {n}")
                )
                for n in range(6)
            )
        )
        await ours.wait_for(Exchange.Applied, 6)
        assert len(await ours.events(Ticket.Opened)) == 1
        assert len(await ours.events(Ticket.Commented)) == 6


async def test_what_was_recorded_but_not_applied_is_applied_after_a_restart(database, mailbox):
    async with hub(database, mailbox) as ours:
        await ours.send(mail("ISSUE=3 PROJ=71", Short_Description="Before the crash"))
        assert await ours.events(Ticket) == []
        assert len(await ours.events(Exchange.MessageReceived)) == 1
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.wait_for(Exchange.Applied)
        assert len(await ours.events(Ticket.Opened)) == 1


async def test_a_crash_between_sending_and_receipt_sends_the_same_mail_again(
    database, mailbox, monkeypatch
):
    async with hub(database, mailbox) as ours:

        def crash(*_) -> None:
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "record_dispatch", crash)
            number = await ours.open_ticket("ROC_US")
            await _work_until_it_crashes(ours)
        assert len(mailbox.mails) == 1
        assert await ours.events(Exchange.Dispatched) == []
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.wait_for(Exchange.Dispatched)
        first, second = mailbox.mails
        assert first == second, "the same bytes, hence the same Message-ID"
        assert len(await ours.events(Exchange.DispatchDecided)) == 1
        assert (await ours.exchange(number)).messages == {}


async def _nowhere(_) -> list:
    return []


async def _work_until_it_crashes(ours) -> None:
    """Follow the log as the worker does, and deliver in this task, where the crash is felt."""
    worker = ours.parts.worker
    worker._turns_for = _nowhere  # all is decided, and nothing is done
    worker._progress = lambda: Progress(partners=["osg"], outgoing={"osg": 1})
    stop = asyncio.Event()
    follower = asyncio.create_task(worker.run(stop))
    [decided] = await ours.wait_for(Exchange.DispatchDecided)
    stop.set()
    await follower
    with pytest.raises(Crash):
        await ours.parts.outbox.deliver(decided.originator_id)


async def test_a_crash_while_applying_leaves_nothing_half_done(database, mailbox, monkeypatch):
    async with hub(database, mailbox) as ours:
        monkeypatch.setattr(Inbox, "take", Inbox.receive)  # kept, and no further
        await ours.send(mail("ISSUE=3 PROJ=71", Short_Description="Twice?"))
        [received] = await ours.events(Exchange.MessageReceived)
        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "apply_message", _crash)
            with pytest.raises(Crash):
                await ours.parts.inbox.apply(received.originator_id)
        assert await ours.events(Ticket.Opened) == []
        assert await ours.parts.inbox.apply(received.originator_id)
        assert not await ours.parts.inbox.apply(received.originator_id)
        assert len(await ours.events(Ticket.Opened)) == 1


async def test_a_crash_while_a_mail_is_taken_keeps_nothing_and_it_is_brought_again(
    database, mailbox, monkeypatch
):
    raw = mail("ISSUE=3 PROJ=71", Short_Description="Twice?")
    async with hub(database, mailbox) as ours:
        partner = await ours.parts.conversations.known_terms("osg")
        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "apply_message", _crash)
            with pytest.raises(Crash):
                await ours.parts.inbox.take(partner, raw, "<3@osg.test>")
        assert await ours.events(Exchange.MessageReceived) == await ours.events(Ticket.Opened) == []
        received = await ours.parts.inbox.take(partner, raw, "<3@osg.test>")
        assert received is not None
        assert received.settled
        [kept] = [
            each for each in await ours.store.log(0, 100) if each.position == received.position
        ]
        assert isinstance(kept.event, Exchange.MessageReceived)
        assert await ours.parts.inbox.take(partner, raw, "<3@osg.test>") is None
        assert (
            len(await ours.events(Ticket.Opened)) == len(await ours.events(Exchange.Applied)) == 1
        )


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


def _crash(*_, **__) -> None:
    raise Crash


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
        assert [fields(each).get("GHD_Public_Diary", "") for each in mails] == [
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
        assert fields(delivered)["GHD_Request-ID"] == str(good)
        assert parked.code == "smtp-554"
        await ours.execute(c.Comment(number=bad, text="later"))
        await ours.wait_for(Exchange.DispatchDecided, 3)
        assert len(mailbox.mails) == 1, "order holds within the parked conversation"

        mailbox.answer = lambda _: "250 ok"
        with by_test():
            await ours.hand.resume(RULE, parked.originator_id, parked.reference, skip=False)
        mails = await mailbox.wait_for(3)
        assert b"Poison" in mails[1]
        assert fields(mails[2])["GHD_Public_Diary"] == "later"


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
        assert fields(only)["GHD_Public_Diary"] == "next"


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


async def test_internal_entries_never_leave(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("TPM")
        await ours.execute(
            c.Comment(number=number, text="before, secret", visibility=Visibility.INTERNAL)
        )
        await ours.execute(c.Assign(number=number, unit="ROC_US"))
        await mailbox.wait_for(1)
        await ours.execute(
            c.Comment(number=number, text="after, secret", visibility=Visibility.INTERNAL),
            c.Comment(number=number, text="for everybody"),
        )
        mails = await mailbox.wait_for(2)
        assert fields(mails[1])["GHD_Public_Diary"] == "for everybody"
        assert not any(b"secret" in each for each in mails)
        assert [each.rule for each in await ours.events(Exchange.DispatchDecided)] == [
            "opening@1",
            "internal@1",
            "public@1",
        ]


async def test_closing_only_tells_beginning_and_end_and_hears_only_the_end(database, mailbox):
    async with hub(database, mailbox, policy=Policy.CLOSING_ONLY) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        await mailbox.wait_for(1)
        await ours.execute(
            c.Comment(number=number, text="ours"), c.PutOnHold(number=number, reason="ours")
        )
        await ours.send(
            mail("ISSUE=7 PROJ=71", Request_ID=number, Status="assigned", Public_Diary="theirs")
        )
        [ignored] = await ours.wait_for(Exchange.Ignored)
        assert (ignored.why, ignored.withheld) == ("closing-only", ("Comment:closing-only",))
        assert (await ours.exchange(number)).external_id == "7", "their id is stored all the same"
        await ours.send(
            mail("ISSUE=7 PROJ=71", Request_ID=number, Status="solved", Short_Solution="Done")
        )
        await ours.wait_for(Ticket.Solved)
        with by_test():
            await ours.ledger.execute(c.Close(number=number), actor=RULE)
        mails = await mailbox.wait_for(2)
        assert [fields(each)["GHD_Status"] for each in mails] == ["assigned", "closed"]


async def test_the_answers_of_automata_start_no_conversation(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        thanks = b"Auto-Submitted: auto-replied\r\n" + mail(
            "ISSUE=7 Thank you for your update", Short_Description="Thanks"
        )
        await ours.send(thanks)
        [ignored] = await ours.wait_for(Exchange.Ignored)
        assert ignored.why == "automatic-answer"
        assert mailbox.mails == []


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


async def test_an_operator_sends_a_ticket_of_any_unit(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("NGI_DE")
        with by_test():
            await ours.hand.send(RULE, number, "osg")
        [opening] = await mailbox.wait_for(1)
        assert fields(opening)["GHD_Responsible_Unit"] == "NGI_DE"


async def test_a_paused_partner_gets_its_mail_when_it_is_live_again(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        partner = await ours.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "osg"))
        with by_test():
            partner.set_interface(InterfaceState.PAUSED)
            await ours.ledger.save(partner)
        await ours.open_ticket("ROC_US")
        await ours.wait_for(Exchange.DispatchDecided)
        assert mailbox.mails == []
        with by_test():
            partner.set_interface(InterfaceState.LIVE)
            await ours.ledger.save(partner)
        await mailbox.wait_for(1)


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


async def test_a_file_goes_to_a_machine_in_a_mail_of_its_own_and_theirs_come_beside_the_document(
    database, mailbox
):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        await mailbox.wait_for(1)
        log = b"ERROR 5\n"
        await ours.execute(
            c.Attach(number=number, name="our.log", media_type="text/plain", body=log),
            c.Attach(
                number=number, name="core", media_type="application/x-core", body=b"x" * 4_000_001
            ),
        )
        mails = await mailbox.wait_for(3, 60)
        [file] = message_from_bytes(mails[1], policy=SMTP).iter_attachments()
        assert (file.get_filename(), file.get_payload(decode=True)) == ("our.log", log)
        assert fields(mails[1])["GHD_Request-ID"] == str(number)
        assert f"https://hub.test/tickets/{number}" in fields(mails[2])["GHD_Public_Diary"]

        theirs = message_from_bytes(
            mail("ISSUE=7 PROJ=71", Request_ID=number, Public_Diary="See."), policy=SMTP
        )
        theirs.add_attachment(b"\0\xff", maintype="image", subtype="png", filename="a.png")
        theirs.add_attachment(log, maintype="text", subtype="plain", filename="a copy.log")
        await ours.send(theirs.as_bytes())
        attached = await ours.wait_for(Ticket.Attached, 3, 60)
        found = await ours.store.contents([attached[2].file.id])
        assert found[attached[2].file.id].body == b"\0\xff"
        await ours.wait_for(Exchange.Applied)
        assert len((await ours.ledger.ticket(number)).files) == 3, "a copy of ours is no news"
        assert len(mailbox.mails) == 3


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
