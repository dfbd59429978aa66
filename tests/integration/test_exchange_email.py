"""The exchange with people who have nothing but mail, over real SMTP and a real database."""

import asyncio
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP

import aiosmtplib
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
from tests.exchange_scenarios import RULE, Patience, by_test, hub
from tests.mail_people import LIST, SUPPORTER, bounce_of, join, read, reply_to
from tests.serving import told

PLAIN = "savannah@hub.test"


@pytest.fixture
async def ours(database, mailbox):
    async with hub(database, mailbox) as running:
        await join(running)
        running.work()
        yield running


async def conversation(ours, number: int) -> Exchange:
    stream = await ours.store.holder("exchange:savannah", str(number))
    return await ours.parts.conversations.load(stream)


async def refused(ours, raw: bytes, sender: str, recipient: str) -> tuple[int, str]:
    with pytest.raises((aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError)) as refusal:
        await ours.send(raw, sender, recipient)
    error = refusal.value
    first = error.recipients[0] if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error
    return first.code, first.message


async def test_a_ticket_goes_out_in_words_and_comes_back_solved(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    told = read(opening)
    assert told["Subject"] == f"GGUS-Ticket-ID: #{number} Transfers fail"
    assert told["Auto-Submitted"] == "auto-generated"
    assert "All of them." in told.get_content()
    assert str(told["Reply-To"]).startswith(f"savannah+{number}.")

    await ours.send(*_by(reply_to(opening, "Which files?")))
    [entry] = await ours.wait_for(Ticket.Commented)
    assert await ours.text(entry.text) == "Which files?"
    assert entry.visibility == Visibility.PUBLIC.value
    await ours.send(*_by(reply_to(opening, "#in-progress")))
    await ours.wait_for(Ticket.WorkStarted)
    await ours.send(*_by(reply_to(opening, "#solved\nRestarted the gatekeeper.")))
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


def _by(reply: tuple[bytes, str], sender: str = SUPPORTER) -> tuple[bytes, str, str]:
    raw, recipient = reply
    return raw, sender, recipient


async def test_nothing_but_entries_solutions_and_beginnings_can_be_had_by_mail(ours, mailbox):
    number = await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    for word in ("closed", "verified", "assign", "top-priority"):
        await ours.send(*_by(reply_to(opening, f"#{word} NGI_IT")))
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
    await ours.send(*_by(reply_to(opening, "I am here.")))
    await ours.wait_for(Ticket.Commented)
    assert (await ours.ledger.ticket(number)).status is Status.ASSIGNED


async def test_a_conversation_that_goes_on_by_itself_is_cut_short(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    for n in range(60):
        await ours.send(*_by(reply_to(opening, f"Thank you for your update {n}.")))
    raw, recipient = reply_to(opening, "Thank you for your update 60.")
    assert (await refused(ours, raw, SUPPORTER, recipient))[0] == 451, "they try again later"
    await ours.wait_for(Ticket.Commented, 60)
    assert len(mailbox.mails) == 1


async def test_the_same_words_again_and_doubled_message_ids(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    once = _by(reply_to(opening, "Which files?", Message_ID="<1@site.test>"))
    await asyncio.gather(*(ours.send(*once) for _ in range(4)))
    await ours.wait_for(Ticket.Commented)
    assert len(await ours.events(Exchange.MessageReceived)) == 1
    await ours.send(*_by(reply_to(opening, "Which files?")))
    [ignored] = await ours.wait_for(Exchange.Ignored)
    assert ignored.why == "said-again"
    # Another mail under the same Message-ID is another mail.
    await ours.send(*_by(reply_to(opening, "These files.", Message_ID="<1@site.test>")))
    assert len(await ours.wait_for(Ticket.Commented, 2)) == 2


async def test_entries_stand_in_the_order_of_the_mails(ours, mailbox):
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    for n in range(8):
        await ours.send(*_by(reply_to(opening, f"entry {n}")))
    entries = await ours.wait_for(Ticket.Commented, 8)
    assert [await ours.text(each.text) for each in entries] == [f"entry {n}" for n in range(8)]


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
        await ours.send(*_by(reply_to(opening, "#solved\nDone.")))
        assert await ours.events(Ticket.Solved) == []
    async with hub(database, mailbox) as ours:
        # The key of the addresses has outlived the program.
        await ours.send(*_by(reply_to(opening, "And more.")))
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
        await ours.send(*_by(reply_to(opening, "#solved\nOnce.")))
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
