"""One message in: from its bytes to its effect, or to the reason why it has none."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from msgspec import structs

from adapters.kit.admitting import Admission
from adapters.kit.clashing import Scales, Weighed, touches
from adapters.kit.contract import (
    Adapter,
    Asked,
    Before,
    Contact,
    Ignored,
    Reading,
    Returned,
    Unreadable,
)
from adapters.kit.conversations import ATTEMPTS_MAX, Conversations
from adapters.kit.hops import as_for_us
from adapters.kit.reused import is_lost, made_at
from adapters.kit.seen import unseen_by
from adapters.kit.verdicts import Effect, TellAgain, Verdict, failed
from domain import commands as c
from domain.aggregate import Aggregate, Event
from domain.conflicts import Clash, Side
from domain.content import Content
from domain.directory import Person, identity_key
from domain.errors import AlreadyClaimed, NothingToDo, Refused, StaleVersion, StoreUnavailable
from domain.exchange import Exchange, Message
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Origin, acting, attribution
from domain.rights import Actor
from domain.store import Receipt
from domain.ticket import Ticket

log = structlog.get_logger()

_ERASED: Final = "erased"
_REQUEST: Final = "request"
"""Kind of claim: the ticket in which a request began, as the first hop of its way."""


class Settled(Exception):
    """Another process gave the message its effect, or its outcome, meanwhile; or it must be stored first."""


class Application:
    """Needs an ``acting`` block of the partner.

    ``raw``: the message is not stored yet. Then it is stored with its effect, at the first attempt or not at
    all, and the caller has the conversation for itself.
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
        self._decided: Exchange | None = None
        """The conversation with the outcome, on its way to the store."""
        self.tell_again: TellAgain | None = None
        self.receipt: Receipt | None = None
        """Where the effect is stored, when it is."""

    async def run(self) -> Verdict | None:
        """Carry the message out, or say why not. None: it has its effect, and that is recorded.

        Raises ``Settled``, ``StoreUnavailable``, ``StaleVersion``.
        """
        verdict = await self._judged()
        if verdict is not None and self._at_once and self._decided:
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
                if error.kind == _REQUEST and not await self._opened_anew(error.key):
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

    def _tell(self, exchange: Exchange) -> None:
        for effect in self._again:
            with suppress(NothingToDo):
                effect(exchange)

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
        persons: list[Aggregate] = []
        first = commands[0]
        if isinstance(first, c.OpenTicket):
            submitter, new = await self._person(self._reading.submitter)
            commands[0] = structs.replace(first, submitter=submitter)
            persons = [new] if new else []
        else:
            assert ticket is not None
            commands[0] = structs.replace(first, expected_version=ticket.version)

        opening = isinstance(first, c.OpenTicket)
        before: list[Event] = []
        written: list[Content] = []

        async def together(ticket: Ticket) -> Sequence[Aggregate]:
            self._decided = exchange = await self._conversation()
            written[:] = ticket.pending_contents
            before[:] = exchange.collect_events()
            if self._message.reference not in exchange.messages:
                raise Settled
            if opening and self._reading.hops:
                exchange.claim(_REQUEST, self._request or self._reading.hops[0])
            if link := self._link(ticket.number):
                key, made_at = await self._link_key(link[1]), self._made_at(link[1])
                exchange.link(*link, link_key=key, opened_at=made_at)
            for clash in self._clashes:
                exchange.find_conflict(self._message.reference, clash)
            exchange.apply_message(
                self._message.reference,
                ticket.number,
                ticket.version,
                remote_state=self._reading.state,
                withheld=withheld,
                understood=not self._reading.beside,
            )
            self._tell(exchange)
            self._conversations.recent.expect(exchange)
            return [*persons, exchange]

        provenance, at = attribution()
        origin = Origin(self._partner.name, self._message.message_id, self._reading.hops)
        with acting(structs.replace(provenance, origin=origin), at):
            alone = self._conversations.alone(self._exchange.id)
            async with nullcontext() if self._at_once else alone:
                try:
                    outcome = await self._ledger.execute(
                        *commands,
                        actor=Actor.helpdesk(self._partner.name),
                        exchanged_with=self._partner.name,
                        together=together,
                        before=before,
                    )
                except BaseException:
                    self._conversations.recent.forget(self._exchange.id)
                    raise
                assert self._decided is not None
                self._conversations.recent.keep(self._decided)
        for each in written:
            self._conversations.recent.remember_content(each.id, each.body)
        self.receipt = outcome.receipt

    async def _conversation(self) -> Exchange:
        """The one to decide on: as of a moment ago, and as it is stored when that was not good enough."""
        if self._at_once:
            if self._decided:
                raise Settled
            return self._exchange
        load = self._conversations.load if self._decided else self._conversations.kept_or_load
        return await load(self._exchange.id)

    async def _link_key(self, external_id: str) -> str:
        """Under which their ticket is to be claimed; empty where it is claimed already."""
        if external_id in ("", self._exchange.external_id):
            return ""
        key, _ = await self._conversations.link(self._partner.name, external_id)
        return key

    def _link(self, number: int) -> tuple[int, str, str] | None:
        """What the message tells of the link that was not known; None for nothing."""
        exchange, reading = self._exchange, self._reading
        theirs = "" if is_lost(exchange, reading) else reading.external_id
        link = (
            number,
            exchange.external_id or theirs,
            reading.external_reference or exchange.external_reference,
        )
        known = exchange.number, exchange.external_id, exchange.external_reference
        return link if link != known or self._made_at(link[1]) else None

    def _made_at(self, external_id: str) -> datetime | None:
        return made_at(self._exchange, self._reading, external_id)

    async def _opened_anew(self, request: str) -> bool:
        """Whether the partner opened it again under its old name, after a restore: it gets a key of its own."""
        if request != self._reading.external_id:
            return False
        self._request, _ = await self._conversations.link(self._partner.name, request)
        return self._request != request

    async def _without_effect(self, why: str, withheld: Sequence[str] = ()) -> Verdict:
        link = self._link(self._exchange.number) if self._exchange.number else None
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
            made_at=self._made_at(link[1]) if link else None,
            clashes=self._clashes,
            effects=self._again,
        )

    async def _person(self, contact: Contact | None) -> tuple[UUID | None, Person | None]:
        """The submitter, and the entry to be registered where it is somebody new."""
        if contact is None or "@" not in contact.mail:
            return None, None
        known = await self._ledger.store.holder("identity:mail", identity_key("mail", contact.mail))
        if known is not None:
            return known, None
        person = Person(random_id())
        person.register(name=contact.name, mail=contact.mail, phone=contact.phone)
        return person.id, person
