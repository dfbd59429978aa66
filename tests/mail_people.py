"""What the tests of mail with people share: a helpdesk that has nothing but mail, and replies as people send them."""

from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP, default

import aiosmtplib
import pytest

from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from tests.exchange_scenarios import Hub, by_test

LIST = "support@list.test"
SUPPORTER = "supporter@site.test"
PLAIN = "savannah@hub.test"
"""The address of the helpdesk with us, without a ticket in it."""


async def join(ours: Hub, policy: Policy = Policy.FULL) -> None:
    """Register the helpdesk ``savannah``, which works for NGI_DE."""
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "savannah"))
        helpdesk.register("savannah", "email", ["NGI_DE"], address=LIST, sender=LIST)
        helpdesk.set_policy(policy)
        helpdesk.set_interface(InterfaceState.LIVE)
        await ours.ledger.save(helpdesk)


def read(raw: bytes) -> Message:
    return message_from_bytes(raw, policy=default)


def reply_to(raw: bytes, text: str, **headers: str) -> tuple[bytes, str]:
    """A reply as a mail program writes it, and the address that it goes to."""
    told = read(raw)
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = SUPPORTER, told["Reply-To"]
    message["Subject"] = f"Re: {told['Subject']}"
    message["Message-ID"] = f"<{random_id().hex}@site.test>"
    message["In-Reply-To"] = told["Message-ID"]
    message["References"] = f"{told['References']} {told['Message-ID']}"
    for name, value in headers.items():
        header = name.replace("_", "-")
        del message[header]
        if value:
            message[header] = value
    quoted = "".join(f"> {line}\n" for line in told.get_content().splitlines())
    message.set_content(f"{text}\n\nOn Mon, 2 Mar 2026 at 09:30, GGUS wrote:\n{quoted}")
    return message.as_bytes(), str(told["Reply-To"])


def bounce_of(raw: bytes, status: str = "5.1.1") -> bytes:
    """A delivery report about one of our mails."""
    told = read(raw)
    return "\r\n".join([
        "From: Mail Delivery System <Mailer-Daemon@list.test>", "To: savannah@hub.test",
        "Auto-Submitted: auto-replied", "Subject: Mail delivery failed", "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', "",
        "--b", "Content-type: text/plain; charset=us-ascii", "", "It could not be delivered.", "",
        "--b", "Content-type: message/delivery-status", "", "Reporting-MTA: dns; list.test", "",
        "Action: failed", f"Final-Recipient: rfc822;{LIST}", f"Status: {status}",
        "Diagnostic-Code: smtp; 550 no such list", "",
        "--b", "Content-type: text/rfc822-headers", "",
        f"Message-ID: {told['Message-ID']}", f"Subject: {told['Subject']}", "", "--b--", "",
    ]).encode()  # fmt: skip


def sent_by(reply: tuple[bytes, str], sender: str = SUPPORTER) -> tuple[bytes, str, str]:
    """What ``Hub.send`` takes: the mail, who sends it, and where to."""
    raw, recipient = reply
    return raw, sender, recipient


async def refused(ours: Hub, raw: bytes, sender: str, recipient: str) -> tuple[int, str]:
    """Send a mail that is refused at the door; with which code and words."""
    with pytest.raises((aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError)) as refusal:
        await ours.send(raw, sender, recipient)
    error = refusal.value
    first = error.recipients[0] if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error
    return first.code, first.message


async def conversation(ours: Hub, number: int) -> Exchange:
    stream = await ours.store.holder("exchange:savannah", str(number))
    assert stream is not None
    return await ours.parts.conversations.load(stream)
