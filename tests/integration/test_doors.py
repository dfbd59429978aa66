"""Doors in a conformance run: slow or shut for one partner, for a bounded time, and never for a live one in production."""

import asyncio
from datetime import timedelta

import pytest

from adapters.kit.doorkeeping import Shut
from adapters.kit.mail_door import NotTaken
from adapters.kit.mail_in import MailIn
from adapters.store.checkpoints import Checkpoints
from api.conformance.doors import Doors
from domain import clock
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from tests.exchange_scenarios import by_test, mail


async def partner(services, name, state=InterfaceState.TESTING) -> Helpdesk:
    made = Helpdesk(named_id(Helpdesk.KIND, name))
    with by_test():
        made.register(name, "osg_mail", address=f"{name}@osg.test", sender=f"{name}@osg.test")
        made.set_interface(state)
        await services.ledger.save(made)
    return made


async def received(services) -> int:
    log = await services.store.log(0, 1000)
    return sum(isinstance(each.event, Exchange.MessageReceived) for each in log)


async def test_mail_of_one_partner_is_turned_away_and_taken_later_once(services):
    await partner(services, "desk")
    await partner(services, "other")
    domain = services.settings.mail_domain
    reception = MailIn(services.exchange.mail_door, None)
    raw = mail(Short_Description="A test", Status="new")
    await services.doors.set("desk", most_s=600, shut_s=600)

    async def brought(name: str, raw: bytes) -> str:
        return await reception._take(f"{name}@osg.test", f"{name}@{domain}", raw)

    assert (await brought("desk", raw)).startswith("451 ")
    assert (await brought("desk", raw)).startswith("451 ")
    assert (await brought("other", mail(Short_Description="Another"))).startswith("250 ")
    assert await received(services) == 1
    seen = await services.doors.seen("desk")
    assert (seen.turned_away, seen.repeated, seen.late) == (2, 0, 0)
    assert seen.first_at is not None

    await services.doors.set("desk", most_s=600, anew=False)
    assert (await brought("desk", raw)).startswith("250 2.6.0 kept")
    assert (await brought("desk", raw)) == "250 2.6.0 had it before"
    assert (await services.doors.seen("desk")).repeated == 1
    await services.doors.open("desk")
    await asyncio.sleep(1)
    assert (await brought("desk", raw)) == "250 2.6.0 had it before"
    assert (await services.doors.seen("desk")).repeated == 1, "nobody counts any more"


async def test_a_door_opens_by_itself_after_the_time_even_if_nobody_does_it(services):
    desk = await partner(services, "desk")
    await services.doors.set("desk", most_s=600, shut_s=1)
    with pytest.raises(Shut):
        await services.doors.admit(desk)
    async with asyncio.timeout(60):
        while True:
            try:
                await services.doors.admit(desk)
                break
            except Shut:
                await asyncio.sleep(0.1)
    # A run that died leaves a door that is shut for ever: it is not.
    await services.doors.set("desk", most_s=1, shut_s=3600)
    seen = await services.doors.seen("desk")
    assert seen.turned_away == 0
    later = clock.now() + timedelta(seconds=2)
    with clock.using(lambda: later):
        await services.doors.admit(desk)


async def test_in_production_the_door_of_a_live_partner_cannot_be_touched(services):
    live = await partner(services, "desk", InterfaceState.LIVE)
    real = Doors(Checkpoints(services.store), "production")
    await real.set("desk", most_s=600, shut_s=600)
    await real.admit(live)
    with pytest.raises(Shut):
        await services.doors.admit(live)
    door = services.exchange.mail_door
    with pytest.raises(NotTaken) as refusal:
        await door.take("desk@osg.test", f"desk@{services.settings.mail_domain}", mail())
    assert refusal.value.later
