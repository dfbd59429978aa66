"""Where a ticket goes: GGUS routing rules 1, 2, 3 and 8, through the ledger and its live directory."""

import pytest

from adapters.store.memory import MemoryStore
from domain.aggregate import Claim
from domain.commands import Assign, OpenTicket
from domain.directory import Facts, Site, SupportUnit
from domain.errors import Forbidden, RoutingNotPossible
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger, collect
from domain.lifecycle import Status
from domain.live_directory import LiveDirectory
from domain.store import Append
from domain.vocabulary import TPM
from tests.tickets import SYSTEM, as_actor, execute, federation, person


@pytest.fixture
async def ledger() -> Ledger:
    ledger = Ledger(MemoryStore())
    await federation(ledger)
    return ledger


@pytest.mark.parametrize(
    ("named", "unit", "site", "status"),
    [
        ({}, TPM, "", Status.NEW),
        ({"unit": TPM}, TPM, "", Status.NEW),
        ({"unit": "NGI_IT"}, "NGI_IT", "", Status.ASSIGNED),
        ({"unit": "VOSupport"}, "VOSupport", "", Status.ASSIGNED),
        ({"notified_site": "FZK-LCG2"}, "NGI_DE", "FZK-LCG2", Status.ASSIGNED),
    ],
)
async def test_a_new_ticket_goes_where_it_names(ledger, named, unit, site, status):
    actor = person()
    ticket = (await execute(ledger, OpenTicket(subject="x", **named), actor=actor)).ticket
    assert (ticket.unit, ticket.notified_site, ticket.status) == (unit, site, status)
    first, *routed = [each.event for each in await ledger.history(ticket.number)]
    assert first.provenance.actor == actor.name
    for event in routed:
        assert event.provenance.actor == "rule:routing@1"
        assert event.provenance.command_id == first.provenance.command_id
        assert event.provenance.causation_id == f"command:{first.provenance.command_id}"


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ({"unit": "NGI_DE", "notified_site": "FZK-LCG2"}, "not both"),
        ({"notified_site": "DESY-TEST"}, "Uncertified"),
        ({"notified_site": "ORPHAN"}, "no NGI"),
        ({"notified_site": "NOWHERE"}, "first-line support"),
        ({"unit": "NGI_XX"}, "first-line support"),
        ({"unit": "FZK-LCG2"}, "no support unit"),
    ],
)
async def test_what_cannot_be_routed_is_refused_with_a_way_forward(ledger, named, hint):
    before = await ledger.store.head()
    with pytest.raises(RoutingNotPossible, match=hint):
        await execute(ledger, OpenTicket(subject="x", **named))
    await execute(ledger, OpenTicket(subject="x"))
    with pytest.raises(RoutingNotPossible, match=hint):
        await execute(ledger, Assign(number=1, **named))
    assert await ledger.store.head() == before + 1


async def test_an_assignment_without_names_goes_back_to_first_line(ledger):
    await execute(ledger, OpenTicket(subject="x", unit="NGI_IT"))
    ticket = (await execute(ledger, Assign(number=1))).ticket
    assert (ticket.unit, ticket.status) == (TPM, Status.ASSIGNED)


async def test_a_site_that_left_is_not_offered_any_more(ledger):
    site = await ledger.load(Site, named_id(Site.KIND, "FZK-LCG2"))
    with as_actor():
        site.leave()
    await ledger.save(site)
    with pytest.raises(RoutingNotPossible, match="no site"):
        await execute(ledger, OpenTicket(subject="x", notified_site="FZK-LCG2"))


async def test_tickets_of_a_retired_unit_go_elsewhere(ledger):
    unit = await ledger.load(SupportUnit, named_id(SupportUnit.KIND, "NGI_DE"))
    with as_actor():
        unit.retire()
    await ledger.save(unit)
    with pytest.raises(RoutingNotPossible, match="no support unit 'NGI_DE'"):
        await execute(ledger, OpenTicket(subject="x", notified_site="FZK-LCG2"))


async def test_a_site_is_found_by_an_alias_and_recorded_by_its_name(ledger):
    site = await ledger.load(Site, named_id(Site.KIND, "FZK-LCG2"))
    with as_actor():
        site.record("FZK-LCG2", Facts(ngi="NGI_DE", tier="1"))
    append = collect([site])
    await ledger.store.append(
        Append(append.events, claims=[Claim("site-alias", "T1_DE_KIT", site.id)])
    )
    ticket = (await execute(ledger, OpenTicket(subject="x", notified_site="T1_DE_KIT"))).ticket
    assert (ticket.notified_site, ticket.unit) == ("FZK-LCG2", "NGI_DE")


async def test_what_another_process_registered_is_not_refused_from_memory(ledger):
    """A kept "there is no such unit" was believed for a second."""
    with pytest.raises(RoutingNotPossible):
        await execute(ledger, OpenTicket(subject="x", unit="NGI_FR"))
    another = Ledger(ledger.store)
    unit = SupportUnit(named_id(SupportUnit.KIND, "NGI_FR"))
    with as_actor():
        unit.register("NGI_FR")
    await another.save(unit)
    assert (await execute(ledger, OpenTicket(subject="x", unit="NGI_FR"))).ticket.unit == "NGI_FR"


async def test_who_may_not_assign_learns_nothing_of_the_directory(ledger):
    await execute(ledger, OpenTicket(subject="x"))
    with pytest.raises(Forbidden):
        await execute(ledger, Assign(number=1, unit="NGI_XX"), actor=person())


async def test_the_notified_site_is_forgotten_when_it_leaves(ledger):
    from domain.commands import EndSiteNotification
    from domain.errors import NothingToDo

    await execute(ledger, OpenTicket(subject="x", notified_site="FZK-LCG2"))
    ticket = (await execute(ledger, EndSiteNotification(number=1))).ticket
    assert (ticket.notified_site, ticket.unit) == ("", "NGI_DE")
    with pytest.raises(NothingToDo):
        await execute(ledger, EndSiteNotification(number=1), actor=SYSTEM)


async def test_what_is_read_is_known_though_others_are_forgotten_meanwhile(ledger, monkeypatch):
    directory, asked = LiveDirectory(ledger.store), []
    read = ledger.store.stream

    async def stream(originator_id, **bounds):
        asked.append(originator_id)
        found = await read(originator_id, **bounds)
        directory.forget([random_id()])
        return found

    monkeypatch.setattr(ledger.store, "stream", stream)
    assert await directory.unit("NGI_DE") is await directory.unit("NGI_DE")
    assert len(asked) == 1


async def test_what_changes_while_it_is_read_is_read_again(ledger, monkeypatch):
    directory, asked = LiveDirectory(ledger.store), []
    read = ledger.store.stream

    async def stream(originator_id, **bounds):
        asked.append(originator_id)
        found = await read(originator_id, **bounds)
        directory.forget([originator_id])
        return found

    monkeypatch.setattr(ledger.store, "stream", stream)
    await directory.unit("NGI_DE")
    await directory.unit("NGI_DE")
    assert len(asked) == 2
