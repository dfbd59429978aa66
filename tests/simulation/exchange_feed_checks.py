"""What must hold of feeds when a federation has come to rest, said without the words of those that make them."""

import re
from collections import Counter
from typing import Any

from domain.exchange import Exchange
from domain.identifiers import ticket_number
from domain.ticket import Ticket
from projections.feed_pages import rendered
from tests.simulation.exchange_feed_tables import Tables
from tests.simulation.exchange_hub import Hub
from tests.simulation.exchange_readers import PushedReader, Reader
from tests.simulation.exchange_texts import WORD, texts
from tests.simulation.exchange_world import World, exchanges, recorded

_ENDS = (Ticket.Assigned, Ticket.Solved, Ticket.FoundUnsolvable, Ticket.Reopened)
"""What even partners are told that hear of beginning and end alone."""


async def check_feeds(world: World) -> None:
    assert not world.failures, world.failures
    for hub in world.hubs.values():
        afresh = Tables(hub.memory, world.rng)
        await afresh.turn_page(1_000_000)
        for reader in world.readers.values():
            if reader.hub is hub:
                await _has_its_feed(reader, afresh)
                await _has_all_that_it_may_see(world, reader)
                _count(world.read, reader)


async def _has_its_feed(reader: Reader, afresh: Tables) -> None:
    """Dense, verified (it refuses all else as it reads), and as it is made from the log in one go."""
    found = reader.entries
    assert [each.sequence for each in found] == list(range(1, len(found) + 1))
    made = [rendered(each) for each in await afresh.after(reader.name, 0, 1_000_000)]
    assert [body for _, body in sorted(reader.effects.items())] == made


async def _has_all_that_it_may_see(world: World, reader: Reader) -> None:
    told_first = {
        each.event.number
        for each in await recorded(reader.hub)
        if isinstance(each.event, Exchange.Opened) and each.event.helpdesk == reader.name
    }
    began = {
        each.number: each.number in told_first
        for each in (await exchanges(reader.hub)).values()
        if each.helpdesk == reader.name and each.number
    }
    seen: dict[int, Counter[str]] = {number: Counter() for number in began}
    told: Counter[tuple[int, str, int]] = Counter()
    for entry in reader.entries:
        event = entry.event
        assert event.ticket in seen, f"{reader.name} reads of {event.ticket}, which is not its own"
        said = " ".join(each.text for each in entry.texts.values() if each)
        seen[event.ticket].update(_words(said))
        told[event.ticket, event.topic.partition(".")[0], event.version] += 1
        assert not re.search(r"hidden|vacation", said), f"{reader.name} reads {said!r}"
        assert event.actor.partition(":")[0] in {"user", "import", "rule", "helpdesk"}
    assert not [each for each, count in told.items() if count > 1]
    expected: dict[int, Counter[str]] = {number: Counter() for number in began}
    for number, event in await _of_tickets(reader.hub):
        if number in began and _may_be_seen(world, reader.name, event, began[number]):
            expected[number].update(_words(await texts(reader.hub, event)))
    assert seen == expected, f"{reader.kind} {reader.name}: {seen} is not {expected}"
    assert all(count == 1 for words in seen.values() for count in words.values())


def _words(text: str) -> set[str]:
    return {word for word in WORD.findall(text) if not word.startswith("subject")}


async def _of_tickets(hub: Hub) -> list[tuple[int, Any]]:
    found = ((ticket_number(each.event.originator_id), each.event) for each in await recorded(hub))
    return [(number, event) for number, event in found if number]


def _may_be_seen(world: World, partner: str, event: Any, opened_here: bool) -> bool:
    origin = event.provenance.origin
    if (origin and origin.helpdesk == partner) or event.provenance.actor == f"helpdesk:{partner}":
        return False
    if isinstance(event, Ticket.Opened):
        return opened_here
    if world.closing_only and not isinstance(event, _ENDS):
        return False
    return getattr(event, "visibility", "public") == "public"


def _count(read: Counter[str], reader: Reader) -> None:
    read.update({reader.kind: 1, "entries": len(reader.effects), "again": reader.again})
    read.update({"fell over": reader.crashes, "put back": reader.backups})
    if isinstance(reader, PushedReader):
        read.update({"gaps": reader.gaps, "unsigned": reader.unsigned})
