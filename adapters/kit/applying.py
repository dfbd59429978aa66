"""One message in: from its bytes to its effect, or to the reason why it has none."""

from collections.abc import Iterable, Sequence
from typing import Final

import structlog

from adapters.kit.admitting import Admission
from adapters.kit.carrying import REQUEST, Carrying, Judged, Settled
from adapters.kit.clashing import Scales, Weighed, touches
from adapters.kit.contract import (
    Adapter,
    Asked,
    Before,
    Ignored,
    Reading,
    Returned,
    Unreadable,
)
from adapters.kit.conversations import ATTEMPTS_MAX, Conversations
from adapters.kit.hops import as_for_us
from adapters.kit.seen import still_to_hear, unseen_by
from adapters.kit.verdicts import Effect, TellAgain, Verdict, failed
from domain import commands as c
from domain.conflicts import Clash, Side
from domain.errors import AlreadyClaimed, Refused, StaleVersion, StoreUnavailable
from domain.exchange import Exchange, Message
from domain.helpdesk import Helpdesk
from domain.store import Receipt
from domain.ticket import Ticket

log = structlog.get_logger()

_ERASED: Final = "erased"


class Application:
    """Needs an ``acting`` block of the partner.

    ``raw``: the message is not stored yet; see ``Carrying``.
    """

    def __init__(
        self,
        conversations: Conversations,
        adapter: Adapter,
        partner: Helpdesk,
        exchange: Exchange,
        message: Message,
        *,
        raw: bytes | None = None,
    ) -> None:
        self._conversations, self._adapter, self._partner = conversations, adapter, partner
        self._ledger = conversations.ledger
        self._exchange, self._message = exchange, message
        self._place = conversations.place(partner)
        self._admission = Admission(conversations, partner, exchange)
        self._reading = Reading()
        self._clashes: Sequence[Clash] = ()
        self._again: list[Effect] = []
        self._request = ""
        """The key under which the request is claimed that is opened; empty: the first hop of its way."""
        self._raw, self._at_once = raw, raw is not None
        self._carrying = Carrying(conversations, partner, exchange, message, at_once=self._at_once)
        self.tell_again: TellAgain | None = None
        self.receipt: Receipt | None = None
        """Where the effect is stored, when it is."""

    async def run(self) -> Verdict | None:
        """Carry the message out, or say why not. None: it has its effect, and that is recorded.

        Raises ``Settled``, ``StoreUnavailable``, ``StaleVersion``.
        """
        verdict = await self._judged()
        if verdict is not None and self._at_once and self._carrying.tried:
            raise Settled  # it was tried with an effect that is in the conversation now
        return verdict

    async def _judged(self) -> Verdict | None:
        try:
            return await self._run()
        except Unreadable as error:
            return failed(error)
        except (StoreUnavailable, StaleVersion, Settled):
            raise
        except Refused as refusal:
            stand = [each for each in self._clashes if each.ruling.wins is Side.OURS]
            return Verdict(
                kind="refused",
                code=refusal.code,
                detail=str(refusal),
                clashes=stand,
                effects=self._again,
            )
        except Exception as error:  # a defect of an adapter parks this conversation alone
            log.exception("message could not be translated", exchange=str(self._exchange.id))
            return failed(error)

    async def _run(self) -> Verdict | None:
        kept = None if self._at_once else self._message.raw
        found, before_heard, before_told = await self._conversations.bodies(
            kept, self._exchange.heard, self._exchange.told
        )
        raw = self._raw if self._at_once else found
        if raw is None:
            return Verdict(kind="parked", code=_ERASED, detail="the message was erased")
        reading = self._conversations.readings.read(self._adapter, raw)
        if isinstance(reading, Ignored):
            return Verdict(kind="ignored", code=reading.why)
        if isinstance(reading, Returned):
            return await self._admission.returned(reading)
        self._reading = reading = as_for_us(reading, self._place.our_name)
        refused = self._admission.round_trip(reading)
        if refused is None and self._admission.echo(reading):
            return await self._without_effect("echo")
        if refused := refused or await self._admission.conflict(reading):
            return refused
        before = Before(
            self._read_again(before_heard),
            self._read_again(before_told),
            self._exchange.remote_state,
        )
        return await self._attempts(reading, before)

    async def _attempts(self, reading: Reading, before: Before) -> Verdict | None:
        for attempt in range(ATTEMPTS_MAX):
            try:
                return await self._attempt(reading, before)
            except StaleVersion:  # the ticket moved on: read the message in the new light
                self._conversations.recent.forget(self._exchange.id)
                if attempt == ATTEMPTS_MAX - 1:
                    raise
            except (
                AlreadyClaimed
            ) as error:  # of a person: somebody registered the same one just now
                if error.kind.startswith("link:"):
                    return Verdict(kind="refused", code="link-conflict", detail=str(error))
                if error.kind == REQUEST and not await self._opened_anew(error.key):
                    return await self._admission.opened_before(error)
                if attempt == ATTEMPTS_MAX - 1:
                    raise
        raise AssertionError  # the loop returns or raises

    async def _attempt(self, reading: Reading, before: Before) -> Verdict | None:
        number = self._exchange.number
        if number and (kept := self._ledger.kept(number)):
            verdict = await self._attempt_on(kept, reading, before)
            if verdict is None:
                return None
        # That a message has no effect is believed of the ticket as it is now.
        ticket = await self._ledger.ticket(number) if number else None
        return await self._attempt_on(ticket, reading, before)

    async def _attempt_on(
        self, ticket: Ticket | None, reading: Reading, before: Before
    ) -> Verdict | None:
        asked = self._adapter.inbound(reading, ticket, before, self._place)
        why = asked.why if isinstance(asked, Ignored) else ""
        commands, withheld = (
            ([], [])
            if isinstance(asked, Ignored)
            else await self._admission.permitted(asked, reading, ticket)
        )
        weighed = await self._weighed(asked, commands, withheld, ticket)
        self._clashes = weighed.clashes
        self._again = await self._effects(weighed.denied)
        if weighed.confirms:
            self._again.append(lambda fresh: fresh.confirm(self._message.reference))
        withheld = list(weighed.withheld)
        if not weighed.commands:
            conflict = "conflict" if weighed.clashes else ""
            nothing = "ours-only" if weighed.denied else conflict or "closing-only"
            return await self._without_effect(why or weighed.why or nothing, withheld)
        await self._execute(list(weighed.commands), ticket, withheld)
        return None

    async def _weighed(
        self,
        asked: Asked | Ignored,
        commands: list[c.Command],
        withheld: list[str],
        ticket: Ticket | None,
    ) -> Weighed:
        """What is left when our own changes are considered that the partner had not seen."""
        reading, words = self._reading, self._place.words
        linked = bool(self._exchange.external_id)
        if ticket is None or not touches(asked, reading, words, ticket.status, linked=linked):
            return Weighed(commands, withheld)
        conversation = await self._ledger.store.stream(self._exchange.id)
        history = await self._ledger.history(ticket.number, version=ticket.version)
        scales = Scales(
            partner=self._partner,
            ticket=ticket,
            history=history,
            unseen=unseen_by(conversation, reading, self._message.reference),
            theirs_began=self._exchange.theirs,
            confirmed=self._exchange.confirmed,
            linked=linked,
            hears=not reading.seen and still_to_hear(conversation, self._message.reference),
            reading=reading,
            words=words,
        )
        if isinstance(asked, Asked) and asked.held:
            return scales.held(commands, asked.held.status)
        return scales.weigh(commands, withheld, asked.why if isinstance(asked, Ignored) else "")

    async def _effects(self, denied: Iterable[str]) -> list[Effect]:
        """How the partner is told values that are not its to change."""
        if self.tell_again is None:
            return []
        found = [await self.tell_again(self._exchange, self._partner, each) for each in denied]
        return [each for each in found if each is not None]

    def _read_again(self, raw: bytes | None) -> Reading | None:
        """A message that was understood before; a newer mapping may see it otherwise."""
        try:
            reading = None if raw is None else self._conversations.readings.read(self._adapter, raw)
        except Unreadable:
            return None
        if not isinstance(reading, Reading):
            return None
        return as_for_us(reading, self._place.our_name)

    async def _execute(
        self, commands: list[c.Command], ticket: Ticket | None, withheld: list[str]
    ) -> None:
        judged = Judged(
            reading=self._reading,
            commands=commands,
            withheld=withheld,
            clashes=self._clashes,
            effects=self._again,
            request=self._request,
        )
        self.receipt = (await self._carrying.carry_out(judged, ticket)).receipt

    async def _opened_anew(self, request: str) -> bool:
        """Whether the partner opened it again under its old name, after a restore: it gets a key of its own."""
        if request != self._reading.external_id:
            return False
        self._request, _ = await self._conversations.link(self._partner.name, request)
        return self._request != request

    async def _without_effect(self, why: str, withheld: Sequence[str] = ()) -> Verdict:
        number = self._exchange.number
        link = self._carrying.link(self._reading, number) if number else None
        key = ""
        if link:
            key, holder = await self._conversations.link(self._partner.name, link[1])
            if holder not in (None, self._exchange.id):
                taken = str(AlreadyClaimed(f"link:{self._partner.name}", link[1]))
                return Verdict(kind="refused", code="link-conflict", detail=taken)
        return Verdict(
            kind="ignored",
            code=why,
            remote_state=self._reading.state,
            withheld=withheld,
            understood=not self._reading.beside,
            link=link,
            link_key=key,
            made_at=self._carrying.made_at(self._reading, link[1]) if link else None,
            clashes=self._clashes,
            effects=self._again,
        )
