"""The feed of a partner: what is in it, in which order, and that a rebuild gives the same."""

import json
from datetime import timedelta
from hashlib import sha256

import pytest
from msgspec import structs

from adapters.store.connection import service_conninfo
from domain.exchange import Exchange
from domain.feeds import Broken, Mark, Text, canonical, followed
from domain.helpdesk import Policy
from domain.identifiers import random_id
from domain.ledger import Ledger
from domain.vocabulary import Visibility
from projections import feed_pages
from projections.rebuild import rebuild
from tests.feeds import all_entries, begin, comment, exchanged, helpdesk, sent, told_by
from tests.projecting import asking, by, caught_up, opened, projecting, stored


async def topics(connection, name: str) -> list[str]:
    return [each.data.event.topic for each in await all_entries(connection, name)]


async def test_a_feed_holds_what_happens_to_the_tickets_exchanged_with_the_partner(database):
    async with stored(database) as store, projecting(database) as projector:
        ledger = Ledger(store)
        await ledger.save(helpdesk("osg"), helpdesk("egi"))
        with by():
            mine = opened(1)
            foreign = opened(2, subject="nothing for osg")
        await ledger.save(mine, foreign)
        await comment(ledger, mine, "before the exchange")
        await ledger.save(exchanged("osg", 1))
        await ledger.save(exchanged("egi", 2))
        await comment(ledger, mine, "for all")
        await comment(ledger, mine, "for us", Visibility.INTERNAL)
        await told_by(ledger, mine, "osg", "what osg said itself")
        await comment(ledger, foreign, "for egi alone")
        with by():
            mine.assign("NGI_DE", note="yours")
            mine.solve("done")
        await ledger.save(mine)
        await caught_up(projector, store)

        async with asking(database) as connection:
            entries = await all_entries(connection, "osg")

        assert [
            (each.data.event.topic, each.data.rule, *(text.text for text in each.data.texts.values()))
            for each in entries
        ] == [
            ("exchange.opened", "opening@1"),
            ("ticket.opened", "opening@1", "a disk is full"),
            ("ticket.commented", "public@1", "before the exchange"),
            ("ticket.commented", "public@1", "for all"),
            ("ticket.assigned", "public@1", "yours"),
            ("ticket.solved", "public@1", "done"),
        ]  # fmt: skip
        assert {each.data.event.ticket for each in entries} == {1}
        assert b"egi" not in b"".join(map(feed_pages.rendered, entries))
        assert {each.data.event.actor for each in entries} <= {"user", "rule:exchange@1"}


async def test_a_partner_that_wants_outcomes_only_is_told_no_more(database):
    async with stored(database) as store, projecting(database) as projector:
        ledger = Ledger(store)
        partner = helpdesk("osg", Policy.CLOSING_ONLY)
        await ledger.save(partner)
        ticket = await begin(ledger, "osg", 1)
        await comment(ledger, ticket, "progress")
        with by("rule:setup@1"):
            partner.set_policy(Policy.FULL)
        await ledger.save(partner)
        await comment(ledger, ticket, "more")
        await caught_up(projector, store)
        async with asking(database) as connection:
            assert await topics(connection, "osg") == [
                "exchange.opened", "ticket.opened", "ticket.commented",
            ]  # fmt: skip


async def test_a_partner_is_told_our_number_of_its_own_ticket(database):
    async with stored(database) as store, projecting(database) as projector:
        ledger = Ledger(store)
        await ledger.save(helpdesk("osg"))
        exchange = Exchange(random_id())
        with by("helpdesk:osg"):
            exchange.open("osg", external_id="17")
            ticket = opened(5)
        await ledger.save(exchange)
        await ledger.save(ticket)
        await caught_up(projector, store)
        with by("helpdesk:osg"):
            exchange.link(5, "17", "ISSUE=17")
        await ledger.save(exchange)
        await comment(ledger, ticket, "we look at it")
        await caught_up(projector, store)
        async with asking(database) as connection:
            linked, commented = await all_entries(connection, "osg")
        assert linked.data.event.fields == {"external_id": "17", "external_reference": "ISSUE=17"}
        assert (linked.data.event.ticket, linked.data.rule) == (5, "cross-reference@1")
        assert commented.data.event.topic == "ticket.commented"


