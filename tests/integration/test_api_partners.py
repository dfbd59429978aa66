"""Partners through the API: how they do, parked messages by the dozen, previews, hints, interfaces, metrics."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from adapters.kit.polling import POLLED, PollerHealth
from adapters.store.checkpoints import Checkpoints
from domain import clock
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.rights import Actor
from tests.exchange_scenarios import mail
from tests.scenarios import attributed

ROOT = Path(__file__).parents[2]
PARKED = "/api/v1/exchanges/parked"


@pytest.fixture
async def partner(services):
    with attributed(Actor.rule("setup@1")):
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register(
            "osg", "osg_mail", ["ROC_US"], address="machine@osg.test", sender="footprints@osg.test"
        )
        helpdesk.set_policy(Policy.FULL)
        helpdesk.set_interface(InterfaceState.LIVE)
        await services.ledger.save(helpdesk)
    return helpdesk


async def parked(services, raws: list[bytes], code: str = "unreadable") -> list[tuple[UUID, int]]:
    """Conversations with one parked message each."""
    found = []
    for raw in raws:
        with attributed(Actor.helpdesk("osg")):
            exchange = Exchange(random_id())
            exchange.open("osg")
            reference = exchange.receive(random_id().hex, raw, "message/rfc822", "osg_mail@0")
            exchange.park(reference, code, "the mapping of that day")
            await services.ledger.save(exchange)
        found.append((exchange.id, reference))
    return found


async def head_reached(services) -> int:
    head = await services.store.head()
    assert await services.projector.wait_for(head, 30)
    return head


# -- health ----------------------------------------------------------------------------------------


async def test_staff_sees_how_partners_do_and_users_do_not(services, partner, sign_in):
    await parked(services, [b"?"])
    after = await head_reached(services)
    desk = await sign_in("supporter:NGI_DE")
    [osg] = (await desk.get(f"/api/v1/helpdesks?after={after}")).json()["items"]
    assert (osg["name"], osg["interface"], osg["parked"]) == ("osg", "live", 1)
    assert osg["heard_at"].endswith("Z")
    assert osg["polling"] is None
    one = (await desk.get("/api/v1/helpdesks/osg/health")).json()
    assert (one["counts"], one["code"]) == ({"in parked": 1, "in received": 1}, "unreadable")
    assert (await desk.get("/api/v1/helpdesks/nobody/health")).status_code == 404
    user = await sign_in()
    for path in ("/api/v1/helpdesks", "/api/v1/helpdesks/osg/health"):
        assert (await user.get(path)).status_code == 403


async def test_what_a_poller_of_another_process_wrote_down_is_shown(services, partner, sign_in):
    health = PollerHealth(
        asked_at=clock.now() - timedelta(minutes=3),
        failures=4,
        last_error="refused: nobody listens",
        next_at=clock.now() + timedelta(minutes=1),
    )
    checkpoints = Checkpoints(services.store)
    await checkpoints.load("any")
    await checkpoints.save(POLLED + "osg", 0, msgspec.json.encode(health))
    after = await head_reached(services)
    desk = await sign_in("supporter:NGI_DE")
    osg = (await desk.get(f"/api/v1/helpdesks/osg/health?after={after}")).json()
    assert osg["polling"]["failures"] == 4
    assert osg["polling"]["last_error"] == "refused: nobody listens"


async def test_after_a_failure_the_next_attempt_is_told(services, partner, sign_in):
    with attributed(Actor.rule("exchange@1")):
        exchange = Exchange(random_id())
        exchange.open("osg", 1)
        out = exchange.decide_dispatch(1, "policy@1", b"to them", "message/rfc822")
        exchange.record_failure(out, "refused", "nobody listens")
        await services.ledger.save(exchange)
    after = await head_reached(services)
    desk = await sign_in("supporter:NGI_DE")
    osg = (await desk.get(f"/api/v1/helpdesks/osg/health?after={after}")).json()
    assert (osg["waiting_out"], osg["failures"], osg["code"]) == (1, 1, "refused")
    assert osg["failed_at"] < osg["next_attempt_at"]


# -- interface -------------------------------------------------------------------------------------


async def test_an_administrator_pauses_a_partner_and_says_why(services, partner, sign_in):
    admin = await sign_in("admin")
    body = {"state": "paused", "reason": "their system moves"}
    path = "/api/v1/helpdesks/osg/interface"
    stale = await admin.post(path, json=body, headers={"If-Match": '"2"'})
    assert stale.status_code == 412
    done = await admin.post(path, json=body)
    assert (done.status_code, done.json()["state"]) == (200, "paused")
    osg = (await admin.get(f"/api/v1/helpdesks/osg/health?after={done.json()['position']}")).json()
    assert (osg["interface"], osg["interface_reason"]) == ("paused", "their system moves")
    assert osg["interface_since"] is not None
    assert (await admin.post(path, json=body)).status_code == 409
    assert (await admin.post(path, json={"state": "broken"})).status_code == 422
    assert (await admin.post("/api/v1/helpdesks/nobody/interface", json=body)).status_code == 404
    desk = await sign_in("supporter:NGI_DE")
    assert (await desk.post(path, json={"state": "live"})).status_code == 403


# -- parked messages -------------------------------------------------------------------------------


async def test_parked_messages_are_retried_by_the_dozen_page_by_page(services, partner, sign_in):
    await parked(services, [b"?"] * 5)
    others = await parked(services, [b"?"] * 2, code="erased")
    desk = await sign_in("supporter:NGI_DE")
    after = await head_reached(services)
    choice = {"helpdesk": "osg", "code": "unreadable", "direction": "in", "limit": 2}

    # a dry run changes nothing
    dry = (await desk.post(PARKED, json=choice | {"how": "retry", "dry_run": True})).json()
    assert (len(dry["messages"]), dry["done"]) == (2, 0)
    assert await services.store.head() == after

    # each page leads to the next, and ends
    done, position, more = 0, {}, True
    while more:
        answer = await desk.post(PARKED, json=choice | position | {"how": "retry"})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        done += page["done"]
        position = {"cursor": page["next"], "until": page["until"]}
        more = page["next"] is not None
    assert done == 5
    left = (await desk.get(f"{PARKED}?after={await head_reached(services)}")).json()["items"]
    assert [(UUID(each["exchange"]), each["reference"]) for each in left] == others
    assert (await desk.get(f"{PARKED}?code=unreadable")).json()["items"] == []
    events = [r.event for r in await services.store.log(after, 100)]
    resumed = [event for event in events if isinstance(event, Exchange.Resumed)]
    assert {event.provenance.actor for event in resumed} == {f"user:{desk.actor.person}"}

    # and what is done is done: the same call again finds nothing
    again = (await desk.post(PARKED, json=choice | {"how": "retry"})).json()
    assert (again["done"], again["messages"]) == (0, [])
    user = await sign_in()
    assert (await user.post(PARKED, json=choice | {"how": "skip"})).status_code == 403


async def test_a_preview_tells_what_a_retry_would_do_and_does_nothing(services, partner, sign_in):
    good = mail("ISSUE=7932 PROJ=71", Short_Description="Disk full", Description="It is.")
    (opening, bad) = await parked(services, [good, b"?"])
    desk = await sign_in("supporter:NGI_DE")
    before = await head_reached(services)

    async def preview(message: tuple[UUID, int]) -> dict:
        exchange, reference = message
        answer = await desk.get(f"/api/v1/exchanges/{exchange}/messages/{reference}/preview")
        assert answer.status_code == 200, answer.text
        return answer.json()

    told = await preview(opening)
    assert (told["outcome"], told["mapping"]) == ("applied", "osg_mail@1")
    assert [each["command"] for each in told["commands"]] == ["OpenTicket"]
    assert told["commands"][0]["fields"]["subject"] == "Disk full"
    told = await preview(bad)
    assert (told["outcome"], told["code"], told["commands"]) == ("parked", "unreadable", [])
    assert await services.store.head() == before

    # and a retry does what was told
    await services.exchange.conversations.load(opening[0])
    path = f"/api/v1/exchanges/{opening[0]}/messages/{opening[1]}"
    assert (await desk.post(f"{path}/retry")).status_code == 202
    assert await services.exchange.inbox.apply(opening[0])
    settled = await services.exchange.conversations.load(opening[0])
    assert (await services.ledger.ticket(settled.number)).number == 1, "no number was taken before"
    assert (await desk.get(f"{path}/preview")).status_code == 409


async def test_a_preview_of_a_change_asks_the_rules_of_the_ticket(services, partner, sign_in):
    desk = await sign_in("supporter:NGI_DE")
    number = await desk.opened()
    with attributed(Actor.helpdesk("osg")):
        exchange = Exchange(random_id())
        exchange.open("osg", number)
        exchange.link(number, "7932")
        raw = mail("ISSUE=7932 PROJ=71", Request_ID=number, Public_Diary="More")
        reference = exchange.receive("<1@osg.test>", raw, "message/rfc822", "osg_mail@0")
        exchange.park(reference, "unreadable", "")
        await services.ledger.save(exchange)
    version = (await services.ledger.ticket(number)).version
    path = f"/api/v1/exchanges/{exchange.id}/messages/{reference}/preview"
    told = (await desk.get(path)).json()
    assert (told["number"], told["outcome"]) == (number, "applied"), told
    assert [each["command"] for each in told["commands"]] == ["Comment"]
    assert told["commands"][0]["fields"]["text"] == "More"
    assert (await services.ledger.ticket(number)).version == version


async def test_a_preview_of_an_outgoing_message_shows_what_would_be_sent(
    services, partner, sign_in
):
    with attributed(Actor.rule("exchange@1")):
        exchange = Exchange(random_id())
        exchange.open("osg", 1)
        out = exchange.decide_dispatch(1, "policy@1", "grüße".encode(), "message/rfc822")
        exchange.park(out, "refused", "550 no such list")
        await services.ledger.save(exchange)
    desk = await sign_in("supporter:NGI_DE")
    told = (await desk.get(f"/api/v1/exchanges/{exchange.id}/messages/{out}/preview")).json()
    assert (told["outcome"], told["text"], told["size"]) == ("sent", "grüße", 7)


# -- hints -----------------------------------------------------------------------------------------


async def test_a_hint_reaches_every_process_and_tells_strangers_nothing(services, stranger):
    from adapters.store.wakeup import Wakeup

    heard: asyncio.Queue[str] = asyncio.Queue()
    async with Wakeup(services.conninfo) as elsewhere:
        elsewhere.hinted = heard.put_nowait
        assert await elsewhere.wait(0, 30), "it listens"
        known = await stranger.post("/api/v1/partners/osg/hint")
        unknown = await stranger.post("/api/v1/partners/nobody/hint")
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
        assert known.status_code == 202
        async with asyncio.timeout(30):
            assert [await heard.get(), await heard.get()] == ["osg", "nobody"]
        for _ in range(20):
            assert (await stranger.post("/api/v1/partners/osg/hint")).status_code == 202
        assert heard.qsize() <= 20
    assert (await stranger.post("/api/v1/partners/..%2f/hint")).status_code in (404, 422)


async def test_hints_beyond_the_limit_are_dropped(services):
    given = [await services.hints.give("osg") for _ in range(5)]
    assert given[0] is True
    assert given.count(True) < 5
    many = [await services.hints.give(f"desk_{number}") for number in range(2_000)]
    assert not all(many)


# -- metrics ---------------------------------------------------------------------------------------


async def test_metrics_need_their_scope_and_name_what_waits(services, partner, sign_in, stranger):
    await parked(services, [b"?"])
    await head_reached(services)
    assert (await stranger.get("/metrics")).status_code == 401
    reader = await sign_in("auditor", scopes=("read", "audit"))
    assert (await reader.get("/metrics")).status_code == 403
    prometheus = await sign_in(scopes=("metrics",))
    assert (await prometheus.get("/api/v1/tickets")).status_code == 403
    answer = await prometheus.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    wanted = (
        f"ticketledger_head {float(await services.store.head())}",
        'ticketledger_projection_behind{projection="exchanges"} 0.0',
        'ticketledger_projection_state{projection="exchanges",state="current"} 1.0',
        'ticketledger_partner_messages_total{direction="in",helpdesk="osg",outcome="received"} 1.0',
        'ticketledger_partner_interface{helpdesk="osg",state="live"} 1.0',
        'ticketledger_partner_parked{helpdesk="osg"} 1.0',
        'ticketledger_partner_waiting{direction="out",helpdesk="osg"} 0.0',
        "ticketledger_database_up 1.0",
        f'ticketledger_environment{{environment="{services.settings.environment.value}"}} 1.0',
    )
    async with asyncio.timeout(30):  # a projection says now and then how far it is
        while [line for line in wanted if f"\n{line}\n" not in answer.text]:
            await asyncio.sleep(0.2)
            answer = await prometheus.get("/metrics")
    alerts = (ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8")
    for name in set(re.findall(r"ticketledger_[a-z_]+", alerts)):
        assert f"# TYPE {name} " in answer.text, name
