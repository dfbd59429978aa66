"""One message in: from its bytes to its effect, or to the reason why it has none."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog
from msgspec import Struct, structs

from adapters.kit.clashing import Scales, Weighed, touches, unseen_by
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
from adapters.kit.hops import HOPS_MAX, as_for_us, our_number
from adapters.kit.translating import failure
from domain import commands as c
from domain.aggregate import Aggregate
from domain.conflicts import Clash, Side
from domain.content import Sealed
from domain.directory import Person, identity_key
from domain.disclosure import heard
from domain.errors import AlreadyClaimed, NothingToDo, Refused, StaleVersion, StoreUnavailable
from domain.exchange import LOOP, Exchange, Message
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Origin, acting, attribution
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import TPM

log = structlog.get_logger()

_ERASED: Final = "erased"
_REQUEST: Final = "request"
"""Kind of claim: the ticket in which a request began, as the first hop of its way."""


Effect = Callable[[Exchange], object]
"""Decided together with the outcome of a message."""
TellAgain = Callable[[Exchange, Helpdesk, str], Awaitable[Effect | None]]
"""How a partner is told our value of a field again; None where it cannot be."""


class Settled(Exception):
    """Another process gave the message its effect, or its outcome, meanwhile."""


class Verdict(Struct, frozen=True, kw_only=True):
    """An outcome without effect on a ticket."""

    kind: str
    """``ignored``, ``refused``, ``parked`` or ``returned``."""
    code: str
    detail: str = ""
    remote_state: str = ""
    withheld: Sequence[str] = ()
    understood: bool = False
    link: tuple[int, str, str] | None = None
    link_key: str = ""
    clashes: Sequence[Clash] = ()
    effects: Sequence[Effect] = ()
    """What is decided beside: the partner is told again what holds."""
    sent: tuple[int, Sealed] | None = None
    """What came back: the position of the event that it told of, and its bytes."""

    def record(self, exchange: Exchange, reference: int) -> None:
        """Write it into the conversation."""
        match self.kind:
            case "ignored":
                if self.link:
                    exchange.link(*self.link, link_key=self.link_key)
                for clash in self.clashes:
                    exchange.find_conflict(reference, clash)
                exchange.ignore(
                    reference,
                    self.code,
                    remote_state=self.remote_state,
                    withheld=self.withheld,
                    understood=self.understood,
                )
                for effect in self.effects:
                    with suppress(NothingToDo):
                        effect(exchange)
            case "returned":
                assert self.sent is not None
                exchange.ignore(reference, "bounce")
                with suppress(NothingToDo):
                    exchange.take_back(*self.sent, self.code, self.detail)
            case "refused":
                for clash in self.clashes:
                    exchange.find_conflict(reference, clash)
                exchange.refuse(reference, self.code, self.detail)
            case _:
                assert self.kind == "parked"
                exchange.park(reference, self.code, self.detail)


class Application:
    """Needs an ``acting`` block of the partner."""

    def __init__(
        self,
        conversations: Conversations,
        adapter: Adapter,
        partner: Helpdesk,
        exchange: Exchange,
        message: Message,
    ) -> None:
        self._conversations, self._adapter, self._partner = conversations, adapter, partner
        self._ledger = conversations.ledger
        self._exchange, self._message = exchange, message
        self._place = conversations.place(partner)
        self._reading = Reading()
        self._clashes: Sequence[Clash] = ()
        self._again: Sequence[Effect] = ()
        self.tell_again: TellAgain | None = None

    async def run(self) -> Verdict | None:
        """Carry the message out, or say why not. None: it has its effect, and that is recorded.

        Raises ``Settled``, ``StoreUnavailable``, ``StaleVersion``.
        """
        try:
            return await self._run()
        except Unreadable as error:
            return _failed(error)
        except (StoreUnavailable, StaleVersion, Settled):
            raise
        except Refused as refusal:
            stand = [each for each in self._clashes if each.ruling.wins is Side.OURS]
            return Verdict(kind="refused", code=refusal.code, detail=str(refusal), clashes=stand)
        except Exception as error:  # a defect of an adapter parks this conversation alone
            log.exception("message could not be translated", exchange=str(self._exchange.id))
            return _failed(error)

    async def _run(self) -> Verdict | None:
        raw, before_heard, before_told = await self._conversations.bodies(
            self._message.raw, self._exchange.heard, self._exchange.told
        )
        if raw is None:
            return Verdict(kind="parked", code=_ERASED, detail="the message was erased")
        reading = self._conversations.readings.read(self._adapter, raw)
        if isinstance(reading, Ignored):
            return Verdict(kind="ignored", code=reading.why)
        if isinstance(reading, Returned):
            return await self._returned(reading)
        self._reading = reading = as_for_us(reading, self._place.our_name)
        if (known := await self._known()) or (known := await self._conflict()):
            return known
        before = Before(
            self._read_again(before_heard),
            self._read_again(before_told),
            self._exchange.remote_state,
        )
        return await self._attempts(reading, before)

    async def _known(self) -> Verdict | None:
        """Whether the message has come round to us: a change that we have, or a request."""
        hops, number = self._reading.hops, self._exchange.number
        if self._exchange.looped:
            return Verdict(kind="ignored", code=LOOP)
        ours = our_number(hops, self._place.our_name)
        if number:
            return await self._without_effect("echo") if ours else None
        if ours:
            return _loop(f"it is our ticket {ours}, by way of {' '.join(hops)}")
        return _loop(f"it came a longer way than {HOPS_MAX}") if len(hops) > HOPS_MAX else None

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
                if error.kind == _REQUEST:
                    return await self._opened_before(error)
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
            ([], []) if isinstance(asked, Ignored) else await self._permitted(asked)
        )
        weighed = await self._weighed(asked, commands, withheld, ticket)
        self._clashes = weighed.clashes
        self._again = await self._effects(weighed.denied)
        withheld = list(weighed.withheld)
        if not weighed.commands:
            conflict = "conflict" if weighed.clashes else ""
            nothing = "ours-only" if weighed.denied else conflict or "closing-only"
            return await self._without_effect(why or nothing, withheld)
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
        if ticket is None or not touches(asked, reading, words):
            return Weighed(commands, withheld)
        conversation = await self._ledger.store.stream(self._exchange.id)
        history = await self._ledger.history(ticket.number, version=ticket.version)
        scales = Scales(
            partner=self._partner,
            ticket=ticket,
            history=history,
            unseen=unseen_by(conversation, reading, self._message.reference),
            theirs_began=self._exchange.theirs,
            reading=reading,
            words=words,
        )
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

    async def _opened_before(self, error: AlreadyClaimed) -> Verdict:
        """The request is here already: it went several ways."""
        holder = await self._ledger.store.holder(error.kind, error.key)
        assert holder is not None
        number = (await self._conversations.load(holder)).number
        return _loop(f"the request {error.key} is our ticket {number} already")

    def _read_again(self, raw: bytes | None) -> Reading | None:
        """A message that was understood before; a newer mapping may see it otherwise."""
        try:
            reading = None if raw is None else self._conversations.readings.read(self._adapter, raw)
        except Unreadable:
            return None
        if not isinstance(reading, Reading):
            return None
        return as_for_us(reading, self._place.our_name)

    async def _returned(self, reading: Returned) -> Verdict:
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

    async def _conflict(self) -> Verdict | None:
        """Whether the message speaks of tickets that do not belong together, or not to this partner."""
        reading, exchange = self._reading, self._exchange
        if reading.number and not exchange.number:
            return Verdict(
                kind="refused",
                code="not-exchanged",
                detail=f"ticket {reading.number} is not exchanged with {exchange.helpdesk}",
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
        return None

    async def _permitted(self, asked: Asked) -> tuple[list[c.Command], list[str]]:
        """What the policy and the directory let through, and what not."""
        commands, withheld = [], list(asked.withheld)
        for command in asked.commands:
            name = type(command).__name__
            if not heard(command, self._partner.policy):
                withheld.append(f"{name}:closing-only")
                continue
            unit = command.unit if isinstance(command, c.OpenTicket | c.Assign) else ""
            if unit and unit != TPM and not await self._is_unit(unit):
                withheld.append(f"{name}.unit:unknown")
                if isinstance(command, c.Assign):
                    continue
                command = structs.replace(command, unit="")  # noqa: PLW2901 - to first-line support
            commands.append(command)
        return commands, withheld

    async def _is_unit(self, name: str) -> bool:
        unit = await self._ledger.directory.unit(name)
        return unit is not None and not unit.retired

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

        decided: list[Exchange] = []

        async def together(ticket: Ticket) -> Sequence[Aggregate]:
            stream, again = self._exchange.id, bool(decided)
            load = self._conversations.load if again else self._conversations.kept_or_load
            exchange = await load(stream)
            decided[:] = [exchange]
            if self._message.reference not in exchange.messages:
                raise Settled
            if opening and self._reading.hops:
                exchange.claim(_REQUEST, self._reading.hops[0])
            if link := self._link(ticket.number):
                exchange.link(*link, link_key=await self._link_key(link[1]))
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
            return [*persons, exchange]

        provenance, at = attribution()
        origin = Origin(self._partner.name, self._message.message_id, self._reading.hops)
        with acting(structs.replace(provenance, origin=origin), at):
            async with self._conversations.alone(self._exchange.id):
                await self._ledger.execute(
                    *commands,
                    actor=Actor.helpdesk(self._partner.name),
                    exchanged_with=self._partner.name,
                    together=together,
                )
                self._conversations.recent.keep(decided[0])

    async def _link_key(self, external_id: str) -> str:
        """Under which their ticket is to be claimed; empty where it is claimed already."""
        if external_id in ("", self._exchange.external_id):
            return ""
        key, _ = await self._conversations.link(self._partner.name, external_id)
        return key

    def _link(self, number: int) -> tuple[int, str, str] | None:
        """What the message tells of the link that was not known; None for nothing."""
        exchange, reading = self._exchange, self._reading
        theirs = "" if reading.external_id in exchange.lost else reading.external_id
        link = (
            number,
            exchange.external_id or theirs,
            reading.external_reference or exchange.external_reference,
        )
        known = exchange.number, exchange.external_id, exchange.external_reference
        return link if link != known else None

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


def _failed(error: Exception) -> Verdict:
    found = failure(error)
    return Verdict(kind=found.outcome, code=found.why, detail=found.detail)


def _loop(detail: str) -> Verdict:
    return Verdict(kind="refused", code=LOOP, detail=detail)
