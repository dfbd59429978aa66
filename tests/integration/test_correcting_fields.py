"""Corrections of everything that a mapping decides: once, by ordinary commands, told like any other change."""

import asyncio
import os

import pytest

from api import correcting
from api.bootstrap import Services
from domain import commands as c
from domain import disclosure
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.ticket import Ticket
from domain.words import Table, Tables
from tests.exchange_scenarios import RULE, by_test, mail

PRIORITIES = {"P1": "very urgent", "P2": "urgent", "P3": "less urgent"}
UNITS = {"Storage group": "NGI_DE", "Network group": "NGI_IT"}


def tables(priorities: dict[str, str], units: dict[str, str], categories: dict[str, str]) -> Tables:
    written = dict.fromkeys(("very urgent", "top priority", "urgent", "less urgent"), "P1")
    return Tables(
        priorities=Table(theirs=priorities, ours=written),
        units=Table(theirs=units),
        categories=Table(theirs=categories),
    )


WRONG = tables(PRIORITIES, UNITS, {"outage": "Incident"})
RIGHT = tables(
    PRIORITIES | {"P2": "top priority"},
    UNITS | {"Storage group": "NGI_IT"},
    {"outage": "Service request"},
)


@pytest.fixture
def set_up() -> dict[str, object]:
    return {"exchange": True}


@pytest.fixture
async def desk(services: Services) -> str:
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register("osg", "osg_mail", ["NGI_FR"], address="a@osg.test", sender="b@osg.test")
        helpdesk.set_policy(Policy.FULL)
        helpdesk.set_interface(InterfaceState.LIVE)
        unit = SupportUnit(named_id(SupportUnit.KIND, "NGI_IT"))
        unit.register("NGI_IT", kind=UnitKind.NGI)
        await services.ledger.save(helpdesk, unit)
    await publish(services, WRONG)
    return "osg"


async def publish(services: Services, draft: Tables) -> int:
    with by_test():
        _, receipt = await services.exchange.mappings.publish(RULE, "osg", draft)
    return receipt.position


async def hear(services: Services, **fields: str) -> Exchange:
    """A mail of theirs has its outcome; the conversation."""
    partner = await services.exchange.conversations.known_partner("osg")
    raw = mail("Storage is down", Description="All of it.", E_Mail="a@osg.test", **fields)
    received = await services.exchange.inbox.receive(partner, raw, f"<{os.urandom(8).hex()}@x>")
    assert received is not None
    async with asyncio.timeout(30):
        while True:
            await services.exchange.inbox.apply(received.exchange)
            found = await services.exchange.conversations.load(received.exchange)
            if found.number and not any(each.message_id for each in found.messages.values()):
                return found
            await asyncio.sleep(0.05)


def theirs(number: str) -> dict[str, str]:
    return {"Origin_ID": number, "Priority": "P2", "Responsible_Unit": "Storage group"}


async def opened(services: Services, number: str) -> Exchange:
    """A ticket of theirs, and what they say of it afterwards: a category counts when it changes."""
    exchange = await hear(services, **theirs(number))
    return await hear(
        services, **theirs(number), Request_ID=str(exchange.number), Ticket_Category="outage"
    )


async def corrected(services: Services, *, dry_run: bool = False) -> list[correcting.Corrected]:
    work = await correcting.corrections(services, RULE, "osg")
    return [each async for each in work.run(RULE, dry_run=dry_run)]


def values(ticket: Ticket) -> tuple[str, str, str]:
    return ticket.priority.value, ticket.unit, ticket.category


async def told(services: Services, stream: object) -> list[int]:
    """Positions of which the partner is told, apart from what holds after changes that crossed."""
    log = await services.store.log(0, 10_000)
    return [
        each.event.event_position
        for each in log
        if isinstance(each.event, Exchange.DispatchDecided)
        and each.event.originator_id == stream
        and each.event.disclosed
        and each.event.rule != disclosure.CONFIRMED.rule
    ]


async def decided(services: Services, stream: object, until: int) -> None:
    """The partner is told, or not, of all up to a position."""
    async with asyncio.timeout(60):
        while True:
            events = [each.event for each in await services.store.stream(stream)]  # type: ignore[arg-type]
            if Exchange.replay(stream, events).decided_until >= until:  # type: ignore[arg-type]
                return
            await asyncio.sleep(0.05)


