"""A federation in one process: hubs, a desk with an interface, people with a mailbox, and what goes wrong between them."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from adapters.helpdesks.webhook.connector import WebhookConnector
from adapters.kit.retry import Undelivered
from domain import commands as c
from domain.aggregate import Event
from domain.errors import Refused
from domain.exchange import Exchange, Outcome
from domain.identifiers import ticket_number
from domain.store import Recorded
from domain.ticket import Ticket
from tests.simulation.exchange_desk import Desk, DeskAdapter
from tests.simulation.exchange_hub import Hub
from tests.simulation.exchange_people import People
from tests.simulation.exchange_readers import PushedReader, Reader
from tests.simulation.exchange_rogue import Rogue
from tests.simulation.exchange_wires import Keys, Posting, Way, place
from tests.simulation.exchange_wishes import WISHES, WORDS

DAY_S = 86_400
NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})
NOTHING_OWN: Mapping[str, str] = MappingProxyType({})
Links = Iterable[str]
"""Two hubs each, and between them by what they talk: ``A-B`` by machine mail, ``A=B`` by webhooks."""


class World:
    def __init__(self, rng: random.Random, loop: asyncio.AbstractEventLoop) -> None:
        self.rng, self.loop = rng, loop
        self.hubs: dict[str, Hub] = {}
        self.desk = Desk(self)
        self.people = People(self)
        self.way, self.keys = Way(self), Keys(self)
        self.adapters = {"desk": DeskAdapter()}
        self.connectors = {
            "desk": self.desk,
            "webhook": WebhookConnector(lambda *_: Posting(self)),
        }
        self.with_webhooks = False
        self.closing_only = False
        """Partners hear of beginning and end, and tell no more."""
        self.own: Mapping[str, str] = NOTHING_OWN
        self.rogue: Rogue | None = None
        self.faults = 0.0
        """How likely what can go wrong goes wrong, as a multiple of the usual."""
        self.ending = False
        self.cut_off: set[str] = set()
        """Hubs from which nothing arrives anywhere."""
        self.slow_steps = True
        self.crashes = self.carried = 0
        self.words = 0
        self.refusals: Counter[str] = Counter()
        self.agreement: Counter[str] = Counter()
        """How tickets that are shared belong together at the end."""
        self.with_desk = False
        self.kinds: Sequence[type[Reader]] = ()
        """How partners read their feeds, if they do."""
        self.readers: dict[str, Reader] = {}
        """Of feeds: by hub and partner."""
        self.read: Counter[str] = Counter()
        """What readers of feeds went through."""
        self.failures: list[Exception] = []
        """Of what nobody waits for."""
        self.running: set[asyncio.Task] = set()
        self._late: set[asyncio.Task] = set()

    def happens(self, likely: float) -> bool:
        return self.rng.random() < likely * self.faults

    async def build(
        self,
        names: str,
        links: Links,
        *,
        desk: str = "",
        people: str = "",
        rogue: str = "",
        known: Mapping[str, Sequence[str]] = NOTHING,
        own: Mapping[str, str] = NOTHING_OWN,
        closing_only: bool = False,
    ) -> None:
        """Hubs by their letters; ``desk``, ``people`` and ``rogue`` name the hub that they are connected with.

        ``known``: further units that the first hub holds for the second's, such as ``{"AB": ["UNIT_DESK"]}``.
        ``own``: a unit that a hub has and no other.
        """
        self.own, self.closing_only = own, closing_only
        partners: dict[str, list] = {name: [] for name in names}
        for one, how, other in links:
            for ours, theirs in ((one, other), (other, one)):
                units = [f"UNIT_{theirs}", *known.get(ours + theirs, [])]
                partners[ours].append(self._partner(ours, theirs, how, units))
        if rogue:
            self.rogue = Rogue(self, rogue)
            self.keys.agree("ROGUE", rogue)
            partners[rogue].append(self._partner(rogue, "ROGUE", "=", ["UNIT_ROGUE"]))
        if desk:
            self.with_desk = True
            partners[desk].append(("desk", "desk", ["UNIT_DESK"], "https://desk.test", ""))
        if people:
            self.people.units.append("UNIT_PEOPLE")
            address = "team@people.test"
            partners[people].append(("people", "email", ["UNIT_PEOPLE"], address, address))
        units = [
            "TPM",
            *(f"UNIT_{name}" for name in names),
            "UNIT_DESK",
            "UNIT_PEOPLE",
            "UNIT_ROGUE",
        ]
        for name in names:
            skew = timedelta(minutes=self.rng.choice(self.skews))
            self.hubs[name] = Hub(name, self, skew=skew)
            all_units = [*units, *([own[name]] if name in own else [])]
            await self.hubs[name].spawn(self.hubs[name].register(all_units, partners[name]))
            for partner in partners[name] if self.kinds else ():
                await self._read(self.hubs[name], partner[0])
            self.hubs[name].live()

    async def _read(self, hub: Hub, partner: str) -> None:
        """The partner reads its feed, in one of the ways there are."""
        place = f"{hub.name.lower()}/{partner}"
        rng = random.Random(f"{place} {self.rng.random()}")
        reader = self.readers[place] = rng.choice(self.kinds)(self, hub, partner, rng)
        if isinstance(reader, PushedReader):
            subscribing = hub.feeds.subscribe(partner, f"https://reader.test/{place}")
            reader.keys.append(await hub.spawn(subscribing))
        self.running.add(self.loop.create_task(self.watched(reader.run())))

    async def watched(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Somebody is to know of its failure."""
        try:
            await coroutine
        except Exception as failure:
            self.failures.append(failure)
            raise

    def _partner(self, ours: str, theirs: str, how: str, units: list[str]) -> tuple:
        """As it is registered with one hub."""
        name = theirs.lower()
        if how == "-":
            address = f"{ours.lower()}@{name}.test"
            return (name, "osg_mail", units, address, address)
        assert how == "=", how
        self.with_webhooks = True
        self.keys.agree(ours, theirs)
        return (name, "webhook", units, f"https://{name}.test/{ours.lower()}", "")

    @property
    def skews(self) -> Sequence[float]:
        """Minutes by which a hub's clock is wrong for ever: signatures bear five between two of them."""
        return (0, 0, -2, 2) if self.with_webhooks else (0, 0, -3, 200, -3000)

    # -- what travels --------------------------------------------------------------------------------

    async def carry(self, raw: bytes, sender: str, recipient: str) -> str:
        """An SMTP session. Raises ``Undelivered``."""
        return await self.way.go("smtp-451", lambda: self._arrive(raw, sender, recipient))

    async def at_door(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """What the door for webhooks answers. Raises ``Undelivered`` when nobody does."""
        domain, helpdesk = place(url)
        self._must_arrive(helpdesk)
        if domain == "reader.test":
            reader = self.readers[helpdesk]
            assert isinstance(reader, PushedReader)
            return reader.receive(headers, body)
        if self.rogue and domain == "rogue.test":
            return self.rogue.take(body)
        hub = next(each for each in self.hubs.values() if each.domain == domain)
        return await hub.take_event(helpdesk, headers, body)

    def late(self, what) -> asyncio.Task:
        task = self.loop.create_task(what)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        return task

    async def _arrive(self, raw: bytes, sender: str, recipient: str) -> str:
        domain = recipient.partition("@")[2]
        self._must_arrive(sender.partition("@")[2].removesuffix(".test"))
        if domain == "people.test":
            return self.people.take(raw)
        hub = next(each for each in self.hubs.values() if each.domain == domain)
        return await hub.take(raw, sender, recipient)

    def _must_arrive(self, sender: str) -> None:
        if sender.upper() in self.cut_off:
            raise Undelivered("not-reached", "no connection", final=False)

    def something_changes(self) -> None:
        """A key, or a clock for some hours."""
        if self.with_webhooks and self.rng.random() < 0.6:
            self.late(self.keys.change_one())
        else:
            self.late(self._wrong_clock(self.hubs[self.rng.choice(sorted(self.hubs))]))

    async def _wrong_clock(self, hub: Hub) -> None:
        if hub.wrong_clock:
            return
        hub.wrong_clock = timedelta(minutes=self.rng.choice((-90, -6, 6, 90, 3000)))
        await asyncio.sleep(self.rng.expovariate(1 / 1800))
        hub.wrong_clock = timedelta()

    # -- users ---------------------------------------------------------------------------------------

    def word(self, what: str) -> str:
        """A text that occurs nowhere else; ``hidden`` ones are to stay where they are."""
        self.words += 1
        return f"{what}{self.words}x"

    async def somebody_acts(self) -> None:
        """One random act of a user somewhere."""
        hub = self.hubs[self.rng.choice(sorted(self.hubs))]
        if self.with_desk and self.rng.random() < 0.15:
            self._at_the_desk()
            return
        if self.people.units and self.rng.random() < 0.1:
            self.people.answer()
            return
        numbers = list(await tickets(hub))
        if not numbers or (len(numbers) < 3 and self.rng.random() < 0.1):
            unit = self.unit()
            text = self.word("public")
            await hub.do(c.OpenTicket(subject=self.word("subject"), description=text, unit=unit))
            return
        number = self.rng.choice(numbers)
        wish = self.rng.choice(("comment",) * 8 + tuple(WISHES))
        kind = WORDS.get(wish, "public")
        command = WISHES[wish](number, self.word(kind), self)
        try:
            await hub.do(command)
        except Refused:
            return

    def _units(self) -> list[str]:
        more = ["UNIT_DESK"] if self.with_desk else []
        more += ["UNIT_ROGUE"] if self.rogue else []
        return [*(f"UNIT_{name}" for name in sorted(self.hubs)), *more, *self.people.units]

    def unit(self) -> str:
        return self.rng.choice(self._units())

    def _at_the_desk(self) -> None:
        known = list(self.desk.tickets.values())
        if not known or self.rng.random() < 0.3:
            self.desk.open(self.word("subject"), self.word("public"))
            return
        ticket = self.rng.choice(known)
        if self.rng.random() < 0.6:
            self.desk.entry(ticket, self.word("public"))
        else:
            states = [state for state in ("open", "stalled", "resolved") if state != ticket.state]
            self.desk.move(ticket, self.rng.choice(states), self.word("public"))

    # -- the end -------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Nothing goes wrong any more, and operators let go on what was given up; until nothing moves."""
        self.faults, self.ending = 0.0, True
        for hub in self.hubs.values():
            hub.crash_in = 0
        until, still, before = self.loop.time() + 3 * DAY_S, 0, -1
        while still < 4:
            assert self.loop.time() < until, "it never comes to rest"
            await asyncio.sleep(150)
            for hub in self.hubs.values():
                if hub.parts is not None:
                    await self._operate(hub)
            now = sum([await hub.memory.head() for hub in self.hubs.values()])
            idle = now == before and not self._late and all(hub.idle for hub in self.hubs.values())
            still, before = still + 1 if idle else 0, now
        await self._readers_have_all()
        self.ending = False

    async def _readers_have_all(self) -> None:
        """What is in the feeds."""
        until = self.loop.time() + DAY_S
        while True:
            behind = [place for place, each in self.readers.items() if not await each.has_all()]
            if not behind:
                return
            assert not self.failures, self.failures
            shown = [(each, self.readers[each]) for each in behind]
            assert self.loop.time() < until, f"these never come to the end: {shown}"
            await asyncio.sleep(30)

    async def _operate(self, hub: Hub) -> None:
        """Try again what was parked because of the way, not because of what it says."""
        for stream, reference, code in await parked(hub):
            if code in WAY:
                await hub.resume(stream, reference)


async def recorded(hub: Hub) -> list[Recorded]:
    """The whole log, decoded once."""
    hub.read += await hub.memory.log(len(hub.read), 1_000_000)
    return hub.read


async def tickets(hub: Hub) -> dict[int, Ticket]:
    found: dict[int, list[Event]] = {}
    for each in await recorded(hub):
        if number := ticket_number(each.event.originator_id):
            found.setdefault(number, []).append(each.event)
    return {
        number: Ticket.replay(events[0].originator_id, events) for number, events in found.items()
    }


async def exchanges(hub: Hub) -> dict[UUID, Exchange]:
    found: dict[UUID, list[Event]] = {}
    for each in await recorded(hub):
        if type(each.event) in Exchange.mutators:
            found.setdefault(each.event.originator_id, []).append(each.event)
    return {stream: Exchange.replay(stream, events) for stream, events in found.items()}


async def parked(hub: Hub) -> list[tuple[UUID, int, str]]:
    """Messages that wait for an operator, and why."""
    why = {
        (each.event.originator_id, each.event.reference): each.event.code
        for each in await recorded(hub)
        if isinstance(each.event, Exchange.Parked)
    }
    return [
        (stream, message.reference, why.get((stream, message.reference), "returned"))
        for stream, exchange in (await exchanges(hub)).items()
        for message in exchange.messages.values()
        if message.outcome is Outcome.PARKED
    ]


WAY = {
    "not-reached", "slow", "smtp-451", "smtp", "http-500", "http-503", "courier-failed", "unauthorised",
}  # fmt: skip
