"""Messages out: what a partner is told is decided and kept before it is sent.

Each conversation knows up to which position of the log it has decided (``decided_until``), so reading
the log twice decides once. What was decided and not acknowledged is sent again, the same bytes under
the same Message-ID.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct, structs

from adapters.kit.carriers import Carriers, Delivered, Parcel
from adapters.kit.clashing import mark_of, said_as
from adapters.kit.contract import Adapter, Ignored, News
from adapters.kit.conversations import CONNECTED, Conversations
from adapters.kit.hops import hop
from adapters.kit.openings import Openings
from adapters.kit.reply_addresses import ReplyAddresses
from adapters.kit.retry import Patience, Undelivered
from domain import clock, disclosure
from domain.aggregate import Event
from domain.content import Sealed
from domain.disclosure import Verdict
from domain.errors import AlreadyClaimed, NothingToDo, NotNow, Refused
from domain.exchange import Direction, Exchange, Message
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id, random_id
from domain.lifecycle import OPEN, TERMINAL
from domain.provenance import Provenance, acting
from domain.store import Recorded
from domain.ticket import Ticket
from domain.vocabulary import Visibility

log = structlog.get_logger()

ACTOR: Final = "rule:exchange@1"
_END: Final = 2**63 - 1
_ERASED: Final = "erased"
_UNTRANSLATED: Final = "translation-failed"
_TOO_MANY: Final = "too-many-openings"
_UNREACHED: Final = "not-reached"
_NO_FILES: Final[Mapping[int, str]] = MappingProxyType({})
_UNREACHED_TIMES: Final = 12
"""A partner that cannot be reached says nothing about the message: so many times more attempts, three days."""


class Attempt(Struct, frozen=True, kw_only=True):
    """How an attempt to deliver the oldest message of a conversation went."""

    pause_s: float = 0
    """Before the next one; 0 after a success."""
    answered: bool = True
    """The partner is there: it took the message, or said what is wrong with it."""
    retry_after_s: float | None = None
    """How long the partner wants to be left alone."""
    held: bool = False
    """The partner's interface is closed, so nothing was tried."""


class _Untranslatable(Exception):
    """The adapter has a defect."""


