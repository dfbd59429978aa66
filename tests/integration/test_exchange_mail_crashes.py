"""The exchange with a mail partner survives crashes: nothing is lost, doubled or left half done."""

import asyncio

import pytest

from adapters.kit.inbox import Inbox
from adapters.kit.progress import Progress
from domain.exchange import Exchange
from domain.ticket import Ticket
from tests.couriers import Crash
from tests.exchange_scenarios import hub, mail


async def test_what_was_recorded_but_not_applied_is_applied_after_a_restart(database, mailbox):
    async with hub(database, mailbox) as ours:
        await ours.send(mail("ISSUE=3 PROJ=71", Short_Description="Before the crash"))
        assert await ours.events(Ticket) == []
        assert len(await ours.events(Exchange.MessageReceived)) == 1
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.wait_for(Exchange.Applied)
        assert len(await ours.events(Ticket.Opened)) == 1


async def test_a_crash_between_sending_and_receipt_sends_the_same_mail_again(
    database, mailbox, monkeypatch
):
    async with hub(database, mailbox) as ours:

        def crash(*_) -> None:
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "record_dispatch", crash)
            number = await ours.open_ticket("ROC_US")
            await _work_until_it_crashes(ours)
        assert len(mailbox.mails) == 1
        assert await ours.events(Exchange.Dispatched) == []
    async with hub(database, mailbox) as ours:
        ours.work()
        await ours.wait_for(Exchange.Dispatched)
        first, second = mailbox.mails
        assert first == second, "the same bytes, hence the same Message-ID"
        assert len(await ours.events(Exchange.DispatchDecided)) == 1
        assert (await ours.exchange(number)).messages == {}


async def _nowhere(_) -> list:
    return []


async def _work_until_it_crashes(ours) -> None:
    """Follow the log as the worker does, and deliver in this task, where the crash is felt."""
    worker = ours.parts.worker
    worker._turns_for = _nowhere  # all is decided, and nothing is done
    worker._progress = lambda: Progress(partners=["osg"], outgoing={"osg": 1})
    stop = asyncio.Event()
    follower = asyncio.create_task(worker.run(stop))
    [decided] = await ours.wait_for(Exchange.DispatchDecided)
    stop.set()
    await follower
    with pytest.raises(Crash):
        await ours.parts.outbox.deliver(decided.originator_id)


async def test_a_crash_while_applying_leaves_nothing_half_done(database, mailbox, monkeypatch):
    async with hub(database, mailbox) as ours:
        monkeypatch.setattr(Inbox, "take", Inbox.receive)  # kept, and no further
        await ours.send(mail("ISSUE=3 PROJ=71", Short_Description="Twice?"))
        [received] = await ours.events(Exchange.MessageReceived)
        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "apply_message", _crash)
            with pytest.raises(Crash):
                await ours.parts.inbox.apply(received.originator_id)
        assert await ours.events(Ticket.Opened) == []
        assert await ours.parts.inbox.apply(received.originator_id)
        assert not await ours.parts.inbox.apply(received.originator_id)
        assert len(await ours.events(Ticket.Opened)) == 1


async def test_a_crash_while_a_mail_is_taken_keeps_nothing_and_it_is_brought_again(
    database, mailbox, monkeypatch
):
    raw = mail("ISSUE=3 PROJ=71", Short_Description="Twice?")
    async with hub(database, mailbox) as ours:
        partner = await ours.parts.conversations.known_terms("osg")
        with monkeypatch.context() as patch:
            patch.setattr(Exchange, "apply_message", _crash)
            with pytest.raises(Crash):
                await ours.parts.inbox.take(partner, raw, "<3@osg.test>")
        assert await ours.events(Exchange.MessageReceived) == await ours.events(Ticket.Opened) == []
        received = await ours.parts.inbox.take(partner, raw, "<3@osg.test>")
        assert received is not None
        assert received.settled
        [kept] = [
            each for each in await ours.store.log(0, 100) if each.position == received.position
        ]
        assert isinstance(kept.event, Exchange.MessageReceived)
        assert await ours.parts.inbox.take(partner, raw, "<3@osg.test>") is None
        assert (
            len(await ours.events(Ticket.Opened)) == len(await ours.events(Exchange.Applied)) == 1
        )


def _crash(*_, **__) -> None:
    raise Crash
