"""What a conformance case works with: steps of ours, what the partner is told, asked and seen to do.

Every step of ours has a name that stands in its events, so a step that was taken before a crash is found
on the tape and not taken again.
"""

import base64
import hashlib
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct

from adapters.kit.carriers import Delivered, Parcel
from adapters.kit.retry import Undelivered
from api.conformance.changing import changed
from api.conformance.holding import Holding
from api.conformance.tape import Entry
from api.conformance.waiting import RULE, Failed, Left, Over, step_tag
from domain import commands as c
from domain.aggregate import Event
from domain.conformance import ConformanceRun, Request, Result
from domain.errors import NothingToDo, NotNow
from domain.exchange import Exchange
from domain.helpdesk import Policy
from domain.identifiers import random_id, ticket_number
from domain.provenance import Provenance, acting


class Ours(Struct, frozen=True):
    """A ticket of ours that is exchanged with the partner."""

    number: int
    exchange: UUID
    external_id: str


class Bench(Holding):
    """Of one case."""

    def word(self, step: str = "") -> str:
        """A code word: the same whenever this run comes to this step."""
        digest = hashlib.sha256(f"{self.run.id}/{self.name}/{step}".encode()).digest()
        return "CW" + base64.b32encode(digest[:5]).decode()

    # -- our steps -----------------------------------------------------------------------------------

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
        await self.taken(stream)
        external_id = await self.until(
            f"which of its tickets is our {self.place}-{number}",
            lambda: self._external_id(stream),
            code="not-linked",
            ours=True,
        )
        return Ours(number, stream, external_id)

    @property
    def place(self) -> str:
        return self.services.settings.prefix

    async def taken(self, stream: UUID, after: int = 0) -> Entry:
        """Wait until the partner's system took what we had to tell after a position."""

        def found() -> Entry | None:
            parked = [e for e in self.tape.of(Exchange.Parked, after=after) if self._out(e, stream)]
            if parked:
                code = getattr(parked[0].event, "code", "")
                raise Failed("not-taken", f"the message was parked as {code}: {parked[0].text}")
            for each in self.tape.of(Exchange.Dispatched, after=after):
                if each.event.originator_id == stream:
                    self.evidence.see(each)
                    return each
            return None

        return await self.until("that it takes our message", found, code="not-taken", ours=True)

    def _out(self, entry: Entry, stream: UUID) -> bool:
        event: Any = entry.event
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

    # -- the partner's part --------------------------------------------------------------------------

    async def ask_partner(self, word: str, ours: Ours | None = None) -> None:
        """Say that it is the partner's turn, once."""
        if ours is None:
            request = Request(0, "", word)
        else:
            request = Request(ours.number, ours.external_id, word)
        if self.case.request == request:
            return

        def decide(run: ConformanceRun) -> None:
            if run.result is not Result.RUNNING:
                raise Over
            run.ask_partner(self.name, request)

        with acting(Provenance(RULE.name, random_id(), f"{step_tag(self.run)}{self.name}/ask")):
            await changed(self.services, self.run.id, decide)
        await self._listen()

    async def done_by_partner(self, word: str, *kinds: type[Event]) -> Entry:
        """Wait for what the partner does to a ticket with the word in its text."""

        def found() -> Entry | None:
            return next((e for e in self.tape.theirs(word) if isinstance(e.event, kinds)), None)

        entry = await self.until(f"the word {word} in what you did", found)
        self.evidence.see(entry, *self.tape.messages(word))
        return entry

    async def heard(self, ours: Ours, happened: Entry, word: str) -> None:
        """Wait until it is plain that the news arrived: at the partner's ticket, or by the word coming back."""
        observer = await self.parts.carriers.observer(self.partner)
        if observer is not None and await self._shown(ours, happened):
            return
        await self.ask_partner(word, ours)

        def found() -> list[Entry] | None:
            return self.tape.theirs(word) or self.tape.messages(word) or None

        entries = await self.until(f"the word {word} from our ticket {ours.number}", found)
        self.evidence.see(*entries)

    async def _shown(self, ours: Ours, happened: Entry) -> bool:
        """Whether the partner's ticket shows that it had the news; False where it cannot tell."""
        beginning = f"<{ours.exchange.hex}.{happened.position}@"
        able = True

        async def look() -> bool | None:
            nonlocal able
            observer = await self.parts.carriers.observer(self.partner)
            assert observer is not None
            try:
                [seen] = await observer.look([ours.external_id])
            except Undelivered:
                return None
            if seen.gone:
                raise Failed("gone", f"its ticket {ours.external_id} is gone")
            if seen.messages is None:
                able = False
                return True
            return True if any(each.startswith(beginning) for each in seen.messages) else None

        what = f"the news of position {happened.position} at its ticket {ours.external_id}"
        await self.until_known(what, look, code="lost", ours=True)
        return able

    def nothing_opened_twice(self, ours: Ours) -> None:
        """Raises ``Failed`` where the partner has two tickets for ours."""
        for each in self.tape.of(Exchange.MessageRefused):
            event = each.event
            assert isinstance(event, Exchange.MessageRefused)
            if event.originator_id == ours.exchange and event.code == "link-conflict":
                self.evidence.see(each)
                raise Failed("second-ticket", f"it opened a second ticket for ours: {each.text}")

    def nothing_done_twice(self, word: str) -> None:
        """Raises ``Failed`` where something with this word had an effect more than once."""
        effects = self.tape.theirs(word)
        if len(effects) > 1:
            self.evidence.see(*effects)
            raise Failed("second-effect", f"the word {word} came {len(effects)} times")

    # -- garbage of theirs -------------------------------------------------------------------------

    def is_out(self, entry: Entry) -> bool:
        """Whether an event is about a message of ours."""
        return self._out(entry, entry.event.originator_id)

    async def leave_out(self, parked: Iterable[Entry]) -> None:
        """Parked garbage of a test is nothing for operators."""
        for each in parked:
            event = each.event
            if isinstance(event, Exchange.Parked):
                name = f"{step_tag(self.run)}{self.name}/leave-out"
                with acting(Provenance(RULE.name, random_id(), name)), suppress(NotNow):
                    await self.parts.by_hand.resume(
                        RULE, event.originator_id, event.reference, skip=True
                    )

    # -- what can be tried ---------------------------------------------------------------------------

    def only_if(self, holds: object, why: str) -> None:
        """Raises ``Left`` where the case says nothing about this partner."""
        if not holds:
            raise Left("not-applicable", why)

    def only_in_full(self) -> None:
        self.only_if(
            self.partner.policy is Policy.FULL,
            "by the agreed policy only opening and outcome are told",
        )


class ConformanceCase(Protocol):
    name: str
    title: str
    do: str
    """What the partner must do; ``{word}``, ``{ours}``, ``{theirs}``, ``{slow_s}``, ``{down_s}`` are filled in."""
    checked: str
    """What we look at."""
    why: str

    async def run(self, bench: Bench) -> str:
        """Try it; what was seen, in a sentence. Raises ``Failed``, ``Left``, ``Over``, ``Undelivered``."""
        ...
