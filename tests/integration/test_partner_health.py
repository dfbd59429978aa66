"""How the exchange with each partner goes, from what the log tells: waiting, lag, troubles, counters, rates."""

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from projections.partner_health import health_of, partner_health
from projections.rebuild import rebuild
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored


def partner(name: str, state: InterfaceState = InterfaceState.LIVE, reason: str = "") -> Helpdesk:
    found = Helpdesk(named_id(Helpdesk.KIND, name))
    found.register(name, "osg_mail", ["ROC_US"], environment="production")
    found.set_interface(state, reason)
    return found


def conversation(number: int, helpdesk: str = "osg") -> Exchange:
    exchange = Exchange(uuid4())
    exchange.open(helpdesk, number)
    return exchange


def decided(exchange: Exchange, position: int) -> int:
    reference = exchange.decide_dispatch(position, "policy@1", b"to them", "message/rfc822")
    assert reference
    return reference


async def test_a_partner_without_a_message_is_shown_with_nothing_but_its_interface(database):
    async with stored(database) as store, projecting(database) as projector:
        with by():
            await save(store, partner("osg", InterfaceState.PAUSED, "their system moves"))
        await caught_up(projector, store)

        async with asking(database) as connection:
            (osg,) = (await partner_health(connection)).items
            assert await health_of(connection, "nobody") is None

    assert (osg.interface, osg.interface_reason) == ("paused", "their system moves")
    assert osg.environment == "production"
    assert osg.interface_since is not None
    assert (osg.waiting_in, osg.waiting_out, osg.parked, osg.failures) == (0, 0, 0, 0)
    assert (osg.heard_at, osg.told_at, osg.error, osg.counts) == (None, None, None, {})


async def test_waiting_messages_troubles_and_counters_follow_what_happens(database):
    async with stored(database) as store, projecting(database) as projector:
        # given one that waits for an hour, one that failed twice, one that is parked
        with by():
            await save(store, partner("osg"), partner("other"))
            ticket, exchange = opened(1), conversation(1)
        long_ago = exchange.at - timedelta(hours=1)
        with by(occurred_at=long_ago):
            second, waiting = opened(2), conversation(2)
            decided(waiting, 2)
        with by():
            out = decided(exchange, 1)
            exchange.record_failure(out, "refused", "no connection")
            exchange.record_failure(out, "refused", "no connection " * 100)
            bad = exchange.receive("<1@osg.test>", b"raw", "message/rfc822", "osg_mail@1")
            await save(store, ticket, second, waiting, exchange)
            exchange.park(bad, "unreadable", "what is this?")
            await save(store, exchange)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            osg, other = (await partner_health(connection)).items
            assert (osg.waiting_out, osg.waiting_in, osg.parked) == (2, 0, 1)
            assert osg.lag_out_s == pytest.approx(3600, abs=120)
            assert (osg.failures, osg.attempts) == (2, 2)
            assert (osg.code, osg.error) == ("unreadable", "what is this?")
            assert osg.parked_s < 120
            assert osg.counts == {
                "in parked": 1, "in received": 1, "out decided": 2, "out failed": 2,
            }  # fmt: skip
            assert osg.rate_in == pytest.approx(0.2)
            assert osg.heard_at is not None
            assert osg.told_at is None
            assert (other.waiting_out, other.counts) == (0, {})

            # when one gets through, and the parked one is left out, seen by a fold that must load all
            with by():
                exchange.record_dispatch(out, "250 ok")
                exchange.resume(bad, skip=True)
                await save(store, exchange)
        async with projecting(database) as later, asking(database) as connection:
            await caught_up(later, store)
            osg = await health_of(connection, "osg")
    assert osg is not None
    assert (osg.waiting_out, osg.parked, osg.failures) == (1, 0, 0)
    assert (osg.counts["out dispatched"], osg.counts["in skipped"]) == (1, 1)
    assert osg.told_at is not None
    assert osg.error == "what is this?"
    assert all(each.ok for each in await rebuild(database, ["exchanges", "directory"]))


async def test_an_error_is_cut_and_pages_go_by_name(database):
    async with stored(database) as store, projecting(database) as projector:
        with by():
            await save(store, *(partner(name) for name in ("charlie", "alpha", "bravo")))
            ticket, exchange = opened(1), conversation(1, "bravo")
            exchange.record_failure(decided(exchange, 1), "timeout", "x" * 5000)
            await save(store, ticket, exchange)
        await caught_up(projector, store)
        async with asking(database) as connection:
            first = await partner_health(connection, limit=2)
            rest = await partner_health(connection, limit=2, cursor=first.next)
    assert [each.name for each in [*first.items, *rest.items]] == ["alpha", "bravo", "charlie"]
    assert rest.next is None
    assert first.items[1].error == "x" * 500
