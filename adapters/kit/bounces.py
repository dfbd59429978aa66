"""Delivery reports (RFC 3464): which mail of ours could not be delivered, and why."""

from email.message import Message
from typing import Final

from adapters.kit import mail
from adapters.kit.contract import Ignored, Returned
from adapters.kit.mail_marks import OurId, our_ids
from adapters.kit.text import decode, line

_WORDS_MAX: Final = 1_000
_RETURNED_BYTES_MAX: Final = 100_000


def returned(message: Message) -> Returned | Ignored:
    """What a delivery report says. ``Ignored`` where it is about no mail of ours, or mail is only late."""
    ours = returned_id(message)
    if ours is None or not ours.event_position:
        return Ignored("bounce")
    for fields in _recipients(message):
        action = mail.header(fields, "Action").lower()
        status = line(mail.header(fields, "Status"), 20).split(" ")[0]
        if action != "failed" and not (status.startswith("5.") and not action):
            continue
        words = mail.header(fields, "Diagnostic-Code") or "no reason is given"
        recipient = mail.header(fields, "Final-Recipient").rpartition(";")[2].strip()
        return Returned(
            event_position=ours.event_position,
            code=f"returned-{status or '5'}",
            detail=line(f"{recipient}: {words}", _WORDS_MAX),
        )
    return Ignored("delivery-report")


def returned_id(message: Message) -> OurId | None:
    """The Message-ID, in our form, of the mail that came back."""
    if message.get_content_type() != "multipart/report":
        return None
    for part in mail.parts(message):
        kind = part.get_content_type()
        held = part.get_payload()
        if kind == "message/rfc822" and isinstance(held, list) and held:
            header = mail.header(held[0], "Message-ID") if isinstance(held[0], Message) else ""
        elif kind == "text/rfc822-headers":
            body = part.get_payload(decode=True)
            text = decode(body[:_RETURNED_BYTES_MAX]) if isinstance(body, bytes) else ""
            lines = [each for each in text.splitlines() if each.lower().startswith("message-id:")]
            header = lines[0] if lines else ""
        else:
            continue
        if found := our_ids(header):
            return found[0]
    return None


def _recipients(message: Message) -> list[Message]:
    """The blocks of fields, one a recipient, after the one about the mail."""
    for part in mail.parts(message):
        held = part.get_payload()
        if part.get_content_type() == "message/delivery-status" and isinstance(held, list):
            return [each for each in held if isinstance(each, Message)][1:]
    return []
