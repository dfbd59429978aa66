"""What a partner is told is decided, and the message kept, before anything is sent.

Each conversation knows up to which position of the log it has decided (``decided_until``), so reading
the log twice decides once.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct, structs

from adapters.kit.conversations import Conversations
from adapters.kit.openings import Openings
from adapters.kit.writing import Untranslatable, Writer
from domain import disclosure
from domain.disclosure import Verdict
from domain.errors import AlreadyClaimed
from domain.exchange import Exchange, Message
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.lifecycle import OPEN
from domain.provenance import Provenance, acting
from domain.store import Recorded
from domain.ticket import Ticket

log = structlog.get_logger()

ACTOR: Final = "rule:exchange@1"
UNTRANSLATED: Final = "translation-failed"
_TOO_MANY: Final = "too-many-openings"
_TOGETHER_MAX: Final = 50
_TOGETHER_BYTES_MAX: Final = 1 << 20
_NO_FILES: Final[Mapping[int, str]] = MappingProxyType({})


class _Decision(Struct, frozen=True, kw_only=True):
    cause: Recorded
    verdict: Verdict
    raw: bytes | None = None
    media_type: str = ""
    defect: str = ""
    """Why there is no message yet."""
    suspicion: str = ""
    """Why an operator is to look at it first."""
    files: Mapping[int, str] = _NO_FILES
    """Rules of earlier events that are told after this one, by position.

    Their words are found one by one when their turn comes: together they may be large.
    """
    confirms: bool = False
    """The partner is told what holds beside: it may differ since changes crossed when the ticket was over."""

    def record(self, exchange: Exchange) -> int:
        """The reference of the message in the conversation; 0 where there is none."""
        position, rule = self.cause.position, self.verdict.rule
        if position <= exchange.decided_until:
            return 0
        reference = 0
        with acting(_provenance(self.cause)):
            if self.defect:
                reference = exchange.decide_untranslated(position, rule)
                exchange.park(reference, UNTRANSLATED, self.defect)
            elif self.raw is None:
                exchange.decide_dispatch(position, rule, None)
                return 0
            else:
                reference = exchange.decide_dispatch(position, rule, self.raw, self.media_type) or 0
                if self.suspicion and reference:
                    exchange.park(reference, _TOO_MANY, self.suspicion)
            for file, file_rule in self.files.items():
                exchange.decide_untranslated(file, file_rule)
            if self.confirms:
                exchange.confirm()
        return reference


class Deciding:
    def __init__(self, conversations: Conversations, writer: Writer) -> None:
        self._conversations, self._writer = conversations, writer
        self._ledger = conversations.ledger
        self._openings = Openings()

    async def begin(self, partner: Helpdesk, number: int, cause: Recorded) -> None:
        """Begin a conversation with the partner whose unit got the ticket, now or before it was over, and still has it.

        A second time is a no-op.
        """
        ticket = await self._ledger.ticket(number)
        if ticket.unit not in partner.units or ticket.status not in OPEN:
            return
        exchange = Exchange(random_id())
        with acting(_provenance(cause)):
            exchange.open(partner.name, number)
            try:
                await self._conversations.save(exchange)
            except AlreadyClaimed:
                log.debug("the ticket is exchanged already", number=number, helpdesk=partner.name)

    async def decide(self, stream: UUID, causes: Sequence[Recorded]) -> None:
        """Decide what the partner is told in consequence of events of the conversation and of its ticket, in order."""
        together: list[_Decision] = []
        exchange = await self._conversations.seen(stream)
        for cause in causes:
            found = await self._found(exchange, cause)
            if found is None:
                continue
            together.append(found)
            size = sum(len(each.raw or b"") for each in together)
            # What follows is judged by what was decided here: else it would pass for a part of it.
            apart = cause.event.originator_id == stream or found.verdict.rule in disclosure.WHOLE
            if apart or len(together) >= _TOGETHER_MAX or size >= _TOGETHER_BYTES_MAX:
                await self._record(stream, together)
                exchange = await self._conversations.seen(stream)
                together = []
        if together:
            await self._record(stream, together)

    async def _found(self, exchange: Exchange, cause: Recorded) -> _Decision | None:
        match cause.event:
            case Exchange.Confirmed():
                undecided = 0 < exchange.decided_until < cause.position
                confirmed = disclosure.CONFIRMED
                return await self._decision(exchange, cause, confirmed) if undecided else None
            case event if event.originator_id == exchange.id:
                return await self._first(exchange, cause)
            case _:
                return await self._next(exchange, cause)

    async def _first(self, exchange: Exchange, cause: Recorded) -> _Decision | None:
        """The first message of a conversation: the ticket, or its number where it is theirs."""
        if not exchange.number or exchange.decided_until:
            return None
        if exchange.theirs:
            return await self._decision(exchange, cause, disclosure.CROSS_REFERENCE)
        return await self._decision(
            exchange,
            cause,
            disclosure.OPENING,
            suspicion=await self._too_many(exchange),
            files=await self._files_before(exchange, cause),
        )

    async def _next(self, exchange: Exchange, cause: Recorded) -> _Decision | None:
        """Whether the partner is told of an event of the ticket."""
        if not exchange.decided_until or cause.position <= exchange.decided_until:
            return None  # part of the first message, or decided before
        partner = await self._conversations.known_terms(exchange.helpdesk)
        verdict = disclosure.told(cause.event, partner.name, partner.policy)
        reopened = verdict.disclosed and isinstance(cause.event, Ticket.Reopened)
        if reopened and exchange.confirmed and not exchange.theirs:
            decision = await self._decision(exchange, cause, verdict)
            return structs.replace(decision, confirms=True)
        if reopened and await self._told_when_over(exchange):
            files = await self._files_before(exchange, cause)
            again = dict.fromkeys(files, disclosure.OPENING_ANEW.rule)
            return await self._decision(exchange, cause, disclosure.OPENING_ANEW, files=again)
        return await self._decision(exchange, cause, verdict)

    async def _told_when_over(self, exchange: Exchange) -> bool:
        """Whether the partner was told of a ticket on which nobody worked any more, and may not have taken it."""
        if exchange.external_id or exchange.theirs:
            return False
        position = await self._writer.told_whole(exchange)
        history = await self._ledger.history(exchange.number, as_of=position)
        ticket = Ticket.replay(history[0].event.originator_id, [each.event for each in history])
        return ticket.status not in OPEN

    async def _decision(
        self,
        exchange: Exchange,
        cause: Recorded,
        verdict: Verdict,
        *,
        suspicion: str = "",
        files: Mapping[int, str] = _NO_FILES,
    ) -> _Decision:
        if not verdict.disclosed:
            return _Decision(cause=cause, verdict=verdict)
        partner = await self._conversations.known_terms(exchange.helpdesk)
        try:
            raw = await self._writer.message(exchange, partner, cause, verdict.rule)
        except Untranslatable as error:
            return _Decision(cause=cause, verdict=verdict, defect=str(error), files=files)
        if raw is None:
            return _Decision(cause=cause, verdict=disclosure.NO_COUNTERPART)
        media_type = self._conversations.adapters[partner.adapter].media_type
        return _Decision(
            cause=cause, verdict=verdict, raw=raw, media_type=media_type, suspicion=suspicion, files=files
        )  # fmt: skip

    async def _record(self, stream: UUID, decisions: Sequence[_Decision]) -> None:
        written: list[tuple[Message, bytes]] = []

        def record(fresh: Exchange) -> None:
            written[:] = [
                (fresh.messages[reference], each.raw)
                for each in decisions
                if (reference := each.record(fresh)) and each.raw is not None
            ]

        await self._conversations.change(stream, record)
        for message, raw in written:
            self._conversations.recent.remember(message, raw)

    async def _files_before(self, exchange: Exchange, cause: Recorded) -> dict[int, str]:
        """Files that follow a ticket which is told as a whole: where they were attached, and by which rule."""
        partner = await self._conversations.known_terms(exchange.helpdesk)
        history = await self._conversations.history(exchange.number, cause.position)
        ticket = Ticket.replay(history[0].event.originator_id, [each.event for each in history])
        versions = {each.version for each in ticket.files}
        verdicts = {
            each.position: disclosure.shared(each.event, partner.policy)
            for each in history
            if each.event.originator_version in versions
        }
        return {position: each.rule for position, each in verdicts.items() if each.disclosed}

    async def _too_many(self, exchange: Exchange) -> str:
        """Whether tickets of partners that are passed on to this one may be going round."""
        opening = (await self._ledger.history(exchange.number, version=1))[0].event
        if opening.provenance.origin is None or not isinstance(opening, Ticket.Opened):
            return ""
        sealed = [opening.subject.id] if opening.subject else []
        found = await self._ledger.store.contents(sealed)
        subject = "".join(each.text() for each in found.values())
        return self._openings.too_many(exchange.helpdesk, subject)


def _provenance(cause: Recorded) -> Provenance:
    return Provenance(
        actor=ACTOR,
        command_id=random_id(),
        correlation_id=cause.event.provenance.correlation_id,
        causation_id=f"event:{cause.position}",
    )
