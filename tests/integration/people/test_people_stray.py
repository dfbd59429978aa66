"""Mails that no helpdesk meant for us: forged, automatic, from lists, come back."""

import aiosmtplib

from domain import commands as c
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.exchange_scenarios import RULE, by_test
from tests.mail_people import LIST, PLAIN, SUPPORTER, bounce_of, read, refused, reply_to, sent_by


async def test_forged_senders_and_addresses_stay_outside(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    other = await ours.open_ticket("ROC_US")
    mails = await mailbox.wait_for(2)
    [opening] = [each for each in mails if b"savannah" in each]
    address = str(read(opening)["Reply-To"])
    await ours.wait_for(Exchange.Dispatched, 2)
    before = await ours.store.head()
    raw, _ = reply_to(opening, "forged", In_Reply_To="", References="")
    name, _, rest = address.partition("+")
    for recipient in (
        address.replace(f"+{number}.", f"+{other}."),
        address.replace("@hub", "x@hub"),
        f"osg+{rest}",
        f"{name}+{number}@hub.test",
        f"{name}+@hub.test".replace("+", "++"),
        "nobody@hub.test",
    ):
        assert (await refused(ours, raw, SUPPORTER, recipient))[0] == 550, recipient
        assert (await refused(ours, raw, LIST, recipient))[0] == 550, recipient
    assert (await refused(ours, raw, "stranger@example.org", PLAIN))[0] == 550, "subject alone"
    forged, _ = reply_to(opening, "forged", In_Reply_To=f"<{'0' * 32}.9@hub.test>", References="")
    assert (await refused(ours, forged, "stranger@example.org", PLAIN))[0] == 550
    subject = f"GGUS-Ticket-ID: #{other} x"
    foreign, _ = reply_to(opening, "x", Subject=subject, In_Reply_To="", References="", To=PLAIN)
    assert (await refused(ours, foreign, LIST, PLAIN))[0] == 550, "not exchanged with them"
    hello, _ = reply_to(opening, "x", Subject="Hello", In_Reply_To="", References="", To=PLAIN)
    assert "no ticket of yours" in (await refused(ours, hello, LIST, PLAIN))[1]
    assert await ours.store.head() == before


async def test_a_mail_whose_header_names_another_ticket_than_its_envelope_is_refused(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    await ours.open_ticket("NGI_DE")
    one, two = sorted(await mailbox.wait_for(2), key=lambda raw: read(raw)["Subject"])
    raw, _ = reply_to(one, "which?", To=str(read(two)["Reply-To"]))
    await ours.send(raw, SUPPORTER, str(read(one)["Reply-To"]))
    [answer] = await ours.wait_for(Exchange.MessageRefused)
    assert answer.code == "link-conflict"
    assert await ours.events(Ticket.Commented) == []


async def test_a_storm_of_vacation_answers_makes_no_entries_and_no_mails(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    codes = []
    for n in range(100):
        raw, _ = reply_to(opening, f"I am away {n}.", Auto_Submitted="auto-replied", To=PLAIN)
        try:
            await ours.send(raw, "", PLAIN)
            codes.append(250)
        except aiosmtplib.SMTPDataError as error:
            codes.append(error.code)
    assert codes == [250] * 3 + [550] * 97
    ignored = await ours.wait_for(Exchange.Ignored, 3)
    assert {each.why for each in ignored} == {"automatic-answer"}
    assert len(await ours.events(Exchange.Opened)) == 1
    assert await ours.events(Ticket.Commented) == []
    assert len(mailbox.mails) == 1
    # People are still heard.
    await ours.send(*sent_by(reply_to(opening, "I am here.")))
    await ours.wait_for(Ticket.Commented)
    assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED


async def test_a_conversation_that_goes_on_by_itself_is_cut_short(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    for n in range(60):
        await ours.send(*sent_by(reply_to(opening, f"Thank you for your update {n}.")))
    raw, recipient = reply_to(opening, "Thank you for your update 60.")
    assert (await refused(ours, raw, SUPPORTER, recipient))[0] == 451, "they try again later"
    await ours.wait_for(Ticket.Commented, 60)
    assert len(mailbox.mails) == 1


async def test_a_list_that_sends_our_mail_back_is_no_conversation(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    await ours.wait_for(Exchange.Dispatched)
    before = await ours.store.head()
    returned = b"List-Id: <support.list.test>\r\n" + opening
    for recipient in (PLAIN, str(read(opening)["Reply-To"])):
        assert (await refused(ours, returned, LIST, recipient))[0] == 550
    renamed = returned.replace(b"Message-ID: <", b"Message-ID: <list-")
    await ours.send(renamed, LIST, str(read(opening)["Reply-To"]))
    [ignored] = await ours.wait_for(Exchange.Ignored)
    assert ignored.why == "echo"
    assert await ours.events(Ticket.Commented) == []
    assert await ours.store.head() == before + 2


async def test_a_bounce_parks_the_mail_that_came_back_until_an_operator_decides(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    await ours.wait_for(Exchange.Dispatched)
    await ours.send(bounce_of(opening), "", PLAIN)
    [returned] = await ours.wait_for(Exchange.Returned)
    assert returned.code == "returned-5.1.1"
    assert await ours.text(returned.detail) == f"{LIST}: smtp; 550 no such list"
    await ours.send(bounce_of(opening, "5.1.2"), "", PLAIN)
    await ours.wait_for(Exchange.Ignored, 2)
    assert len(await ours.events(Exchange.Returned)) == 1, "it waits already"

    await ours.execute(c.Comment(number=number, text="later"))
    await ours.wait_for(Exchange.DispatchDecided, 2)
    assert len(mailbox.mails) == 1, "order holds: what came back is decided on first"
    with by_test():
        kind, raw = await ours.hand.raw(RULE, returned.originator_id, returned.originator_version)
        assert (kind, raw) == ("message/rfc822", opening)
        await ours.hand.resume(
            RULE, returned.originator_id, returned.originator_version, skip=False
        )
    mails = await mailbox.wait_for(3)
    assert mails[1] == opening
    assert "later" in read(mails[2]).get_content()


async def test_nobody_can_take_back_a_mail_that_he_has_not_seen(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    true = str(read(opening)["Message-ID"])
    for forged in (f"<{'0' * 32}.3@hub.test>", true.replace(".", ".9", 1), "<1@list.test>"):
        raw = bounce_of(opening).replace(true.encode(), forged.encode())
        assert (await refused(ours, raw, "", PLAIN))[0] == 550
    assert await ours.events(Exchange.Returned) == []
