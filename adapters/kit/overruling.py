"""What an operator does about conflicts: says whose value is right, and agrees on who owns which field.

The rule has decided already and nothing waits. To overrule it is an ordinary change of the ticket, so the
partner is told of it like of any other.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from adapters.kit.conversations import Conversations
from domain import commands as c
from domain.aggregate import Aggregate
from domain.conflicts import Side
from domain.errors import NotNow, StaleVersion
from domain.helpdesk import Helpdesk
from domain.lifecycle import OPEN, Status
from domain.rights import Actor, Right, require
from domain.store import Receipt
from domain.texts import must_fit
from domain.ticket import Ticket

REASON_CHARACTERS_MAX: Final = 500


class Overruling:
    """Every method needs an ``acting`` block of its actor."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations, self._ledger = conversations, conversations.ledger

    async def resolve(
        self, actor: Actor, stream: UUID, field: str, wins: Side, reason: str
    ) -> Receipt:
        """Say whose value is right. Where it is not the ticket's, it becomes so.

        Raises ``Forbidden``, ``EntryNotFound``, ``NotNow`` and what the change of the ticket raises.
        """
        require(actor, Right.SEND)
        must_fit("reason", reason, REASON_CHARACTERS_MAX)
        exchange = await self._conversations.load(stream)
        found = exchange.conflicts.get(field)
        if found is None:
            raise NotNow(f"there is no conflict about {field}")
        ticket = await self._ledger.ticket(exchange.number)
        require(actor, Right.SEND, ticket)
        wanted = found.ours if wins is Side.OURS else found.theirs
        commands = _commands(ticket, field, wanted, reason)
        if not commands:
            receipt = await self._conversations.change(
                stream, lambda fresh: fresh.resolve_conflict(field, wins, reason)
            )
            assert receipt is not None
            return receipt

        async def together(_: Ticket) -> Sequence[Aggregate]:
            fresh = await self._conversations.load(stream)
            fresh.resolve_conflict(field, wins, reason)
            return [fresh]

        async with self._conversations.alone(stream):
            outcome = await self._ledger.execute(*commands, actor=actor, together=together)
        return outcome.receipt

    async def set_ownership(
        self,
        actor: Actor,
        helpdesk: str,
        agreed: Mapping[str, str],
        *,
        expected_version: int | None = None,
    ) -> tuple[Helpdesk, Receipt]:
        """Agree with a partner on the owners of fields, and on no others.

        Raises ``Forbidden``, ``EntryNotFound``, ``UnknownValue``, ``NothingToDo``, ``StaleVersion``.
        """
        require(actor, Right.ADMINISTER)
        partner = await self._conversations.known_partner(helpdesk)
        if expected_version is not None and expected_version != partner.version:
            raise StaleVersion(expected_version, partner.version)
        partner.set_ownership(agreed)
        receipt = await self._ledger.save(partner)
        assert receipt is not None
        return partner, receipt


def _commands(ticket: Ticket, field: str, wanted: str, reason: str) -> list[c.Command]:
    """What gives the ticket this value; nothing where it has it, or where both texts stand side by side."""
    number = ticket.number
    match field:
        case "solution":
            return []
        case "state":
            return _steps(ticket, Status(wanted), reason)
        case "unit":
            same = ticket.unit == wanted
            return [] if same else [c.Assign(number=number, unit=wanted, note=reason)]
        case _:
            if str(ticket.particular(field)) == wanted:
                return []
            return [c.Reclassify(number=number, field=field, value=wanted, justification=reason)]


def _steps(ticket: Ticket, wanted: Status, reason: str) -> list[c.Command]:
    number, steps = ticket.number, list[c.Command]()
    if ticket.status is wanted:
        return []
    if ticket.status not in OPEN:
        steps.append(c.Reopen(number=number, comment=reason))
    if wanted is Status.REOPENED and steps:
        return steps
    if wanted is Status.ASSIGNED:
        return [*steps, c.Assign(number=number, unit=ticket.unit, note=reason)]
    if wanted not in _STEPS:
        raise NotNow(f"no step leads from {ticket.status.value} to {wanted.value}")
    return [*steps, _STEPS[wanted](number, reason)]


_STEPS: Final[Mapping[Status, Callable[[int, str], c.Command]]] = MappingProxyType({
    Status.IN_PROGRESS: lambda number, why: c.StartWork(number=number, note=why),
    Status.WAITING_FOR_REPLY: lambda number, why: c.RequestReply(number=number, question=why),
    Status.ON_HOLD: lambda number, why: c.PutOnHold(number=number, reason=why),
    Status.SOLVED: lambda number, why: c.Solve(number=number, solution=why),
    Status.UNSOLVED: lambda number, why: c.FindUnsolvable(number=number, reason=why),
})  # fmt: skip