async def test_a_rebuild_gives_the_same_sequences_and_hashes(database):
    async with stored(database) as store:
        ledger = Ledger(store)
        await ledger.save(helpdesk("osg"), helpdesk("egi", Policy.CLOSING_ONLY))
        tickets = []
        for number in range(1, 31):
            # each part is folded by a projector of its own: it was killed in between
            async with projecting(database, page_max=7) as projector:
                with by():
                    ticket = opened(number)
                    ticket.assign("NGI_DE")
                await ledger.save(ticket)
                if number % 2:
                    await ledger.save(exchanged("osg", number))
                if number % 3:
                    await ledger.save(exchanged("egi", number))
                tickets.append(ticket)
                await comment(ledger, tickets[number // 2], f"comment {number}")
                if number % 10 == 0:
                    await caught_up(projector, store)
        async with projecting(database) as projector:
            await caught_up(projector, store)
            async with asking(database) as connection:
                before = await all_entries(connection, "osg") + await all_entries(connection, "egi")

            (done,) = await rebuild(service_conninfo(database, "rebuild"), ["feeds"])

            assert done.ok, done
            await comment(ledger, tickets[0], "after the rebuild")
            await caught_up(projector, store)
            async with asking(database) as connection:
                osg = await all_entries(connection, "osg")
                egi = await all_entries(connection, "egi")
            assert [*osg[:-1], *egi] == before
            assert len(before) > 80
        (again,) = await rebuild(service_conninfo(database, "rebuild"), ["feeds"], switch=False)
        assert again.ok, again


async def test_a_text_that_was_erased_is_missing_and_the_chain_still_holds(database):
    async with stored(database) as store, projecting(database) as projector:
        ledger = Ledger(store)
        await ledger.save(helpdesk("osg"))
        ticket = await begin(ledger, "osg", 1, subject="somebody's name")
        await caught_up(projector, store)
        assert ticket.subject is not None
        async with asking(database) as connection:
            (_, first) = await all_entries(connection, "osg")
            await store.erase([ticket.subject.id])
            (_, later) = await all_entries(connection, "osg")
        assert first.data.texts["subject"].text == "somebody's name"
        assert later.data.texts == {"subject": None}
        assert later.data.hash == first.data.hash


async def test_a_moment_has_its_place_in_the_feed(database):
    async with stored(database) as store, projecting(database) as projector:
        ledger = Ledger(store)
        await ledger.save(helpdesk("osg"))
        await begin(ledger, "osg", 1)
        await caught_up(projector, store)
        async with asking(database) as connection:
            state = await feed_pages.state(connection, "osg")
            at = state.changed_at
            assert at is not None
            assert await feed_pages.mark_at(connection, "osg", at) == Mark()
            later = at + timedelta(microseconds=1)
            assert await feed_pages.mark_at(connection, "osg", later) == Mark(2, state.hash)
            assert (await feed_pages.state(connection, "egi")).last == 0


async def test_a_reader_notices_whatever_is_wrong_with_an_entry(database):
    async with stored(database) as store, projecting(database) as projector:
        ledger = Ledger(store)
        await ledger.save(helpdesk("osg"))
        await begin(ledger, "osg", 1, affected_site='naïve "quotes" \\ / 😀')
        await caught_up(projector, store)
        async with asking(database) as connection:
            first, second = [sent(each).data for each in await all_entries(connection, "osg")]
    mark = followed(Mark(), first)
    followed(mark, second)
    other = structs.replace(second.event, version=9)
    forged = Text("forged", "text/plain", "00")
    for wrong, why in (
        (first, "missing"),
        (structs.replace(second, previous="0" * 64), "another"),
        (structs.replace(second, rule="public@2"), "changed"),
        (structs.replace(second, event=other), "changed"),
        (structs.replace(second, texts={"subject": forged}), "text"),
    ):
        with pytest.raises(Broken, match=why):
            followed(mark, wrong)
    # what we hash is what any JSON library writes with sorted keys
    plain = json.loads(canonical(second.event))
    written = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert sha256(written.encode()).digest() == sha256(canonical(second.event)).digest()
