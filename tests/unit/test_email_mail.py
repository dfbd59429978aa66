"""What keeps machines and forgers out of conversations by mail, and what a bounce says."""

import asyncio
import email
from datetime import timedelta
from email.message import Message

import pytest

from adapters.helpdesks.email.mapping import Email
from adapters.kit import mail
from adapters.kit.contract import Ignored, Returned
from adapters.kit.mail_automatic import unmeant
from adapters.kit.mail_marks import conversation_id, number_in, our_ids, references
from adapters.kit.reply_addresses import ReplyAddresses, SigningKey, number_of


async def key() -> list[SigningKey]:
    return [SigningKey(b"k" * 32)]


async def other_key() -> list[SigningKey]:
    return [SigningKey(b"o" * 32)]


async def test_a_signed_address_names_its_ticket_and_no_other():
    addresses = ReplyAddresses("hub.test", key)
    address = await addresses.address("savannah", 17)
    local, _, domain = address.partition("@")
    name, _, detail = local.partition("+")
    assert (name, domain) == ("savannah", "hub.test")
    assert len(local) <= 64
    assert await addresses.number("savannah", detail) == 17
    assert await addresses.number("savannah", detail.upper()) == 17
    assert await addresses.number("osg", detail) == 0, "of another helpdesk"
    assert await addresses.number("savannah", detail.replace("17.", "18.")) == 0
    assert await addresses.number("savannah", detail[:-1]) == 0
    assert await ReplyAddresses("hub.test", other_key).number("savannah", detail) == 0
    assert number_of(detail) == 17


async def test_a_key_that_was_replaced_is_believed_until_its_time_and_signs_nothing(clock):
    until = clock.now + timedelta(days=2)
    kept = [SigningKey(b"k" * 32)]

    async def keys() -> list[SigningKey]:
        return kept

    addresses = ReplyAddresses("hub.test", keys)
    old = detail_of(await addresses.address("savannah", 17))
    kept[:] = [SigningKey(b"o" * 32), SigningKey(b"k" * 32, until)]
    elsewhere = detail_of(await ReplyAddresses("hub.test", other_key).address("savannah", 17))
    clock.now += timedelta(seconds=1)
    assert await addresses.number("savannah", elsewhere) == 17, "signed by another process already"
    assert detail_of(await addresses.address("savannah", 17)) == elsewhere != old
    assert await addresses.number("savannah", old) == 17
    clock.now = until - timedelta(seconds=1)
    assert await addresses.number("savannah", old) == 17
    clock.now = until
    assert await addresses.number("savannah", old) == 0
    assert await addresses.number("savannah", elsewhere) == 17


async def test_forged_addresses_have_keys_looked_up_once_a_second_at_most(clock):
    asked = 0

    async def keys() -> list[SigningKey]:
        nonlocal asked
        asked += 1
        return await key()

    addresses = ReplyAddresses("hub.test", keys)

    async def guess() -> None:
        """Each guess waits until there may be another look, so all are made at once."""
        detail = "17.aaaaaaaaaaaaaaaa"
        found = await asyncio.gather(*(addresses.number("savannah", detail) for _ in range(100)))
        assert not any(found)

    await guess()
    assert asked == 1
    clock.now += timedelta(seconds=2)
    await guess()
    assert asked == 2


def detail_of(address: str) -> str:
    return address.partition("@")[0].partition("+")[2]


async def test_without_a_key_no_address_is_given_out_or_believed():
    addresses = ReplyAddresses("hub.test")
    assert await addresses.address("savannah", 17) == ""
    detail = (await ReplyAddresses("hub.test", key).address("savannah", 17)).partition("@")[0]
    assert await addresses.number("savannah", detail.partition("+")[2]) == 0


@pytest.mark.parametrize(
    "detail", ["", "17", "17.", "0.aaaaaaaaaaaaaaaa", "17.aaaaaaaaaaaaaaa1", "x"]
)
async def test_other_details_name_no_ticket(detail):
    assert await ReplyAddresses("hub.test", key).number("savannah", detail) == 0


