"""What is done about a divergence: by a rule where it is certain, by an operator's word where it is not."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import structs

from adapters.kit.comparing import GONE, Difference, Repair
from adapters.kit.conversations import Conversations
from adapters.kit.reused import ANOTHER
from adapters.kit.writing import Writer
from domain import commands as c
from domain.aggregate import Aggregate
from domain.content import Sealed
from domain.divergences import Divergence
from domain.errors import NotNow
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.lifecycle import OPEN, Status
from domain.provenance import Origin, acting, attribution
from domain.rights import Actor, Right, require
from domain.store import Receipt, Recorded
from domain.texts import must_fit
from domain.ticket import Ticket

RULE: Final = "told-again@1"
REASON_CHARACTERS_MAX: Final = 500

Effect = Callable[[Exchange], object]
"""Decided together with the divergence."""

_OF_STATE: Final = (
    Ticket.WorkStarted, Ticket.ReplyRequested, Ticket.SubmitterReplied, Ticket.PutOnHold,
    Ticket.Solved, Ticket.FoundUnsolvable, Ticket.Reopened,
)  # fmt: skip

_BY_HAND: Final[Mapping[str, Repair]] = MappingProxyType({
    "ticket":    Repair.CREATE,
    "number":    Repair.CREATE,
    "messages":  Repair.REPEAT,
    "forgotten": Repair.NONE,
    "doubled":   Repair.NONE,
    "state":     Repair.TELL,
    "priority":  Repair.TELL,
    "unit":      Repair.TELL,
})  # fmt: skip
"""What it means that ours wins."""


def last_change(history: Sequence[Recorded], field: str) -> Recorded | None:
    """The event that made a field of the ticket what it is."""
    return next((each for each in reversed(history) if _changes(each, field)), None)


def _changes(recorded: Recorded, field: str) -> bool:
    event = recorded.event
    match field:
        case "state":
            return isinstance(event, _OF_STATE)
        case "unit":
            return isinstance(event, Ticket.Assigned)
        case _:
            return isinstance(event, Ticket.Reclassified) and event.field == field


class Repairing:
    def __init__(self, conversations: Conversations, writer: Writer) -> None:
        self._conversations, self._writer = conversations, writer
        self._ledger = conversations.ledger

    async def effect(
        self, exchange: Exchange, partner: Helpdesk, found: Difference
    ) -> Effect | None:
        """How it is put right; None where that cannot be done."""
        match found.repair:
            case Repair.CREATE:
                key, _ = await self._conversations.link(exchange.helpdesk, exchange.external_id)
                why = GONE if found.theirs == GONE else ANOTHER
                return lambda fresh: fresh.unlink(key, why)
            case Repair.FOLLOW:
                return await self._follow(exchange, found.theirs)
            case Repair.REPEAT:
                return await self._repeat(exchange, {int(each) for each in found.ours.split()})
            case Repair.NUMBER:
                return await self.tell(exchange, partner, "number")
            case Repair.TELL:
                return await self.tell(exchange, partner, found.field)
            case _:
                return None

    async def _follow(self, exchange: Exchange, moved_to: str) -> Effect | None:
        key, holder = await self._conversations.link(exchange.helpdesk, moved_to)
        if holder is not None:
            return None
        return lambda fresh: fresh.link(fresh.number, moved_to, link_key=key)

    async def _repeat(self, exchange: Exchange, positions: set[int]) -> Effect | None:
        sent = sent_messages(await self._ledger.store.stream(exchange.id))
        lost = [each for each in sent if each[0] in positions]

        def repeat(fresh: Exchange) -> None:
            for position, rule, raw in lost:
                fresh.repeat(position, rule, raw)

        return repeat if lost else None

    async def tell(self, exchange: Exchange, partner: Helpdesk, field: str) -> Effect | None:
        """Tell the partner our value of a field again; None where there is no word for it."""
        history = await self._ledger.history(exchange.number)
        cause = history[0] if field == "number" else last_change(history, field)
        if cause is None:
            return None
        # Versions are given a second time when our log loses its end; positions are not.
        times = await self._ledger.store.head()
        raw = await self._writer.told_again(exchange, partner, cause, times)
        if raw is None:
            return None
        media_type = self._conversations.adapters[partner.adapter].media_type

        def tell(fresh: Exchange) -> None:
            fresh.repeat(cause.position, RULE, fresh.seal_bytes(raw, media_type))

        return tell

    # -- by hand -------------------------------------------------------------------------------------

    async def settle(
        self, actor: Actor, stream: UUID, field: str, *, ours: bool, reason: str
    ) -> Receipt:
        """Decide whose value is right. Needs an ``acting`` block of the actor.

        Ours is told the partner. Theirs is taken, or where it is no value of the ticket, let be.
        Raises ``Forbidden``, ``EntryNotFound``, ``NotNow``, ``NothingToDo``.
        """
        require(actor, Right.SEND)
        must_fit("reason", reason, REASON_CHARACTERS_MAX)
        exchange = await self._conversations.load(stream)
        found = exchange.diverged.get(field)
        if found is None:
            raise NotNow(f"{field} does not diverge")
        require(actor, Right.SEND, await self._ledger.ticket(exchange.number))
        partner = await self._conversations.known_partner(exchange.helpdesk)
        if ours:
            return await self._ours(exchange, partner, field, reason)
        return await self._theirs(actor, exchange, partner, field, reason)

    async def _ours(
        self, exchange: Exchange, partner: Helpdesk, field: str, reason: str
    ) -> Receipt:
        known = exchange.diverged[field]
        found = Difference(field, known.ours, known.theirs, _BY_HAND[field])
        effect = await self.effect(exchange, partner, found)
        if effect is None:
            raise NotNow(f"the partner cannot be told of its {field}")

        def decide(fresh: Exchange) -> None:
            fresh.settle(field, "ours", reason)
            effect(fresh)

        receipt = await self._conversations.change(exchange.id, decide)
        assert receipt is not None
        return receipt

    async def _theirs(
        self, actor: Actor, exchange: Exchange, partner: Helpdesk, field: str, reason: str
    ) -> Receipt:
        command = await self._command(exchange, partner, field, reason)
        if command is None:
            receipt = await self._conversations.change(
                exchange.id, lambda fresh: fresh.settle(field, "theirs", reason)
            )
            assert receipt is not None
            return receipt

        async def together(_: Ticket) -> Sequence[Aggregate]:
            fresh = await self._conversations.load(exchange.id)
            fresh.settle(field, "theirs", reason)
            return [fresh]

        provenance, at = attribution()
        # It is the partner's value, so the partner is not told of it.
        origin = Origin(partner.name, f"divergence:{exchange.version}")
        with acting(structs.replace(provenance, origin=origin), at):
            async with self._conversations.alone(exchange.id):
                outcome = await self._ledger.execute(command, actor=actor, together=together)
        return outcome.receipt

    async def _command(
        self, exchange: Exchange, partner: Helpdesk, field: str, reason: str
    ) -> c.Command | None:
        known, words = exchange.diverged[field], self._conversations.place(partner).words
        ticket = await self._ledger.ticket(exchange.number)
        match field:
            case "state":
                return _step(ticket, words.states.read(known.theirs), known, reason)
            case "priority":
                value = words.priorities.read(known.theirs)
                if not value:
                    raise NotNow(f"{known.theirs!r} is none of the priorities that were agreed on")
                return c.Reclassify(
                    number=ticket.number, field="priority", value=value, justification=reason
                )
            case "unit":
                named = words.units.read(known.theirs)
                return c.Assign(number=ticket.number, unit=known.theirs if named is None else named)
            case _:
                return None


def _step(ticket: Ticket, said: str | None, known: Divergence, reason: str) -> c.Command:
    """What moves our ticket to where theirs is."""
    status = Status(said) if said else None
    number = ticket.number
    if ticket.status not in OPEN and status in OPEN:
        return c.Reopen(number=number, comment=reason)
    match status:
        case Status.IN_PROGRESS:
            return c.StartWork(number=number, note=reason)
        case Status.WAITING_FOR_REPLY:
            return c.RequestReply(number=number, question=reason)
        case Status.ON_HOLD:
            return c.PutOnHold(number=number, reason=reason)
        case Status.SOLVED | Status.VERIFIED | Status.CLOSED:
            return c.Solve(number=number, solution=reason)
        case Status.UNSOLVED:
            return c.FindUnsolvable(number=number, reason=reason)
        case _:
            raise NotNow(f"no step leads from {ticket.status.value} to their {known.theirs!r}")


def sent_messages(history: Sequence[Recorded]) -> list[tuple[int, str, Sealed]]:
    """What the partner took since it was told the whole: position of the event, rule and bytes, in order."""
    decided: dict[int, tuple[int, str, Sealed | None]] = {}
    sent: dict[int, tuple[int, str, Sealed]] = {}
    for each in history:
        match each.event:
            case Exchange.DispatchDecided() as event if event.disclosed:
                decided[event.originator_version] = (event.event_position, event.rule, event.raw)
            case Exchange.Repeated() as event:
                decided[event.originator_version] = (event.event_position, event.rule, event.raw)
            case Exchange.Translated() as event if event.reference in decided:
                position, rule, _ = decided[event.reference]
                decided[event.reference] = (position, rule, event.raw)
            case Exchange.Dispatched() as event if event.reference in decided:
                position, rule, raw = decided[event.reference]
                if raw is not None and rule != RULE:
                    sent[position] = (position, rule, raw)
            case Exchange.Unlinked():
                decided.clear()
                sent.clear()
            case _:
                pass
    return [sent[position] for position in sorted(sent)]
