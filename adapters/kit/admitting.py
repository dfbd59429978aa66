"""Whether a message may have an effect at all, and which of its wishes: what is asked before a ticket is touched."""

from msgspec import structs

from adapters.kit.confirming import adopted, begun_anew
from adapters.kit.contract import Asked, Reading, Returned
from adapters.kit.conversations import Conversations
from adapters.kit.hops import HOPS_MAX, our_number
from adapters.kit.reused import ANOTHER, gave_again
from adapters.kit.verdicts import Verdict, loop
from domain import commands as c
from domain.disclosure import heard
from domain.errors import AlreadyClaimed
from domain.exchange import LOOP, Exchange
from domain.helpdesk import Helpdesk
from domain.lifecycle import OPEN
from domain.log import LOG_ID, Log
from domain.ticket import Ticket
from domain.vocabulary import TPM


class Admission:
    """Of one message of a partner."""

    def __init__(self, conversations: Conversations, partner: Helpdesk, exchange: Exchange) -> None:
        self._conversations, self._partner, self._exchange = conversations, partner, exchange
        self._ledger = conversations.ledger
        self._our_name = conversations.place(partner).our_name

    def echo(self, reading: Reading) -> bool:
        """Whether it is a change of ours that has come round to us."""
        return bool(self._exchange.number and our_number(reading.hops, self._our_name))

    def round_trip(self, reading: Reading) -> Verdict | None:
        """Whether it is a request that has come round to us."""
        if self._exchange.looped:
            return Verdict(kind="ignored", code=LOOP)
        if self._exchange.number:
            return None
        hops = reading.hops
        if ours := our_number(hops, self._our_name):
            return loop(f"it is our ticket {ours}, by way of {' '.join(hops)}")
        return loop(f"it came a longer way than {HOPS_MAX}") if len(hops) > HOPS_MAX else None

    async def opened_before(self, error: AlreadyClaimed) -> Verdict:
        """The request is here already: it went several ways."""
        holder = await self._ledger.store.holder(error.kind, error.key)
        assert holder is not None
        number = (await self._conversations.load(holder)).number
        return loop(f"the request {error.key} is our ticket {number} already")

    async def returned(self, reading: Returned) -> Verdict:
        """A message of ours came back, if this conversation sent it."""
        sent, reference = None, 0
        for each in await self._ledger.store.stream(self._exchange.id):
            match each.event:
                case Exchange.DispatchDecided() as decided:
                    if decided.event_position == reading.event_position:
                        sent, reference = decided.raw, decided.originator_version
                case Exchange.Translated() as translated if translated.reference == reference:
                    sent = translated.raw
                case _:
                    pass
        if sent is None:
            return Verdict(kind="ignored", code="not-ours")
        return Verdict(
            kind="returned",
            code=reading.code,
            detail=reading.detail,
            sent=(reading.event_position, sent),
        )

    async def conflict(self, reading: Reading) -> Verdict | None:
        """Whether the message speaks of tickets that do not belong together, or not to this partner."""
        exchange = self._exchange
        if reading.number and not exchange.number:
            return Verdict(
                kind="refused",
                code="not-exchanged",
                detail=f"ticket {reading.number} is not exchanged with {exchange.helpdesk}"
                f"{await self._lost(reading.number)}",
            )
        numbers = reading.number and reading.number != exchange.number
        externals = (
            reading.external_id
            and exchange.external_id
            and reading.external_id != exchange.external_id
            and await self._conversations.about(exchange.helpdesk, external_id=reading.external_id)
            != exchange.id  # not one of its former identifiers either
        )
        if numbers or externals:
            return Verdict(
                kind="refused",
                code="link-conflict",
                detail=f"ticket {exchange.number} is linked to {exchange.external_id or 'nothing'}; "
                f"the message says {reading.number} and {reading.external_id}",
            )
        return await self._another(reading)

    async def _another(self, reading: Reading) -> Verdict | None:
        """Whether it is about another ticket than ours or theirs, which had the same name before a restore."""
        exchange, told = self._exchange, reading.number_opened_at
        if gave_again(exchange, reading):
            detail = (
                f"{reading.external_id} is another ticket there now: made at {reading.opened_at}"
            )
            return Verdict(kind="refused", code=ANOTHER, detail=detail)
        if exchange.external_id or not reading.number or told is None:
            return None
        made_at = (await self._ledger.ticket(reading.number)).opened_at
        if made_at == told:
            return None
        detail = f"{reading.number} is another ticket here now: made at {made_at}, not {told}"
        return Verdict(kind="refused", code=ANOTHER, detail=detail)

    async def _lost(self, number: int) -> str:
        """What an operator must know of it where our log lost its end."""
        log = await self._ledger.load(Log, LOG_ID)
        lost = log is not None and log.left_out(number)
        return ": it was lost when our log was restored" if lost else ""

    async def permitted(
        self, asked: Asked, reading: Reading, ticket: Ticket | None
    ) -> tuple[list[c.Command], list[str]]:
        """What the policy and the directory let through, and what not."""
        commands, withheld, wanted = [], list(asked.withheld), asked.commands
        if asked.held and ticket:
            known = await self._is_unit(asked.held.unit)
            wanted = adopted(ticket, asked.held, unit_is_known=known)
        for command in wanted:
            name = type(command).__name__
            if not (asked.of_the_link or heard(command, self._partner.policy)):
                withheld.append(f"{name}:closing-only")
                continue
            unit = command.unit if isinstance(command, c.OpenTicket | c.Assign) else ""
            if unit and unit != TPM and not await self._is_unit(unit):
                withheld.append(f"{name}.unit:unknown")
                if isinstance(command, c.Assign):
                    commands += _elsewhere(command, reading, ticket)
                    continue
                command = structs.replace(command, unit="")  # noqa: PLW2901 - to first-line support
            commands.append(command)
        return commands, withheld

    async def _is_unit(self, name: str) -> bool:
        unit = await self._ledger.directory.unit(name)
        return unit is not None and not unit.retired


def _elsewhere(command: c.Assign, reading: Reading, ticket: Ticket | None) -> list[c.Command]:
    """The ticket went to a unit that we do not have: for a partner with our states it begins anew, the text stays."""
    assert ticket is not None
    if reading.seen and ticket.status in OPEN:
        return [begun_anew(ticket, command.note)]
    note = c.Comment(number=ticket.number, text=command.note)
    return [note] if command.note else []
