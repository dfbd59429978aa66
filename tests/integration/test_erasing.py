"""Texts that must go are gone with the messages in which they stand; the log says so, and verifies."""

import json
from base64 import b64encode
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from api.erasing import Found, erase, found
from domain import commands as c
from domain.errors import Forbidden, Invalid
from domain.exchange import Exchange
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from replay.verify import verify
from tests.scenarios import attributed

if TYPE_CHECKING:
    from api.bootstrap import Services

RULE = Actor.rule("test@1")
SECRET = "The password of Jürgen is 12345"
MAIL = b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"


async def told_and_heard(services: "Services") -> tuple[int, list[bytes]]:
    """A ticket with a secret in an entry that a partner sent, and in messages before and after it."""
    raws = [
        b"<Ticket><Public_Diary>harmless</Public_Diary></Ticket>",
        json.dumps({"text": f"We say:\n{SECRET}"}).encode(),
        MAIL + b64encode(b"> " + SECRET.replace(" is ", "\r\nis ").encode("utf-8")),
        f"<Text>{SECRET.replace('ü', '&#252;')}</Text>".encode(),
    ]
    with attributed(RULE):
        outcome = await services.ledger.execute(c.OpenTicket(subject="Help"), actor=RULE)
    number = outcome.ticket.number
    talk = Exchange(uuid4())
    with attributed(RULE):
        talk.open("osg", number)
        for index, raw in enumerate(raws):
            reference = talk.receive(f"<{index}@osg.test>", raw, "text/plain", "osg@1")
            talk.apply_message(reference, number, 1)
        await services.ledger.save(talk)
    by = Provenance(RULE.name, uuid4(), "c", "message:<1@osg.test>")
    with acting(by):
        for text in ("harmless", SECRET, "harmless, too"):
            command = c.Comment(number=number, text=text, visibility=Visibility.PUBLIC)
            await services.ledger.execute(command, actor=RULE)
    position = (await services.ledger.history(number))[-2].position
    with attributed(RULE):
        talk.decide_dispatch(position, "all@1", b"in other words", "text/plain")
        await services.ledger.save(talk)
    await services.projector.wait_for(await services.store.head(), 10)
    return number, [*raws, b"in other words"]


async def what(services: "Services", each: Found) -> bytes:
    return (await services.store.contents([each.content]))[each.content].body


async def entry_of(services: "Services", number: int) -> int:
    """The version of the entry with the secret."""
    return (await services.ledger.history(number))[-2].event.originator_version


async def test_an_entry_is_erased_with_the_messages_that_brought_it_and_told_of_it(
    services: "Services", database: str
):
    # given
    number, raws = await told_and_heard(services)
    version = await entry_of(services, number)

    # when
    chosen = await found(services, number, [version])

    # then
    assert {(each.why, await what(services, each)) for each in chosen} == {
        ("chosen", SECRET.encode()), ("message", raws[1]), ("message", raws[4]),
    }  # fmt: skip
    before = await services.store.head()
    with attributed(RULE):
        assert await erase(services, RULE, number, chosen, "a password") == 3
    said = [each.event for each in await services.store.log(before, 10)]
    assert [type(each) for each in said] == [Ticket.Erased] * 3
    assert await found(services, number, [version]) == []
    assert (await verify(database)).ok


async def test_words_are_found_however_a_message_writes_them(services: "Services"):
    number, raws = await told_and_heard(services)
    chosen = await found(services, number, [], ["password of JÜRGEN is  12345"])
    bodies = [await what(services, each) for each in chosen]
    assert sorted(bodies) == sorted([SECRET.encode(), *raws[1:4]])
    assert {each.why for each in chosen} == {"words"}


async def test_erasing_that_broke_off_is_completed_without_being_said_twice(
    services: "Services", database: str
):
    number, _ = await told_and_heard(services)
    version = await entry_of(services, number)
    chosen = await found(services, number, [version])
    with attributed(RULE):
        command = c.Erase(number=number, contents=(chosen[0].content,), why="a password")
        await services.ledger.execute(command, actor=RULE)
    assert not (await verify(database)).ok, "it was said, and is there"

    again = await found(services, number, [version])
    assert sorted(each.why for each in again) == ["message", "message", "unfinished"]
    with attributed(RULE):
        await erase(services, RULE, number, again, "a password")
    history = await services.ledger.history(number)
    said = [each.event.content for each in history if isinstance(each.event, Ticket.Erased)]
    assert len(said) == len(set(said)) == 3
    assert (await verify(database)).ok


async def test_what_is_wrong_is_refused(services: "Services"):
    number, _ = await told_and_heard(services)
    with pytest.raises(Invalid, match="versions 1 to"):
        await found(services, number, [99])
    with pytest.raises(Invalid, match="at least 3 characters"):
        await found(services, number, [], ["a "])
    supporter = Actor("user:x", uuid4())
    chosen = await found(services, number, [await entry_of(services, number)])
    with attributed(supporter), pytest.raises(Forbidden):
        await erase(services, supporter, number, chosen, "I want to")
    with attributed(RULE), pytest.raises(Invalid):
        await erase(services, RULE, number, chosen, " ")
    assert len(await found(services, number, [await entry_of(services, number)])) == 3
