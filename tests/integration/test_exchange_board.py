"""Conversations with partners on the board, and in the timeline of their ticket."""

from uuid import uuid4

from domain.exchange import Exchange
from domain.vocabulary import Visibility
from projections.exchanges import board, messages, parked, refused
from projections.paging import Page
from projections.timeline import latest, timeline
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored


def conversation(number: int) -> Exchange:
    exchange = Exchange(uuid4())
    exchange.open("osg", number)
    return exchange


async def test_a_message_that_cannot_be_read_waits_for_an_operator(database):
    async with stored(database) as store, projecting(database) as projector:
        # given
        with by("helpdesk:osg"):
            ticket, exchange = opened(1), conversation(1)
            exchange.link(1, "7932")
            first = exchange.receive("<1@osg.test>", b"<Ticket>", "message/rfc822", "osg_mail@1")
            exchange.park(first, "unreadable", "the document ends in the middle")
            second = exchange.receive("<2@osg.test>", b"<Ticket/>", "message/rfc822", "osg_mail@1")
            exchange.apply_message(second, 1, 2, remote_state="Engineering")
            out = exchange.decide_dispatch(1, "policy@1", b"to them", "message/rfc822")
            assert out
            exchange.record_failure(out, "refused", "451 try later")
        await save(store, ticket, exchange)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            (waiting,) = (await parked(connection)).items
            assert (waiting.number, waiting.external_id, waiting.code) == (1, "7932", "unreadable")
            assert waiting.detail == "the document ends in the middle"
            (row,) = (await board(connection, number=1)).items
            assert (row.received, row.pending, row.parked) == (2, 1, 1)
            assert row.remote_state == "Engineering"

            # when it is skipped, and the other one sent at last, by a projector that has to load it
            with by():
                exchange.resume(first, skip=True)
                exchange.record_dispatch(out, "<3@ledger.test>")
            await save(store, exchange)
            await caught_up(projector, store)

            # then
            assert (await parked(connection)).items == []
            (row,) = (await board(connection, helpdesk="osg")).items
            assert (row.pending, row.parked, row.dispatched) == (0, 0, 1)
            outcomes = [each.outcome for each in (await messages(connection, 1)).items]
            assert outcomes == ["skipped", "applied", "dispatched"]


async def test_messages_that_were_refused_are_listed_a_page_at_a_time(database):
    async with stored(database) as store, projecting(database) as projector:
        with by("helpdesk:osg"):
            exchange = conversation(0)
            for number in range(3):
                message = exchange.receive(
                    f"<{number}@osg.test>", b"?", "message/rfc822", "osg_mail@1"
                )
                exchange.refuse(message, "not-exchanged", f"ticket {number} is not exchanged")
        await save(store, exchange)
        await caught_up(projector, store)

        async with asking(database) as connection:
            page = await refused(connection, helpdesk="osg", limit=2)
            following = await refused(connection, cursor=page.next)
            assert await refused(connection, helpdesk="other") == Page([])
        details = [each.detail for each in [*page.items, *following.items]]
        assert details == [f"ticket {number} is not exchanged" for number in (2, 1, 0)]
        assert {each.code for each in page.items} == {"not-exchanged"}
        assert following.next is None


async def test_a_mail_that_came_back_waits_for_an_operator_as_a_message_of_its_own(database):
    async with stored(database) as store, projecting(database) as projector:
        # given
        with by("rule:exchange@1"):
            ticket, exchange = opened(1), conversation(1)
            out = exchange.decide_dispatch(1, "policy@1", b"to them", "message/rfc822")
            assert out
            sent = exchange.messages[out].raw
            assert sent
            exchange.record_dispatch(out, "250 ok")
        await save(store, ticket, exchange)
        await caught_up(projector, store)

        # when
        with by("helpdesk:osg"):
            report = exchange.receive("<1@osg.test>", b"bounce", "message/rfc822", "osg_mail@1")
            exchange.ignore(report, "bounce")
            exchange.take_back(1, sent, "returned-5.1.1", "no such list")
        await save(store, exchange)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            (waiting,) = (await parked(connection)).items
            assert (waiting.direction, waiting.raw, waiting.code, waiting.detail) == (
                "out", sent.id, "returned-5.1.1", "no such list",
            )  # fmt: skip
            with by():
                exchange.resume(waiting.reference, skip=False)
                exchange.record_dispatch(waiting.reference, "250 ok")
            await save(store, exchange)
            await caught_up(projector, store)
            (row,) = (await board(connection, helpdesk="osg")).items
            assert (row.pending, row.parked, row.dispatched) == (0, 0, 2)


async def test_the_timeline_merges_ticket_and_exchange_and_hides_what_is_internal(database, clock):
    async with stored(database) as store, projecting(database) as projector:
        # given
        began = clock.now
        with by():
            ticket, exchange = opened(1, "no space"), conversation(1)
        await save(store, ticket)
        await save(store, exchange)
        with by("helpdesk:osg"):
            reference = exchange.receive("<1@osg.test>", b"raw", "message/rfc822", "osg_mail@1")
        await save(store, exchange)
        with by("user:supporter"):
            ticket.assign("NGI_DE")
            ticket.start_work("looking at it")
            ticket.comment("the password is wrong", Visibility.INTERNAL)
        with by("helpdesk:osg"):
            exchange.apply_message(reference, 1, 3)
        await save(store, ticket, exchange)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            whole = (await timeline(connection, 1, internal=True)).items
            assert await latest(connection, 1, internal=True) == (whole, 0)
            assert await latest(connection, 1, internal=True, most=3) == (
                whole[-3:],
                len(whole) - 3,
            )
            assert [(each.topic, each.kind) for each in whole] == [
                ("ticket.opened", "state"),
                ("exchange.opened", "exchange"),
                ("exchange.message-received", "exchange"),
                ("ticket.assigned", "hand-over"),
                ("ticket.work-started", "state"),
                ("ticket.commented", "entry"),
                ("exchange.applied", "exchange"),
            ]
            assert [each.group for each in whole] == [1, 2, 2, 4, 5, 6, 7]
            assert whole[0].fields["subject"] == "no space"
            assert whole[2].fields["raw"] == {"size": 3}
            public = (await timeline(connection, 1)).items
            assert [each.position for each in public] == [1, 2, 4, 5, 7]

            # and erased texts are None, in an entry that stays
            await store.erase([whole[4].contents["note"]])
            page = await timeline(connection, 1, internal=True, limit=5)
            assert page.items[4].fields == {"note": None}
            rest = await timeline(connection, 1, internal=True, cursor=page.next)
            assert [each.position for each in rest.items] == [6, 7]
            assert len((await timeline(connection, 1, as_of=4)).items) == 3
            assert len((await timeline(connection, 1, as_of=began)).items) == 5
