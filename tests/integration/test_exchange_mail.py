"""The exchange with a mail partner, over real SMTP and a real database."""

import asyncio
from email import message_from_bytes
from email.policy import SMTP

from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.exchange_scenarios import RULE, by_test, fields_of, hub, mail


async def test_a_ticket_of_their_unit_goes_to_them_and_comes_back_solved(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("ROC_US")
        [opening] = await mailbox.wait_for(1)
        told = fields_of(opening)
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
        assert fields_of(mails[1])["GHD_Status"] == "reopened"
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
        told = fields_of(reply)
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
        assert fields_of(mails[1])["GHD_Public_Diary"] == "for everybody"
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
        assert [fields_of(each)["GHD_Status"] for each in mails] == ["assigned", "closed"]


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


async def test_an_operator_sends_a_ticket_of_any_unit(database, mailbox):
    async with hub(database, mailbox) as ours:
        ours.work()
        number = await ours.open_ticket("NGI_DE")
        with by_test():
            await ours.hand.send(RULE, number, "osg")
        [opening] = await mailbox.wait_for(1)
        assert fields_of(opening)["GHD_Responsible_Unit"] == "NGI_DE"


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
        assert fields_of(mails[1])["GHD_Request-ID"] == str(number)
        assert f"https://hub.test/tickets/{number}" in fields_of(mails[2])["GHD_Public_Diary"]

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