class Outbox:
    def __init__(
        self,
        conversations: Conversations,
        carriers: Carriers,
        patience: Patience,
        addresses: ReplyAddresses,
    ) -> None:
        self._conversations, self._adapters = conversations, conversations.adapters
        self._ledger = conversations.ledger
        self._carriers, self._patience = carriers, patience
        self._addresses = addresses
        self._openings = Openings()

    # -- deciding ------------------------------------------------------------------------------------

    async def begin(self, partner: Helpdesk, number: int, cause: Recorded) -> None:
        """Begin a conversation with the partner whose unit got the ticket and still has it.

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

    async def tell_whole(self, stream: UUID, cause: Recorded) -> None:
        """Decide on the first message of a conversation: the ticket, or its number where it is theirs."""
        exchange = await self._conversations.kept_or_load(stream)
        if not exchange.number or exchange.decided_until:
            return
        if exchange.theirs:
            await self._decide(exchange, cause, disclosure.CROSS_REFERENCE)
            return
        why = await self._too_many(exchange)
        files = await self._files_before(exchange, cause)
        await self._decide(exchange, cause, disclosure.OPENING, suspicion=why, files=files)

    async def _files_before(self, exchange: Exchange, cause: Recorded) -> dict[int, str]:
        """Files that follow a ticket which is told as a whole: where they were attached, and by which rule."""
        partner = await self._conversations.known_terms(exchange.helpdesk)
        history = await self._ledger.history(exchange.number, as_of=cause.position)
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

    async def consider(self, stream: UUID, happened: Recorded) -> None:
        """Decide whether the partner is told of an event of the ticket."""
        exchange = await self._conversations.kept_or_load(stream)
        if not exchange.decided_until or happened.position <= exchange.decided_until:
            return  # part of the first message, or decided before
        partner = await self._conversations.known_terms(exchange.helpdesk)
        verdict = disclosure.told(happened.event, partner.name, partner.policy)
        await self._decide(exchange, happened, verdict)

    async def _decide(
        self,
        exchange: Exchange,
        cause: Recorded,
        verdict: Verdict,
        *,
        suspicion: str = "",
        files: Mapping[int, str] = _NO_FILES,
    ) -> None:
        """``files``: rules of earlier events that are told after this one, by position.

        Their words are found one by one when their turn comes: together they may be large.
        """
        raw, defect = None, ""
        partner = await self._conversations.known_terms(exchange.helpdesk)
        adapter = self._adapters[partner.adapter]
        if verdict.disclosed:
            try:
                raw = await self._rendered(exchange, partner, adapter, cause, rule=verdict.rule)
            except _Untranslatable as error:
                defect = str(error)
            else:
                verdict = verdict if raw is not None else disclosure.NO_COUNTERPART

        def decide(fresh: Exchange) -> None:
            if cause.position <= fresh.decided_until:
                return
            if defect:
                fresh.park(
                    fresh.decide_untranslated(cause.position, verdict.rule), _UNTRANSLATED, defect
                )
            else:
                reference = fresh.decide_dispatch(
                    cause.position, verdict.rule, raw, adapter.media_type
                )
                if reference is None:
                    return
                if suspicion:
                    fresh.park(reference, _TOO_MANY, suspicion)
            for position, rule in files.items():
                fresh.decide_untranslated(position, rule)

        with acting(_provenance(cause)):
            await self._conversations.change(exchange.id, decide)

    async def told_again(
        self, exchange: Exchange, partner: Helpdesk, cause: Recorded, times: int
    ) -> bytes | None:
        """A new message about something that happened long ago; None where there is no word for it.

        ``times`` makes its identifier another than those of earlier messages about the same.
        """
        adapter = self._adapters[partner.adapter]
        try:
            return await self._rendered(exchange, partner, adapter, cause, rule="", times=times)
        except _Untranslatable:
            return None

    async def _rendered(
        self,
        exchange: Exchange,
        partner: Helpdesk,
        adapter: Adapter,
        cause: Recorded,
        *,
        rule: str,
        times: int = 0,
    ) -> bytes | None:
        """The message; None where the partner's format has no word for it. Raises ``_Untranslatable``."""
        news = await self._news(exchange, partner, cause, whole=rule == disclosure.OPENING.rule)
        if times:
            again = named_id("told-again", f"{exchange.id}.{times}")
            # Decided now, so nobody can have tried it before.
            news = structs.replace(
                news,
                message_id=news.message_id.replace(exchange.id.hex, again.hex),
                at=clock.now(),
                seen=await self._seen_now(exchange),
            )
        try:
            message = adapter.outbound(news)
        except Exception as error:  # a defect of an adapter parks this conversation alone
            log.exception("adapter failed to write", adapter=adapter.name, position=cause.position)
            raise _Untranslatable(f"{type(error).__name__}: {error}"[:1000]) from error
        return None if isinstance(message, Ignored) else message

    async def _news(
        self, exchange: Exchange, partner: Helpdesk, cause: Recorded, *, whole: bool
    ) -> News:
        history = await self._ledger.history(exchange.number, as_of=cause.position)
        ticket = Ticket.replay(history[0].event.originator_id, [each.event for each in history])
        about_ticket = cause.event.originator_id == ticket.id
        event = cause.event if about_ticket else history[0].event
        entries = [_entry(each.event, ticket) for each in history] if whole else []
        wanted = [*_sealed(event), ticket.subject, ticket.description, ticket.solution, *entries]
        found = await self._ledger.store.contents([each.id for each in wanted if each])
        file = [event.file.id] if isinstance(event, Ticket.Attached) and not whole else []
        files = await self._ledger.store.contents(file)
        place = self._conversations.place(partner)
        domain = place.our_address.rpartition("@")[2]
        return News(
            event=event,
            ticket=ticket,
            texts={id_: content.text() for id_, content in found.items()},
            files={id_: content.body for id_, content in files.items()},
            whole=whole,
            diary=[found[each.id].text() for each in entries if each and each.id in found],
            external_id=exchange.external_id,
            external_reference=exchange.external_reference,
            theirs=exchange.theirs,
            message_id=f"<{exchange.id.hex}.{cause.position}@{domain}>",
            at=cause.recorded_at,
            seen="" if whole else await self._seen(exchange, cause.position),
            hops=_way(event, cause, hop(place.our_name, ticket.number), whole=whole),
            place=place,
            reply_address=await self._addresses.address(partner.name, ticket.number),
        )

    async def _seen(self, exchange: Exchange, position: int) -> str:
        """The partner's last message that had been heard when the event happened."""
        return mark_of(await self._ledger.store.stream(exchange.id), position)

    async def _seen_now(self, exchange: Exchange) -> str:
        """What is told again is told in the light of all that was heard, and of what is just being read."""
        read = exchange.next_message(Direction.IN)
        return said_as(read.message_id) if read else await self._seen(exchange, _END)

    # -- sending -------------------------------------------------------------------------------------

    async def deliver(self, stream: UUID) -> Attempt | None:
        """Send the oldest message that waits; None when there is none."""
        exchange = await self._conversations.load(stream)
        message = exchange.next_message(Direction.OUT)
        if message is None:
            return None
        partner = await self._conversations.known_terms(exchange.helpdesk)
        if partner.interface not in CONNECTED:
            return Attempt(held=True)
        with acting(_provenance_of_delivery(message.event_position)):
            try:
                if message.raw is None:
                    await self._translate_again(exchange, message, partner)
                else:
                    await self._hand_over(exchange, message.reference, message.raw, partner)
            except Undelivered as failure:
                return await self._fail(stream, message.reference, failure)
            except Refused:
                raise
            except Exception as error:  # a defect of a courier is tried again with a limit
                log.exception("courier failed", helpdesk=partner.name, exchange=str(stream))
                what = f"{type(error).__name__}: {error}"[:1000]
                unexpected = Undelivered("courier-failed", what, final=False)
                return await self._fail(stream, message.reference, unexpected)
        return Attempt()

    async def _hand_over(
        self, exchange: Exchange, reference: int, raw: Sealed, partner: Helpdesk
    ) -> None:
        content = (await self._ledger.store.contents([raw.id])).get(raw.id)
        if content is None:
            raise Undelivered(_ERASED, "it was erased", final=True)
        parcel = Parcel(
            raw=content.body,
            external_id=exchange.external_id,
            linked_at=exchange.linked_at,
            opened_at=exchange.opened_at,
            contents=self._content,
        )
        delivered = await (await self._carriers.courier(partner)).deliver(parcel)
        await self._delivered(exchange, reference, delivered)

    async def _content(self, id_: UUID) -> bytes | None:
        found = await self._ledger.store.contents([id_])
        return found[id_].body if id_ in found else None

    async def _delivered(self, exchange: Exchange, reference: int, delivered: Delivered) -> None:
        """Record it, and their ticket with it. Raises ``Undelivered`` when that belongs to another of ours."""
        key = ""
        if delivered.external_id not in ("", exchange.external_id):
            key, _ = await self._conversations.link(exchange.helpdesk, delivered.external_id)

        def decide(fresh: Exchange, *, link: bool = True) -> None:
            fresh.record_dispatch(reference, delivered.receipt)
            reference_ = delivered.external_reference or fresh.external_reference
            told = (delivered.external_id or fresh.external_id, reference_)
            if link:
                with suppress(NothingToDo):
                    fresh.link(fresh.number, *told, link_key=key, opened_at=delivered.opened_at)

        try:
            await self._change(exchange.id, decide)
        except AlreadyClaimed as error:
            if not exchange.external_id:
                raise Undelivered("link-conflict", str(error), final=True) from error
            # They merged it into the ticket of another of ours: both go on, each with its first identifier.
            await self._change(exchange.id, lambda fresh: decide(fresh, link=False))

    async def _translate_again(
        self, exchange: Exchange, message: Message, partner: Helpdesk
    ) -> None:
        """An operator let a message go on that could not be translated before. Raises ``Undelivered``."""
        [cause] = await self._ledger.store.log(message.event_position - 1, 1)
        adapter = self._adapters[partner.adapter]
        try:
            raw = await self._rendered(exchange, partner, adapter, cause, rule=message.rule)
        except _Untranslatable as error:
            raise Undelivered(_UNTRANSLATED, str(error), final=True) from error

        def decide(fresh: Exchange) -> None:
            if raw is None:
                fresh.ignore(message.reference, "no-counterpart")
            else:
                fresh.translate(message.reference, raw, adapter.media_type)

        await self._change(exchange.id, decide)

    async def hang_up(self) -> None:
        """Close the lines to the partners; they are opened again when they are needed."""
        await self._carriers.close()

    async def _fail(self, stream: UUID, reference: int, failure: Undelivered) -> Attempt:
        attempts, parked, attempts_max = 0, False, self._patience.attempts_max
        if failure.code == _UNREACHED:
            attempts_max *= _UNREACHED_TIMES

        def decide(exchange: Exchange) -> None:
            nonlocal attempts, parked
            exchange.record_failure(reference, failure.code, str(failure))
            attempts = exchange.messages[reference].attempts
            parked = failure.final or attempts >= attempts_max
            if parked:
                exchange.park(reference, failure.code, str(failure))

        await self._change(stream, decide)
        pause_s = self._patience.pause_s(max(attempts, 1), failure.retry_after_s)
        return Attempt(
            pause_s=0 if parked else pause_s,
            answered=failure.final,
            retry_after_s=failure.retry_after_s,
        )

    async def _change(self, stream: UUID, decide: Callable[[Exchange], object]) -> None:
        try:
            await self._conversations.change(stream, decide)
        except NotNow:
            log.info("message was settled by another process", exchange=str(stream))


