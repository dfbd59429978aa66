"""Which ticket the fields speak of, and of whom."""

import re
from collections.abc import Mapping
from typing import Final

from adapters.kit import mail
from adapters.kit.contract import Contact, Unreadable
from adapters.kit.text import line
from domain.identifiers import NUMBER_MAX

_NUMBER: Final = re.compile(r"(?:[A-Za-z]{2,16}[-_ ])?#?0{0,9}(\d{1,9})")


def number_of(fields: Mapping[str, str]) -> int:
    """Our number, as the partner believes; 0 for none. Raises ``Unreadable``."""
    text = fields.get("GHD_Request-ID", "")
    if not text:
        return 0
    found = _NUMBER.fullmatch(text)
    if not found:
        raise Unreadable(f"GHD_Request-ID {text[:60]!r} is not a ticket number")
    number = int(found[1])
    return number if number <= NUMBER_MAX else 0


def is_number(text: str, number: int) -> bool:
    """Whether an identifier is nothing but our number, sent back."""
    found = _NUMBER.fullmatch(text)
    return found is not None and int(found[1]) == number


def submitter(fields: Mapping[str, str]) -> Contact | None:
    """Who opened the ticket, as far as the fields say; None where they say nothing of it."""
    contact = Contact(
        name=line(fields.get("GHD_Name", ""), 200),
        mail=mail.address(fields.get("GHD_E-Mail", "")),
        phone=line(fields.get("GHD_Phone", ""), 100),
        login=line(fields.get("GHD_Loginname", ""), 500),
    )
    return contact if contact != Contact() else None
