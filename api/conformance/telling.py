"""Our steps in a conformance case: what we do to tickets of ours, and how the partner is told of it.

Every step has a name that stands in its events, so a step that was taken before a crash is found on the
tape and not taken again.
"""

import base64
import hashlib
from typing import Any
from uuid import UUID

from msgspec import Struct

from adapters.kit.contract import Stamping
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from api.conformance.changing import changed
from api.conformance.holding import Holding
from api.conformance.manners import Manner, manner_of
from api.conformance.tape import Entry
from api.conformance.waiting import RULE, Failed, Over, step_tag
from domain import commands as c
from domain.conformance import ConformanceRun
from domain.conformance_terms import Request, Result
from domain.errors import NothingToDo
from domain.exchange import Exchange
from domain.identifiers import random_id, ticket_number
from domain.provenance import Provenance, acting


class Ours(Struct, frozen=True):
    """A ticket of ours that is exchanged with the partner."""

    number: int
    exchange: UUID
    external_id: str
    """The partner's ticket; empty where a mailbox is all that it has."""


class Telling(Holding):
    """Of one case."""

    @property
    def manner(self) -> Manner:
        manner = manner_of(self.parts, self.partner)
        assert manner is not None, "no run goes on without an adapter"
        return manner

    def word(self, step: str = "") -> str:
        """A code word: the same whenever this run comes to this step."""
        digest = hashlib.sha256(f"{self.run.id}/{self.name}/{step}".encode()).digest()
        return "CW" + base64.b32encode(digest[:5]).decode()

    async def do(self, step: str, *commands: c.Command) -> list[Entry]:
        """Carry commands out, once however often this is called; the events."""
        name = f"{step_tag(self.run)}{self.name}/{step}"
        await self.tape.forward()
        if not self.tape.step(name):
            with acting(Provenance(RULE.name, random_id(), name)):
                await self.services.ledger.execute(*commands, actor=RULE)
            await self.tape.forward()
        return self.tape.step(name)

    async def ticket(self) -> Ours:
        """A ticket of this case that the partner has, with the number it has there."""
        units = self.partner.units
        [opened, *_] = await self.do(
            "open",
            c.OpenTicket(
                subject=f"Conformance run {self.run.number}, case {self.name}",
                description="A test of the interface. Nothing is broken; do what the texts of this ticket ask for.",
                unit=units[0] if units else "",
            ),
        )
        self.evidence.see(opened)
        number = ticket_number(opened.event.originator_id)
        assert number is not None
        if not units:
            await self._send(number)
        stream = await self.until(
            "the conversation about our ticket", lambda: self._conversation(number), ours=True
        )
        calls = self.manner is Manner.CALLS
        if calls and self._external_id(stream) is None:
            await self.ask_partner(self.word("link"), Ours(number, stream, ""))
        await self.taken(stream)
        if not self._tells_its_ticket():
            return Ours(number, stream, "")
        external_id = await self.until(
            f"which of its tickets is our {self.services.settings.prefix}-{number}",
            lambda: self._external_id(stream),
            code="not-linked",
            ours=not calls,
        )
        return Ours(number, stream, external_id)

    def _tells_its_ticket(self) -> bool:
        """Whether a ticket of the partner goes with each of ours."""
        adapter = self.parts.conversations.adapters[self.partner.adapter]
        return self.manner is not Manner.PEOPLE_MAIL or isinstance(adapter, Stamping)

    async def taken(self, stream: UUID, after: int = 0) -> None:
        """Wait until the partner's system took what we had to tell after a position, if it is told."""
        if self.manner is Manner.CALLS:
            return

        def found() -> Entry | None:
            parked = [
                e for e in self.tape.of(Exchange.Parked, after=after) if self.is_out(e, stream)
            ]
            if parked:
                code = getattr(parked[0].event, "code", "")
                raise Failed("not-taken", f"the message was parked as {code}: {parked[0].text}")
            for each in self.tape.of(Exchange.Dispatched, after=after):
                if each.event.originator_id == stream:
                    self.evidence.see(each)
                    return each
            return None

        await self.until("that it takes our message", found, code="not-taken", ours=True)

    def is_out(self, entry: Entry, stream: UUID | None = None) -> bool:
        """Whether an event is about a message of ours, in a conversation if one is given."""
        event: Any = entry.event
        stream = stream or event.originator_id
        decided = self.tape.of(Exchange.DispatchDecided)
        return event.originator_id == stream and any(
            each.event.originator_id == stream and each.event.originator_version == event.reference
            for each in decided
        )

    async def told(self, ours: Ours, step: str, command: c.TicketCommand) -> Entry:
        """Do something to the ticket and wait until the partner's system took the news; the event."""
        [happened, *_] = await self.do(step, command)
        self.evidence.see(happened)
        await self.taken(ours.exchange, happened.position)
        return happened

    async def deliver(self, ours: Ours, raw: bytes) -> Delivered:
        """Hand a message over past the outbox. Raises ``Undelivered``."""
        courier = await self.parts.carriers.courier(self.partner)
        return await courier.deliver(Parcel(raw=raw, external_id=ours.external_id))

    async def again(self, ours: Ours, raw: bytes) -> Delivered:
        """The same, where the partner must take it. Raises ``Failed``."""
        try:
            return await self.deliver(ours, raw)
        except Undelivered as error:
            raise Failed(
                "not-taken", f"it did not take the message: {error.code}: {error}"
            ) from error

    async def sent(self, ours: Ours, position: int) -> bytes:
        """The bytes of the message that tells of the event at ``position``; of the first one for 0."""

        def found() -> Exchange.DispatchDecided | None:
            for each in self.tape.of(Exchange.DispatchDecided):
                event = each.event
                assert isinstance(event, Exchange.DispatchDecided)
                mine = event.originator_id == ours.exchange and event.disclosed
                if mine and position in (0, event.event_position):
                    return event
            return None

        decided = await self.until("our decision to tell", found, ours=True)
        assert decided.raw is not None
        contents = await self.services.store.contents([decided.raw.id])
        return contents[decided.raw.id].body

    async def _send(self, number: int) -> None:
        """For a partner without a unit: as an operator would."""
        if self._conversation(number) is None:
            with acting(
                Provenance(RULE.name, random_id(), f"{step_tag(self.run)}{self.name}/send")
            ):
                try:
                    await self.parts.by_hand.send(RULE, number, self.partner.name)
                except NothingToDo:
                    return

    def _conversation(self, number: int) -> UUID | None:
        return next((s for s, about in self.tape.streams.items() if about == number), None)

    def _external_id(self, stream: UUID) -> str | None:
        for each in self.tape.of(Exchange.Linked):
            event = each.event
            if isinstance(event, Exchange.Linked) and event.originator_id == stream:
                self.evidence.see(each)
                return event.external_id or None
        return None

    async def ask_partner(self, word: str, ours: Ours | None = None) -> None:
        """Say that it is the partner's turn, once."""
        request = Request(ours.number, ours.external_id, word) if ours else Request(0, "", word)
        if self.case.request == request:
            return

        def decide(run: ConformanceRun) -> None:
            if run.result is not Result.RUNNING:
                raise Over
            run.ask_partner(self.name, request)

        with acting(Provenance(RULE.name, random_id(), f"{step_tag(self.run)}{self.name}/ask")):
            await changed(self.services, self.run.id, decide)
        await self._listen()