AUTOMATIC = [
    ("Auto-Submitted: auto-replied", "automatic-answer"),
    ("Auto-Submitted: auto-generated", "automatic-answer"),
    ("Auto-Submitted: no", ""),
    ("Precedence: bulk", "list"),
    ("Precedence: auto_reply", "automatic-answer"),
    ("List-Id: <x.test>", "list"),
    ("X-Loop: x@y.test", "loop"),
    ("X-Autoreply: yes", "automatic-answer"),
    ("Return-Path: <>", "bounce"),
    ("From: MAILER-DAEMON@x.test", "bounce"),
    ("From: noreply@x.test", "automatic-answer"),
    ("Subject: Automatic reply: hello", "automatic-answer"),
    ("Subject: Abwesenheitsnotiz: hello", "automatic-answer"),
    ("Subject: =?utf-8?q?R=C3=A9ponse_automatique_=3A_x?=", "automatic-answer"),
    ("Subject: Re: GGUS-Ticket-ID: #17 out of office hours the disk fails", ""),
    ("Subject: Re: vacation of nodes", ""),
    ("\r\n".join(["Received: x"] * 31), "loop"),
    ("Subject: Re: hello", ""),
]


@pytest.mark.parametrize(("header", "why"), AUTOMATIC)
def test_mail_that_nobody_wrote_for_us_is_known(header, why):
    assert unmeant(email.message_from_string(f"{header}\r\n\r\ntext")) == why


OURS = "0123456789abcdef0123456789abcdef"


def test_message_ids_of_ours_are_known_by_their_form():
    assert conversation_id(f"<{OURS}.40@hub.test>") == f"<{OURS}@hub.test>"
    [first, second] = our_ids(
        f"<x@y> <{OURS}.40@hub.test> <{OURS}@Hub.test> <{OURS[1:]}.4@hub.test>"
    )
    assert (first.exchange.hex, first.event_position, first.domain) == (OURS, 40, "hub.test")
    assert second.event_position == 0


def test_the_nearest_reference_comes_first():
    message = Message()
    message["In-Reply-To"] = f"<{OURS}.7@hub.test>"
    message["References"] = f"<{OURS}.1@hub.test>\r\n <x@y.test> <{OURS}.2@hub.test>"
    assert [each.event_position for each in references(message)] == [7, 2, 1]
    long = Message()
    long["References"] = " ".join(f"<{OURS}.{n}@hub.test>" for n in range(1, 90_000))
    assert len(references(long)) <= 50


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Re: GGUS-Ticket-ID: #17 x", 17),
        ("AW: [x] ggus-ticket-id:#18", 18),
        ("ticket 17", 0),
        ("", 0),
    ],
)
def test_the_number_in_a_subject(subject, number):
    assert number_in(subject) == number


def report(
    action: str = "failed", status: str = "5.1.1", message_id: str = f"<{OURS}.40@hub.test>",
    returned: str = "message/rfc822",
) -> bytes:  # fmt: skip
    """A delivery report as exim and Postfix write it."""
    return "\r\n".join([
        "From: Mail Delivery System <Mailer-Daemon@list.test>", "To: savannah@hub.test",
        "Auto-Submitted: auto-replied", "Subject: Mail delivery failed", "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "",
        "--b", "Content-type: text/plain; charset=us-ascii", "", "It could not be delivered.", "",
        "--b", "Content-type: message/delivery-status", "",
        "Reporting-MTA: dns; list.test", "",
        f"Action: {action}", "Final-Recipient: rfc822;support@list.test", f"Status: {status}",
        "Diagnostic-Code: smtp; 550 no such list", "",
        "--b", f"Content-type: {returned}", "",
        "From: savannah@hub.test", f"Message-ID: {message_id}", "Subject: GGUS-Ticket-ID: #17", "",
        "--b--", "",
    ]).encode()  # fmt: skip


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers"])
def test_a_failed_delivery_is_told_with_the_words_of_the_mail_system(returned):
    assert Email().read(report(returned=returned)) == Returned(
        event_position=40,
        code="returned-5.1.1",
        detail="support@list.test: smtp; 550 no such list",
    )


def test_delays_and_reports_about_others_mails_have_no_effect():
    assert Email().read(report("delayed", "4.4.1")) == Ignored("delivery-report")
    assert Email().read(report(message_id="<1@elsewhere.test>")) == Ignored("bounce")
    assert Email().read(report(message_id=f"<{OURS}@hub.test>")) == Ignored("bounce")


@pytest.mark.parametrize("cut", range(0, len(report()), 23))
def test_half_a_report_is_no_surprise(cut):
    raw = report()[:cut]
    if mail.parse(raw).get_content_type() == "multipart/report":
        assert isinstance(Email().read(raw), Returned | Ignored)
