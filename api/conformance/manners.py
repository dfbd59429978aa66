"""How a partner's interface works, as far as conformance cases differ by it."""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from adapters.helpdesks.ggus_soap.mapping import GgusSoap
from adapters.helpdesks.webhook.mapping import Webhook
from adapters.kit.assembly import ExchangeParts
from adapters.kit.mail_door import ByPeople
from domain.helpdesk import Helpdesk


class Manner(Enum):
    MACHINE_MAIL = "mail between machines"
    PEOPLE_MAIL = "mail that people write and read"
    WEBHOOK = "signed messages over HTTP, both ways"
    CALLS = "their client calls us and asks"
    FETCHED = "we write to their interface, and fetch their changes from it"


_BY_NAME: Final[Mapping[str, Manner]] = MappingProxyType({
    Webhook.name: Manner.WEBHOOK,
    GgusSoap.name: Manner.CALLS,
})  # fmt: skip

BY_HAND: Final[Mapping[Manner, str]] = MappingProxyType({
    Manner.MACHINE_MAIL:
        "Your desk takes our mails by itself. Somebody works in its tickets when it is your turn; your system writes the mails.",
    Manner.PEOPLE_MAIL:
        "Somebody reads our mails and replies to them when it is your turn. What is written stands above the quotation; "
        "a first line #solved solves the ticket.",
    Manner.WEBHOOK:
        "Your system takes our messages by itself. Somebody works in its tickets when it is your turn, or a program does.",
    Manner.CALLS:
        "Nothing is sent to you: your client fetches our tickets (TicketGet) and writes to them (TicketModify), by itself or "
        "when somebody starts it. It tells us your ticket for ours with GHD_Origin_ID and GHD_Origin_SG.",
    Manner.FETCHED:
        "We write into your system and fetch what changes there. Somebody works in its tickets when it is your turn.",
})  # fmt: skip
"""Who does what on the partner's side."""

assert set(BY_HAND) == set(Manner), "partners of every kind are told what to do"


def manner_of(exchange: ExchangeParts, partner: Helpdesk) -> Manner | None:
    """None where nobody knows the partner's adapter."""
    adapter = exchange.conversations.adapters.get(partner.adapter)
    if adapter is None:
        return None
    if adapter.name in _BY_NAME:
        return _BY_NAME[adapter.name]
    if exchange.carriers.polled(partner):
        return Manner.FETCHED
    return Manner.PEOPLE_MAIL if isinstance(adapter, ByPeople) else Manner.MACHINE_MAIL
