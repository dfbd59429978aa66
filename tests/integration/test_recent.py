"""Conversations in memory: what another process wrote meanwhile is never overlooked."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from adapters.kit.conversations import Conversations
from adapters.registry import ADAPTERS
from adapters.store.engine import PostgresStore
from domain.errors import NothingToDo
from domain.exchange import Direction, Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.ledger import Ledger
from tests.exchange_scenarios import by_test


def no_place(partner: Helpdesk):
    raise AssertionError(partner)


@pytest.fixture
async def processes(database) -> AsyncGenerator[tuple[Conversations, Conversations]]:
    """Two that share a store, and nothing else."""
    async with await PostgresStore.open(database) as store:
        ours, theirs = (Conversations(Ledger(store), ADAPTERS, no_place) for _ in range(2))
        yield ours, theirs


async def begun(conversations: Conversations) -> Exchange:
    exchange = Exchange(random_id())
    with by_test():
        exchange.open("osg", external_id="7932")
        exchange.receive("<1@osg.test>", b"first", "message/rfc822", "osg_mail@1")
        await conversations.save(exchange)
    return exchange


async def test_what_was_just_written_is_decided_on_without_a_question(processes):
    ours, _ = processes
    stream = (await begun(ours)).id

    assert await ours.find("osg", external_id="7932") == ("", stream)
    kept = ours.recent.kept(stream)
    assert kept.next_message(Direction.IN).message_id == "<1@osg.test>"
    kept.messages.clear()  # whoever decides has a conversation of his own
    assert ours.recent.kept(stream).messages


async def test_a_decision_on_what_another_process_has_changed_is_made_anew(processes):
    ours, theirs = processes
    stream = (await begun(ours)).id
    with by_test():
        await theirs.change(stream, lambda fresh: fresh.ignore(2, "nothing-new"))
        seen = []

        def link(fresh: Exchange) -> None:
            seen.append(fresh.version)
            fresh.link(1, "7932")

        await ours.change(stream, link)

    assert seen == [2, 3]
    assert (await theirs.load(stream)).number == 1
    assert ours.recent.kept(stream).version == 4
    assert ours.recent.idle(stream, Direction.IN)


async def test_that_there_is_nothing_to_do_is_believed_of_the_present_alone(processes):
    ours, theirs = processes
    stream = (await begun(ours)).id
    with by_test():
        await theirs.change(stream, lambda fresh: fresh.link(1, "7932"))
        with pytest.raises(NothingToDo):
            await theirs.change(stream, lambda fresh: fresh.link(1, "7932"))
        with pytest.raises(NothingToDo):  # by memory there would be something
            await ours.change(stream, lambda fresh: fresh.link(1, "7932"))

        await theirs.change(stream, lambda fresh: fresh.unlink("7932", "gone"))
        await ours.change(stream, lambda fresh: fresh.external_id or fresh.link(1, "7933"))

    assert (await theirs.load(stream)).external_id == "7933"


async def test_who_follows_the_log_forgets_what_is_older(processes):
    ours, theirs = processes
    stream = (await begun(ours)).id
    with by_test():
        await theirs.change(stream, lambda fresh: fresh.ignore(2, "nothing-new"))
    assert not ours.recent.idle(stream, Direction.IN)

    ours.recent.follow(stream, 3)
    assert ours.recent.kept(stream) is None
    assert (await ours.kept_or_load(stream)).version == 3
    ours.recent.forget_all()
    assert await ours.find("osg", external_id="7932") == ("7932", stream)


async def test_the_log_may_tell_of_what_is_on_its_way_before_it_is_kept(processes):
    ours, _ = processes
    exchange = (await begun(ours)).fork()
    known = ours.recent.kept(exchange.id)
    with by_test():
        exchange.ignore(2, "nothing-new")
    exchange.collect_events()  # as it is stored
    ours.recent.expect(exchange)

    assert not ours.recent.idle(exchange.id, Direction.IN)
    assert ours.recent.kept(exchange.id) is None
    ours.recent.follow(exchange.id, exchange.version)
    ours.recent.keep(exchange)
    assert ours.recent.kept(exchange.id).version == known.version + 1
    ours.recent.expect(exchange)
    ours.recent.follow(exchange.id, exchange.version + 1)  # nobody expects that
    ours.recent.keep(known)
    assert ours.recent.kept(exchange.id).version == known.version


async def test_what_was_expected_and_broke_off_is_read_again(processes, monkeypatch):
    ours, _ = processes
    exchange = (await begun(ours)).fork()

    async def broken(*_, **__):
        raise asyncio.CancelledError

    with by_test():
        exchange.ignore(2, "nothing-new")
        with monkeypatch.context() as patch:
            patch.setattr(ours.ledger, "save", broken)
            with pytest.raises(asyncio.CancelledError):
                await ours.save(exchange)
    assert ours.recent.kept(exchange.id) is None
    assert (await ours.load(exchange.id)).next_message(Direction.IN) is not None
    ours.recent.follow(exchange.id, exchange.version)
    assert ours.recent.kept(exchange.id) is None


async def test_who_needs_a_conversation_that_is_being_stored_waits_for_it(processes):
    ours, _ = processes
    exchange = (await begun(ours)).fork()
    with by_test():
        exchange.ignore(2, "nothing-new")
    exchange.collect_events()
    ours.recent.expect(exchange)
    waiting = asyncio.create_task(ours.kept_or_load(exchange.id))
    await asyncio.sleep(0)
    assert not waiting.done()
    ours.recent.keep(exchange)
    assert (await waiting).version == exchange.version


async def test_the_history_of_a_stream_is_known_where_it_began_in_the_page(processes):
    ours, _ = processes
    earlier = await begun(ours)
    head = await ours.ledger.store.head()
    later = Exchange(random_id())
    with by_test():
        await ours.change(earlier.id, lambda fresh: fresh.ignore(2, "nothing-new"))
        later.open("osg", external_id="7933")
        later.receive("<2@osg.test>", b"second", "message/rfc822", "osg_mail@1")
        await ours.save(later)
    page = await ours.ledger.store.log(head, 100)
    ours.recent.tell(page)
    *_, opened, received = page

    assert ours.recent.history(later.id, received.position) == [opened, received]
    assert ours.recent.history(later.id, opened.position) == [opened]
    assert ours.recent.history(later.id, received.position + 1) == []  # of that nothing was told
    assert ours.recent.history(earlier.id, received.position) == []
    ours.recent.tell([])
    assert ours.recent.history(later.id, opened.position) == []
