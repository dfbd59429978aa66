"""A message's effect: its commands, what it tells of the link, and its outcome, all in one append."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.contract import Contact, Reading
from adapters.kit.conversations import Conversations
from adapters.kit.reused import is_lost, made_at
from adapters.kit.verdicts import Effect
from domain import commands as c
from domain.aggregate import Aggregate, Event
from domain.conflicts import Clash
from domain.content import Content
from domain.directory import Person, identity_key
from domain.errors import NothingToDo
from domain.exchange import Exchange, Message
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.ledger import Outcome
from domain.provenance import Origin, acting, attribution
from domain.rights import Actor
from domain.ticket import Ticket

REQUEST: Final = "request"
"""Kind of claim: the ticket in which a request began, as the first hop of its way."""


class Settled(Exception):
    """Another process gave the message its effect, or its outcome, meanwhile; or it must be stored first."""


class Judged(Struct, frozen=True, kw_only=True):
    """What is to be carried out, and recorded with it."""

    reading: Reading
    commands: Sequence[c.Command]
    withheld: Sequence[str]
    clashes: Sequence[Clash]
    effects: Sequence[Effect]
    request: str
    """The key under which the request is claimed that is opened; empty: the first hop of its way."""


class Carrying:
    """Of one message. Needs an ``acting`` block of the partner.

    ``at_once``: the message is not stored yet. Then it is stored with its effect, at the first attempt or not
    at all, and the caller has the conversation for itself.
    """

    def __init__(
        self,
        conversations: Conversations,
        partner: Helpdesk,
        exchange: Exchange,
        message: Message,
        *,
        at_once: bool,
    ) -> None:
        self._conversations, self._partner = conversations, partner
        self._exchange, self._message, self._at_once = exchange, message, at_once
        self._ledger = conversations.ledger
        self._decided: Exchange | None = None

    @property
    def tried(self) -> bool:
        """Whether there was an attempt: then the outcome is in the conversation, on its way to the store."""
        return self._decided is not None

    async def carry_out(self, judged: Judged, ticket: Ticket | None) -> Outcome:
        """Raises ``Settled`` and what ``Ledger.execute`` raises."""
        commands, persons = list(judged.commands), list[Aggregate]()
        first = commands[0]
        if isinstance(first, c.OpenTicket):
            submitter, new = await self._person(judged.reading.submitter)
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
            if opening and judged.reading.hops:
                exchange.claim(REQUEST, judged.request or judged.reading.hops[0])
            await self._record(exchange, judged, ticket)
            self._conversations.recent.expect(exchange)
            return [*persons, exchange]

        provenance, at = attribution()
        origin = Origin(self._partner.name, self._message.message_id, judged.reading.hops)
        recent = self._conversations.recent
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
                    recent.forget(self._exchange.id)
                    raise
                assert self._decided is not None
                recent.keep(self._decided)
        for each in written:
            recent.remember_content(each.id, each.body)
        return outcome

    async def _record(self, exchange: Exchange, judged: Judged, ticket: Ticket) -> None:
        reading, reference = judged.reading, self._message.reference
        if link := self.link(reading, ticket.number):
            key, made = await self._link_key(link[1]), self.made_at(reading, link[1])
            exchange.link(*link, link_key=key, opened_at=made)
        for clash in judged.clashes:
            exchange.find_conflict(reference, clash)
        exchange.apply_message(
            reference,
            ticket.number,
            ticket.version,
            remote_state=reading.state,
            withheld=judged.withheld,
            understood=not reading.beside,
        )
        for effect in judged.effects:
            with suppress(NothingToDo):
                effect(exchange)

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

    def link(self, reading: Reading, number: int) -> tuple[int, str, str] | None:
        """What the message tells of the link that was not known; None for nothing."""
        exchange = self._exchange
        theirs = "" if is_lost(exchange, reading) else reading.external_id
        link = (
            number,
            exchange.external_id or theirs,
            reading.external_reference or exchange.external_reference,
        )
        known = exchange.number, exchange.external_id, exchange.external_reference
        return link if link != known or self.made_at(reading, link[1]) else None

    def made_at(self, reading: Reading, external_id: str) -> datetime | None:
        return made_at(self._exchange, reading, external_id)

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
