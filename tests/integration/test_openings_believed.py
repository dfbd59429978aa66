"""A message that says it is the first about their ticket is believed until the store says otherwise."""

from domain.exchange import Exchange
from domain.ticket import Ticket
from tests.exchange_scenarios import hub, mail


async def test_what_opens_a_ticket_asks_for_no_conversation(database, mailbox, monkeypatch):
    async with hub(database, mailbox) as ours:
        partner = await ours.parts.conversations.known_terms("osg")
        asked = []
        holder = ours.store.holder

        async def counted(kind: str, key: str):
            asked.append(kind)
            return await holder(kind, key)

        monkeypatch.setattr(ours.store, "holder", counted)
        opening = mail("ISSUE=3 PROJ=71", Short_Description="New", Description="Since noon.")
        received = await ours.parts.inbox.take(partner, opening, "<1@osg.test>")
        assert received is not None
        assert received.settled
        assert not any(kind.startswith("link:") for kind in asked)
        entry = mail("ISSUE=4 PROJ=71", Public_Diary="Of a ticket that nobody knows.")
        await ours.parts.inbox.take(partner, entry, "<2@osg.test>")
        assert "link:osg" in asked


async def test_a_second_opening_of_a_ticket_goes_to_its_conversation(database, mailbox):
    async with hub(database, mailbox) as ours:
        partner = await ours.parts.conversations.known_terms("osg")
        opening = mail("ISSUE=3 PROJ=71", Short_Description="New", Description="Since noon.")
        first = await ours.parts.inbox.take(partner, opening, "<1@osg.test>")
        assert first is not None
        ours.parts.conversations.recent.forget_all()  # as after a restart

        again = mail("ISSUE=3 PROJ=71", Short_Description="New", Description="Since ten.")
        second = await ours.parts.inbox.take(partner, again, "<2@osg.test>")
        assert second is not None
        assert second.exchange == first.exchange
        while await ours.parts.inbox.apply(first.exchange):
            pass
        assert len(await ours.events(Exchange.Opened)) == len(await ours.events(Ticket.Opened)) == 1

        ours.parts.conversations.recent.forget_all()
        assert await ours.parts.inbox.take(partner, again, "<2@osg.test>") is None
        [told] = await ours.events(Ticket.Commented)
        assert told.text is not None


async def test_the_answer_to_an_opening_reads_no_history_that_the_log_just_told(
    database, mailbox, monkeypatch
):
    async with hub(database, mailbox) as ours:
        read = []
        history = ours.ledger.history

        async def counted(number: int, **bounds: object):
            read.append(number)
            return await history(number, **bounds)

        monkeypatch.setattr(ours.ledger, "history", counted)
        opening = mail("ISSUE=3 PROJ=71", Short_Description="New", Description="Since noon.")
        await ours.send(opening)
        ours.work()
        [answer] = await mailbox.wait_for(1)
        [ticket] = await ours.events(Ticket.Opened)
        assert f"GHD_Request-ID>{ticket.number}<".encode() in answer
        assert read == []
