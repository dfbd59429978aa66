"""Files that travel to people by mail and back: once, and each in a mail of its own."""

from email import message_from_bytes
from email.policy import SMTP

from domain import commands as c
from domain.exchange import Exchange
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.exchange_scenarios import RULE, by_test
from tests.mail_people import SUPPORTER, conversation, read, reply_to

# -- files -------------------------------------------------------------------------------------------


async def test_a_file_travels_both_ways_once_and_in_a_mail_of_its_own(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    await ours.execute(
        c.Comment(number=number, text="See the log."),
        c.Attach(number=number, name="Größe.log", media_type="text/plain", body=b"ERROR 5\n"),
        c.Attach(
            number=number, name="inside.log", media_type="text/plain", body=b"secret",
            visibility=Visibility.INTERNAL,
        ),
    )  # fmt: skip
    mails = await mailbox.wait_for(3)
    [file] = read(mails[2]).iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("Größe.log", "text/plain")
    assert file.get_payload(decode=True) == b"ERROR 5\n"
    assert b"c2VjcmV0" not in b"".join(mails), "internal files stay here"

    raw, address = reply_to(opening, "Here is ours.")
    answer = message_from_bytes(raw, policy=SMTP)
    answer.add_attachment(b"\x00\x01" * 100, maintype="image", subtype="png", filename="../a.png")
    answer.add_attachment(b"ERROR 5\n", maintype="text", subtype="plain", filename="copy.log")
    await ours.send(answer.as_bytes(), SUPPORTER, address)
    attached = await ours.wait_for(Ticket.Attached, 3)
    assert await ours.text(attached[2].name) == "a.png"
    assert (await ours.store.contents([attached[2].file.id]))[
        attached[2].file.id
    ].body == b"\x00\x01" * 100
    del answer["Message-ID"]
    answer["Message-ID"] = "<again@site.test>"
    await ours.send(answer.as_bytes(), SUPPORTER, address)
    await ours.wait_for(Exchange.Ignored)
    ticket = await ours.ledger.ticket(number)
    assert len(ticket.files) == 3, "their copy of ours and their second mail bring nothing new"
    assert len(mailbox.mails) == 3, "their own file does not go back to them"


async def test_a_file_too_large_for_mail_is_named_with_the_page_it_is_on(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    await mailbox.wait_for(1)
    await ours.execute(
        c.Attach(number=number, name="core", media_type="application/x-core", body=b"x" * 4_000_001)
    )
    mails = await mailbox.wait_for(2)
    assert len(mails[1]) < 10_000
    text = read(mails[1]).get_content()
    assert "A file was attached: core" in text
    assert f"https://hub.test/tickets/{number}" in text


async def test_a_file_that_the_relay_refuses_waits_alone_and_is_not_sent_with_the_text_again(
    ours, mailbox
):
    number = await ours.open_ticket("NGI_DE")
    await mailbox.wait_for(1)
    mailbox.answer = lambda raw: "552 too large" if b"base64" in raw else "250 ok"
    await ours.execute(
        c.Comment(number=number, text="See the log."),
        c.Attach(number=number, name="log", media_type="text/plain", body=b"ERROR 5\n"),
    )
    [parked] = await ours.wait_for(Exchange.Parked)
    assert parked.code == "smtp-552"
    mailbox.answer = lambda _: "250 ok"
    with by_test():
        await ours.hand.resume(RULE, parked.originator_id, parked.reference, skip=False)
    mails = await mailbox.wait_for(3)
    assert [b"See the log." in each for each in mails] == [False, True, False]


async def test_files_attached_before_a_ticket_is_told_follow_it_one_by_one_and_once(ours, mailbox):
    number = await ours.open_ticket()
    await ours.execute(
        c.Attach(number=number, name="a.log", media_type="text/plain", body=b"ERROR 5\n"),
        c.Attach(
            number=number, name="inside.log", media_type="text/plain", body=b"secret",
            visibility=Visibility.INTERNAL,
        ),
        c.Comment(number=number, text="See the log."),
        c.Attach(number=number, name="b.png", media_type="image/png", body=b"\x89PNG"),
    )  # fmt: skip
    mailbox.answer = lambda raw: "451 not now" if b"attachment;" in raw else "250 ok"
    await ours.execute(c.Assign(number=number, unit="NGI_DE", note="Yours."))
    await ours.wait_for(Exchange.Failed)
    await ours.execute(c.Comment(number=number, text="And this."))
    await ours.wait_for(Exchange.DispatchDecided, 4)
    await ours.rest()
    mailbox.answer = lambda _: "250 ok"
    ours.work()
    mails = await mailbox.wait_for(4, 60)
    await ours.wait_for(Exchange.Dispatched, 4, 60)
    opening, first, second, entry = map(read, mails)
    assert "See the log." in opening.get_content()
    assert list(opening.iter_attachments()) == []
    files = [file for each in (first, second) for file in each.iter_attachments()]
    assert [each.get_filename() for each in files] == ["a.log", "b.png"]
    assert [each.get_payload(decode=True) for each in files] == [b"ERROR 5\n", b"\x89PNG"]
    assert "And this." in entry.get_content()
    rules = [each.rule for each in await ours.events(Exchange.DispatchDecided)]
    assert rules == ["opening@1", "public@1", "public@1", "public@1"]
    assert len(mailbox.mails) == 4
    known = await conversation(ours, number)
    assert b"And this." in (await ours.store.contents([known.told.id]))[known.told.id].body