async def test_priority_unit_and_category_are_put_right_once_and_told_once(services, desk):
    exchange = await opened(services, "7001")
    assert values(await services.ledger.ticket(exchange.number)) == (
        "urgent", "NGI_DE", "Incident",
    )  # fmt: skip
    cause = await publish(services, RIGHT)
    head = await services.store.head()

    [planned] = await corrected(services, dry_run=True)
    said = {each.field: (each.was, each.means) for each in planned.corrections}
    assert said == {
        "category": ("Incident", "Service request"),
        "priority": ("urgent", "top priority"),
        "unit": ("NGI_DE", "NGI_IT"),
    }
    assert planned.position == 0
    history = await services.ledger.history(exchange.number)
    assert all(each.position <= head for each in history), "a dry run changes nothing"

    [done] = await corrected(services)
    ticket = await services.ledger.ticket(exchange.number)
    assert values(ticket) == ("top priority", "NGI_IT", "Service request")
    new = [e for e in await services.ledger.history(exchange.number) if e.position > head]
    assert [type(each.event) for each in new] == [
        Ticket.Reclassified, Ticket.Reclassified, Ticket.Assigned,
    ]  # fmt: skip
    assert {each.event.provenance.causation_id for each in new} == {f"event:{cause}"}
    reason = await services.store.contents([new[1].event.justification.id])
    assert "osg_mail@1/2" in next(iter(reason.values())).text()

    assert await corrected(services) == [], "a second time finds nothing to do"
    await decided(services, exchange.id, done.position)
    positions = await told(services, exchange.id)
    assert [each for each in positions if each > head] == [
        each.position for each in new if getattr(each.event, "field", "") != "category"
    ], "this partner is told no categories"
    number = exchange.number
    echo = theirs("7001") | {
        "Priority": "P1", "Responsible_Unit": "NGI_IT", "Request_ID": str(number),
    }  # fmt: skip
    before = await services.ledger.ticket(number)
    await hear(services, **echo)
    assert (await services.ledger.ticket(number)).unit == before.unit
    heard = (await services.ledger.history(number))[-1].position
    await decided(services, exchange.id, heard)
    assert await told(services, exchange.id) == positions, "what they say again is not told them"


async def test_what_somebody_changed_since_stays_as_it_is_and_is_named(services, desk):
    by_hand, other, replaced = [await opened(services, str(n)) for n in range(7001, 7004)]
    with by_test():
        change = c.Reclassify(
            number=by_hand.number, field="priority", value="less urgent", justification="No."
        )
        await services.ledger.execute(change, actor=RULE)
        taken = c.StartWork(number=other.number)
        await services.ledger.execute(taken, actor=RULE)
    await hear(services, **(theirs("7003") | {"Priority": "P3"}), Request_ID=str(replaced.number))
    await publish(services, RIGHT)

    found = {each.number: each for each in await corrected(services)}
    left = {
        number: {fix.field: (fix.left, fix.since) for fix in each.corrections if fix.left}
        for number, each in found.items()
    }
    assert left == {
        by_hand.number: {"priority": ("moved-on", RULE.name)},
        other.number: {"unit": ("moved-on", RULE.name)},
        replaced.number: {},
    }
    assert [values(await services.ledger.ticket(number)) for number in found] == [
        {
            by_hand.number: ("less urgent", "NGI_IT", "Service request"),
            other.number: ("top priority", "NGI_DE", "Service request"),
            replaced.number: ("less urgent", "NGI_IT", "Service request"),
        }[number]
        for number in found
    ]


async def test_units_and_categories_that_we_do_not_have_are_left_to_a_person(services, desk):
    exchange = await opened(services, "7001")
    nowhere = tables(PRIORITIES, UNITS | {"Storage group": "NGI_XX"}, {"outage": "Nonsense"})
    await publish(services, nowhere)
    [found] = await corrected(services)
    assert {each.field: each.left for each in found.corrections} == {
        "category": "unknown-value", "unit": "unknown-unit",
    }  # fmt: skip
    ticket = await services.ledger.ticket(exchange.number)
    assert values(ticket) == ("urgent", "NGI_DE", "Incident")
