"""Our tickets as a partner may look at them: what both sides agreed on of those that are exchanged with it, no more."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from adapters.kit.conversations import Conversations
from adapters.kit.hops import hop, our_number, parted
from adapters.kit.words import priority_there, status_there, unit_there
from domain.content import SealedFile
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, Policy
from domain.lifecycle import OPEN
from domain.store import Recorded
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from domain.words import Words

LOOK_MAX: Final = 50
"""Tickets of one look."""
TAKEN_MAX: Final = 1_000


class Agreed(Struct, frozen=True, kw_only=True):
    """The fields of a ticket on which both sides agreed, in the partner's words. Empty: not told, or nothing."""

    state: str = ""
    unit: str = ""
    priority: str = ""
    category: str = ""
    issue_type: str = ""
    vo: str = ""
    affected_site: str = ""


class SharedTicket(Agreed, frozen=True, kw_only=True):
    """A ticket of ours that is exchanged with the partner that looks."""

    asked: str
    """As the partner named it; in a list as we do."""
    id: str
    """As we name it."""
    yours: str
    """The partner's ticket; empty as long as we do not know it."""
    opened_at: datetime
    """When ours was made. With another one it is another ticket, whatever its id."""
    version: int
    """Grows with every change, the same as in events."""
    settled: bool
    """Nothing is under way or parked, either way: else the fields may differ because of that."""
    taken: list[str] | None
    """The ids of all messages about it that we took from the partner; null where there are too many to say."""
    digest: str
    """Of what was agreed on: SHA-256 of the lines ``name=value`` in order of their names, in hexadecimal."""


async def shared(
    conversations: Conversations, partner: Helpdesk, named: str
) -> SharedTicket | None:
    """A ticket under our name or the partner's; None where none such is exchanged with this partner."""
    number = our_number((named,), conversations.place(partner).our_name)
    if number:
        stream = await conversations.ledger.store.holder(f"exchange:{partner.name}", str(number))
    else:
        _, stream = await conversations.link(partner.name, named)
    found = await of_conversation(conversations, partner, stream, named) if stream else None
    return found if found and (number or found.yours == named) else None


async def shared_file(
    conversations: Conversations, partner: Helpdesk, named: str, sha256: str
) -> tuple[SealedFile, bytes] | None:
    """A public file of such a ticket; None where there is none that this partner is told of, or it was erased."""
    found = await shared(conversations, partner, named)
    if found is None or partner.policy is not Policy.FULL:
        return None
    ledger = conversations.ledger
    for each in (await ledger.ticket(parted(found.id)[1])).files:
        if each.file.sha256 == sha256 and each.visibility == Visibility.PUBLIC.value:
            body = (await ledger.store.contents([each.file.id])).get(each.file.id)
            if body is not None:
                return each.file, body.body
    return None


async def of_conversation(
    conversations: Conversations, partner: Helpdesk, stream: UUID, named: str = ""
) -> SharedTicket | None:
    """The ticket of a conversation with this partner; None where it has none."""
    ledger, place = conversations.ledger, conversations.place(partner)
    history = await ledger.store.stream(stream)
    exchange = Exchange.replay(stream, [each.event for each in history])
    if exchange.helpdesk != partner.name or not exchange.number:
        return None
    about = await ledger.history(exchange.number)
    ticket = Ticket.replay(about[0].event.originator_id, [each.event for each in about])
    agreed = agreed_on(ticket, partner.policy, place.words)
    ours = hop(place.our_name, ticket.number)
    return SharedTicket(
        asked=named or ours,
        id=ours,
        yours=exchange.external_id,
        opened_at=ticket.opened_at,
        version=about[-1].position,
        settled=not exchange.messages and exchange.decided_until >= about[-1].position,
        taken=_taken(history),
        digest=digest(agreed),
        **msgspec.structs.asdict(agreed),
    )


def agreed_on(ticket: Ticket, policy: Policy, words: Words) -> Agreed:
    """What a partner with this policy is told of a ticket's fields."""
    over = ticket.status not in OPEN
    full = policy is Policy.FULL
    unit = unit_there(words, ticket.unit)
    if not full:
        return Agreed(state=status_there(words, ticket.status) if over else "", unit=unit)
    category = ticket.particular("category")
    return Agreed(
        state=status_there(words, ticket.status),
        unit=unit,
        priority=priority_there(words, ticket.priority),
        category=words.categories.write(category) or category,
        issue_type=ticket.particular("issue_type"),
        vo=ticket.vo,
        affected_site=ticket.notified_site or ticket.affected_site,
    )


def digest(agreed: Agreed) -> str:
    """See ``SharedTicket.digest``."""
    lines = [f"{name}={getattr(agreed, name)}\n" for name in sorted(Agreed.__struct_fields__)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _taken(history: Sequence[Recorded]) -> list[str] | None:
    found = [
        each.event.message_id
        for each in history
        if isinstance(each.event, Exchange.MessageReceived)
    ]
    return found if len(found) <= TAKEN_MAX else None
