"""What must hold when a federation has come to rest."""

from collections import Counter, defaultdict

from domain.exchange import Exchange
from domain.identifiers import ticket_number
from domain.lifecycle import FINAL
from domain.store import Recorded
from domain.ticket import Ticket
from tests.simulation.exchange_agreement import agreement
from tests.simulation.exchange_feed_checks import check_feeds
from tests.simulation.exchange_hub import USER, Hub
from tests.simulation.exchange_texts import WORD, texts
from tests.simulation.exchange_world import World, exchanges, parked, recorded, tickets


async def public_words(hub: Hub) -> dict[int, Counter[str]]:
    """By ticket, how often each word stands where the public can read it."""
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for each in await recorded(hub):
        number = ticket_number(each.event.originator_id)
        if not number or getattr(each.event, "visibility", "public") != "public":
            continue
        words = set(WORD.findall(await texts(hub, each.event)))
        found[number].update(word for word in words if not word.startswith("subject"))
    return found


BY_RULE = {"loop", "not-now"}
"""Codes of refusals that are no defect."""


class Federation:
    """What all hubs hold."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.request: dict[tuple[str, int], str] = {}
        """Each ticket's request: the ticket in which it began, as a hop."""
        self.words: dict[str, dict[int, Counter[str]]] = {}

    async def look(self) -> "Federation":
        for name, hub in self.world.hubs.items():
            self.words[name] = await public_words(hub)
            for each in await recorded(hub):
                if isinstance(each.event, Ticket.Opened):
                    origin = each.event.provenance.origin
                    hops = origin.hops if origin else ()
                    number = each.event.number
                    self.request[name, number] = hops[0] if hops else f"{hub.prefix}-{number}"
        return self

    # -- the laws ------------------------------------------------------------------------------------

    async def check(self) -> None:
        self._created_once()
        await self._all_have_outcomes()
        await self._refused_by_rules()
        await self._hidden_stays_hidden()
        await self._told_once()
        await self._desk_told_once()
        self._no_vacation_is_an_entry()
        await self._rogue_is_kept_in()
        await self._no_flood()
        self.world.agreement += await agreement(self.world, await self.linked())
        await check_feeds(self.world)

    def _created_once(self) -> None:
        counted = Counter((name, request) for (name, _), request in self.request.items())
        twice = [each for each, count in counted.items() if count > 1]
        assert not twice, f"opened twice: {twice}"
        for request in self.request.values():
            prefix, _, number = request.rpartition("-")
            assert self.request.get((prefix[0], int(number))) == request, f"from nowhere: {request}"
        refs = Counter(ticket.ref for ticket in self.world.desk.tickets.values() if ticket.ref)
        assert all(count == 1 for count in refs.values()), f"twice at the desk: {refs}"

    async def _all_have_outcomes(self) -> None:
        for name, hub in self.world.hubs.items():
            waiting = [
                (stream, message)
                for stream, exchange in (await exchanges(hub)).items()
                for message in exchange.messages.values()
            ]
            left = {(stream, reference) for stream, reference, _ in await parked(hub)}
            lost = [each for each in waiting if (each[0], each[1].reference) not in left]
            assert not lost, f"{name} left {lost}"
            with_whom = {stream: each.helpdesk for stream, each in (await exchanges(hub)).items()}
            codes = [each for each in await parked(hub) if with_whom[each[0]] != "rogue"]
            assert not codes, f"{name} parked {codes}"

    async def _hidden_stays_hidden(self) -> None:
        for name, hub in self.world.hubs.items():
            for each in await recorded(hub):
                raw = await _raw(hub, each)
                assert b"hidden" not in raw, f"{name} tells what is internal: {raw!r}"

    async def _told_once(self) -> None:
        excused = await self._excused()
        told = await self._outcomes() if self.world.closing_only else None
        for name, by_ticket in self.words.items():
            for number, words in by_ticket.items():
                twice = [word for word, count in words.items() if count > 1]
                assert not twice, f"{name}-{number} has twice: {twice}"
        for (name, number), (other, theirs) in await self.linked():
            ours, yours = self.words[name][number], self.words[other][theirs]
            missing = {word for word in ours if word not in yours} - excused[other] - excused[name]
            missing &= missing if told is None else told
            assert not missing, f"{other}-{theirs} lacks {missing} of {name}-{number}"

    async def _outcomes(self) -> set[str]:
        """Words that even who hears of beginning and end alone must hear: of the end."""
        found: set[str] = set()
        for hub in self.world.hubs.values():
            for each in await recorded(hub):
                if isinstance(each.event, Ticket.Solved | Ticket.FoundUnsolvable | Ticket.Reopened):
                    found |= set(WORD.findall(await texts(hub, each.event)))
        return found

    async def _desk_told_once(self) -> None:
        excused = await self._excused()
        linked: set[int] = set()
        for name, hub in self.world.hubs.items():
            for exchange in (await exchanges(hub)).values():
                if exchange.helpdesk != "desk" or not exchange.number:
                    continue
                assert int(exchange.external_id) not in linked
                linked.add(int(exchange.external_id))
                ticket = self.world.desk.tickets[int(exchange.external_id)]
                there = Counter(WORD.findall("\n".join(ticket.texts)))
                here = {w for w in self.words[name][exchange.number] if not w.startswith("file")}
                assert all(count == 1 for count in there.values()), f"twice at the desk: {there}"
                differ = (here ^ set(there)) - excused[name]
                assert not differ, f"desk {ticket.id}, {name}-{exchange.number}: {differ}"
        if self.world.with_desk:
            assert linked == set(self.world.desk.tickets), (
                "every ticket of the desk has one of ours"
            )

    def _no_vacation_is_an_entry(self) -> None:
        for by_ticket in self.words.values():
            for words in by_ticket.values():
                assert "vacation" not in words

    async def _refused_by_rules(self) -> None:
        """What honest partners say is well said: only a rule about tickets may stand against it."""
        for name, hub in self.world.hubs.items():
            with_whom = {stream: each.helpdesk for stream, each in (await exchanges(hub)).items()}
            for each in await recorded(hub):
                if isinstance(each.event, Exchange.MessageRefused):
                    self.world.refusals[each.event.code] += 1
                    if with_whom[each.event.originator_id] != "rogue":
                        said = await texts(hub, each.event)
                        assert each.event.code in BY_RULE, f"{name}: {each.event.code}: {said}"

    async def _rogue_is_kept_in(self) -> None:
        """It touched and heard of nothing but what is exchanged with it."""
        rogue = self.world.rogue
        if rogue is None:
            return
        hub = self.world.hubs[rogue.hub]
        exchanged = {
            each.number for each in (await exchanges(hub)).values() if each.helpdesk == "rogue"
        }
        for each in await recorded(hub):
            origin, number = each.event.provenance.origin, ticket_number(each.event.originator_id)
            if number and origin and origin.helpdesk == "rogue":
                assert number in exchanged, f"the rogue touched {number}: {each.event}"
        heard = set(WORD.findall(b"".join(rogue.heard).decode()))
        allowed = {word for number in exchanged for word in self.words[rogue.hub].get(number, ())}
        other = {word for word in heard - allowed if not word.startswith("subject")}
        assert not other, f"the rogue heard {other}"

    async def linked(self) -> list[tuple[tuple[str, int], tuple[str, int]]]:
        """Tickets of hubs that are exchanged with each other, both ways round."""
        found = []
        for name, hub in self.world.hubs.items():
            for exchange in (await exchanges(hub)).values():
                other = exchange.helpdesk.upper()
                there, _, theirs = exchange.external_id.rpartition("-")
                if exchange.number and there == 2 * other and other in self.words:
                    found.append(((name, exchange.number), (other, int(theirs))))
        return found

    async def _excused(self) -> dict[str, set[str]]:
        """Words of messages that a rule kept from having an effect: refused, or nothing could be done.

        Who hears of beginning and end alone keeps no entry of an end that came too late.
        """
        found: dict[str, set[str]] = defaultdict(set)
        for name, hub in self.world.hubs.items():
            raws: dict[tuple, bytes] = {}
            final = {n for n, ticket in (await tickets(hub)).items() if ticket.status in FINAL}
            over = {id_ for id_, each in (await exchanges(hub)).items() if each.number in final}
            for each in await recorded(hub):
                event = each.event
                if isinstance(event, Exchange.MessageReceived):
                    raws[event.originator_id, event.originator_version] = await _raw(hub, each)
                elif (
                    isinstance(event, Exchange.MessageRefused)
                    or (isinstance(event, Exchange.Ignored) and event.originator_id in over)
                    or (self.world.closing_only and getattr(event, "withheld", ()))
                ):
                    raw = raws.get((event.originator_id, event.reference), b"")  # one of ours
                    found[name] |= set(WORD.findall(raw.decode()))
        return found

    async def _no_flood(self) -> None:
        acts = sum(
            [
                sum(
                    each.event.provenance.origin is None
                    for each in await recorded(hub)
                    if ticket_number(each.event.originator_id)
                )
                for hub in self.world.hubs.values()
            ]
        )
        acts += len(self.world.desk.changes) + (self.world.rogue.said if self.world.rogue else 0)
        told = sum(
            [
                sum(isinstance(each.event, Exchange.Dispatched) for each in await recorded(hub))
                for hub in self.world.hubs.values()
            ]
        )
        assert told <= 4 * acts * len(self.world.hubs) + 20, f"{told} messages for {acts} acts"


async def _raw(hub: Hub, each: Recorded) -> bytes:
    sealed = getattr(each.event, "raw", None)
    found = await hub.memory.contents([sealed.id]) if sealed else {}
    return found[sealed.id].body if found else b""


async def states_agree(world: World) -> None:
    """After a last word of one side alone, both sides of every link are over or both are not."""
    federation = await Federation(world).look()
    of = {name: await tickets(hub) for name, hub in world.hubs.items()}
    for (name, number), (other, theirs) in await federation.linked():
        one, two = of[name][number].status, of[other][theirs].status
        if one not in FINAL and two not in FINAL:
            assert one is two, f"{name}-{number} is {one.value}, {other}-{theirs} is {two.value}"


__all__ = ["USER", "Federation", "states_agree"]