def _way(event: Event, cause: Recorded, ours: str, *, whole: bool) -> tuple[str, ...]:
    """What the change came through, or the request: ``event`` is its opening when ``whole``, our ticket last."""
    origin = event.provenance.origin if whole or event is cause.event else None
    before = origin.hops if origin else ()
    return (*before, ours)


def _entry(event: Event, ticket: Ticket) -> Sealed | None:
    """The text of a public entry, apart from a solution that holds: that has a place of its own."""
    if isinstance(event, Ticket.Commented) and event.visibility != Visibility.PUBLIC.value:
        return None
    sealed: Sealed | None = getattr(event, _ENTRIES.get(type(event), ""), None)
    holds = ticket.status in TERMINAL and sealed == ticket.solution
    return None if holds else sealed


_ENTRIES: Final[Mapping[type[Event], str]] = MappingProxyType({
    Ticket.Assigned: "note",
    Ticket.WorkStarted: "note",
    Ticket.ReplyRequested: "question",
    Ticket.SubmitterReplied: "text",
    Ticket.PutOnHold: "reason",
    Ticket.Solved: "solution",
    Ticket.FoundUnsolvable: "solution",
    Ticket.Reopened: "comment",
    Ticket.Commented: "text",
    Ticket.Reclassified: "justification",
})  # fmt: skip
"""Where the public text of an event stands."""


def _sealed(event: object) -> list[Sealed]:
    fields = getattr(event, "__struct_fields__", ())
    return [value for name in fields if isinstance(value := getattr(event, name), Sealed)]


def _provenance(cause: Recorded) -> Provenance:
    return Provenance(
        actor=ACTOR,
        command_id=random_id(),
        correlation_id=cause.event.provenance.correlation_id,
        causation_id=f"event:{cause.position}",
    )


def _provenance_of_delivery(position: int) -> Provenance:
    return Provenance(
        actor=ACTOR,
        command_id=random_id(),
        correlation_id=f"event:{position}",
        causation_id=f"event:{position}",
    )
