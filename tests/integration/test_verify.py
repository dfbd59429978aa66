"""The inspection finds every kind of damage, names it, and finds nothing in a sound log."""

from uuid import uuid4

import psycopg
import pytest

from domain.directory import Facts, Person, Site
from domain.exchange import Exchange
from domain.identifiers import named_id
from domain.vocabulary import Visibility
from replay.verify import verify
from tests.projecting import by, caught_up, opened, projecting, save, stored

LET_CHANGE = "ALTER TABLE ledger.event DISABLE TRIGGER event_is_final"


@pytest.fixture
async def sound(database):
    """Give a database with a bit of everything."""
    async with stored(database) as store, projecting(database) as projector:
        with by():
            ticket = opened(1, "a subject")
            ticket.assign("NGI_DE", note="please")
            ticket.comment("secret", Visibility.INTERNAL)
            person = Person(uuid4())
            person.register(name="somebody", mail="Somebody@example.org")
            site = Site(named_id("site", "SITE-A"))
            site.record("SITE-A", Facts(ngi="NGI_A"))
            site.add_alias("old-name")
            exchange = Exchange(uuid4())
            exchange.open("osg", 1)
            exchange.link(1, "7932")
            exchange.receive("<1@osg.test>", b"raw", "message/rfc822", "osg_mail@1")
        for each in (ticket, person, site, exchange):
            await save(store, each)
        # one text was erased as it should be
        assert ticket.description is None
        history = await store.stream(ticket.id)
        note = history[1].event.note
        with by():
            ticket.erase(note.id, "personal data")
        await save(store, ticket)
        await store.erase([note.id])
        await caught_up(projector, store)
    return database


async def test_a_sound_log_has_no_findings(sound):
    steps = []
    result = await verify(sound, progress=steps.append)
    assert result.ok, result.findings
    assert (result.head, result.erased, result.claims) == (11, 1, 5)
    assert {"reading", "folding", "comparing"} <= {step.step for step in steps}


@pytest.mark.parametrize(
    ("damage", "check", "where"),
    [
        ("DELETE FROM ledger.event WHERE position = 3", "positions", "position 4"),
        (
            "UPDATE ledger.event SET originator_version = 7 WHERE position = 3",
            "versions", "position 3",
        ),
        (
            "UPDATE ledger.event SET recorded_at = recorded_at - interval '1 day' WHERE position = 3",
            "times", "position 3",
        ),
        ("UPDATE ledger.event SET state = '{}' WHERE position = 3", "events", "position 3"),
        (
            ("UPDATE ledger.event SET state = replace(convert_from(state, 'UTF8'), ':', ': ')::bytea"
            " WHERE position = 5"),
            "events", "position 5",
        ),
        ("UPDATE ledger.event SET topic = 'ticket.closed' WHERE position = 3", "events", "position 3"),
        ("UPDATE ledger.content SET body = 'x' WHERE body = 'secret'", "contents", "position 3"),
        ("DELETE FROM ledger.content WHERE body = 'secret'", "contents", "position 3"),
        (
            "INSERT INTO ledger.content VALUES (gen_random_uuid(), 's', 't', 'stray')",
            "contents", "content ",
        ),
        ("DELETE FROM ledger.claim WHERE kind = 'link:osg'", "claims", "position 9"),
        ("DELETE FROM ledger.claim WHERE kind = 'identity:mail'", "claims", "position 5"),
        (
            "UPDATE ledger.claim SET originator_id = gen_random_uuid() WHERE kind = 'site-alias'",
            "claims", "position 7",
        ),
        ("UPDATE ledger.claim SET key = 'other' WHERE kind = 'message:osg'", "claims", "position 10"),
        (
            "INSERT INTO ledger.claim VALUES ('import:x', 'y', gen_random_uuid(), 99)",
            "claims", "position 99",
        ),
        ("UPDATE view.ticket SET status = 'closed'", "projections", "tickets, table ticket"),
        ("DELETE FROM view.spell_over WHERE seq = 1", "projections", "tickets, table spell_over"),
        ("UPDATE view.site SET ngi = 'NGI_B'", "projections", "directory, table site"),
    ],
)  # fmt: skip
async def test_damage_is_found_and_named(sound, damage, check, where):
    with psycopg.connect(sound, autocommit=True) as owner:
        owner.execute(LET_CHANGE)
        owner.execute(damage)
    result = await verify(sound)
    assert not result.ok
    found = [each for each in result.findings if each.check == check]
    assert any(each.where.startswith(where) for each in found), result.findings
