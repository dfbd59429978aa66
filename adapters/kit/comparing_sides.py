"""Our side of a comparison: what the log says about one ticket and its conversation."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from adapters.kit.comparing import Ours
from adapters.kit.contract import Reading, Unreadable
from adapters.kit.conversations import Conversations
from adapters.kit.repairing import last_change, sent_messages
from domain import clock, disclosure
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, Policy
from domain.store import Recorded
from domain.ticket import Ticket

_MESSAGES: Final = timedelta(days=30)
"""Older ones are not asked for."""


async def our_side(
    conversations: Conversations,
    stream: UUID,
    partner: Helpdesk,
    left_out: tuple[tuple[int, int], ...] = (),
) -> tuple[Exchange, Ours] | None:
    """None where no ticket of theirs is known. ``left_out``: positions that our log lost."""
    ledger = conversations.ledger
    history = await ledger.store.stream(stream)
    exchange = Exchange.replay(stream, [each.event for each in history])
    if not exchange.external_id or not exchange.number:
        return None
    about = await ledger.history(exchange.number)
    ticket = Ticket.replay(about[0].event.originator_id, [each.event for each in about])
    place = conversations.place(partner)
    domain = place.our_address.rpartition("@")[2]
    recent = _positions_since(history, clock.now() - _MESSAGES)
    told = {
        f"<{stream.hex}.{position}@{domain}>": position
        for position, rule, _ in sent_messages(history)
        if rule != disclosure.OPENING.rule and position in recent
    }
    heard = {
        field for field in ("priority", "unit") if _by(last_change(about, field), partner.name)
    }
    return exchange, Ours(
        conversation=stream,
        number=exchange.number,
        external_id=exchange.external_id,
        linked_at=exchange.linked_at,
        opened_at=exchange.opened_at,
        status=ticket.status,
        priority=ticket.priority,
        unit=ticket.unit,
        remote_state=exchange.remote_state,
        heard_version=await _heard_version(conversations, exchange, partner),
        told=told,
        left_out=left_out,
        heard=frozenset(heard),
        units=partner.units,
        everything=partner.policy is Policy.FULL,
        quiet=not exchange.messages and exchange.decided_until >= about[-1].position,
    )


async def _heard_version(
    conversations: Conversations, exchange: Exchange, partner: Helpdesk
) -> int:
    [raw] = await conversations.bodies(exchange.heard)
    if raw is None:
        return 0
    try:
        reading = conversations.adapters[partner.adapter].read(raw)
    except Unreadable:
        return 0
    return reading.version if isinstance(reading, Reading) else 0


def _positions_since(history: Sequence[Recorded], since: datetime) -> set[int]:
    """The events of which the partner was told since then."""
    decided: dict[int, int] = {}
    found: set[int] = set()
    for each in history:
        event = each.event
        if isinstance(event, Exchange.DispatchDecided | Exchange.Repeated):
            decided[event.originator_version] = event.event_position
        elif isinstance(event, Exchange.Dispatched) and each.recorded_at >= since:
            found.add(decided.get(event.reference, 0))
    return found


def _by(change: Recorded | None, helpdesk: str) -> bool:
    return change is not None and change.event.provenance.actor == f"helpdesk:{helpdesk}"
