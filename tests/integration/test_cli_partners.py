"""The commands of an operator of the exchange, as programs of their own."""

import json
import subprocess

import pytest

from adapters.store.engine import PostgresStore
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.ledger import Ledger
from domain.rights import Actor
from tests.scenarios import attributed
from tests.serving import PROGRAM, ROOT, environment, ticketledger, told


@pytest.fixture
def settings(database) -> dict[str, str]:
    return {"DATABASE_URL": database}


async def prepared(database: str, messages: int) -> None:
    """A partner, and conversations with one parked message each."""
    async with await PostgresStore.open(database) as store:
        ledger = Ledger(store)
        for _ in range(messages):
            with attributed(Actor.helpdesk("osg")):
                exchange = Exchange(random_id())
                exchange.open("osg")
                reference = exchange.receive(random_id().hex, b"?", "message/rfc822", "osg_mail@1")
                exchange.park(reference, "unreadable", "no document\x1b[31m")
                await ledger.save(exchange)


def rotated_to(secret: str, settings: dict[str, str]) -> str:
    """What the command says, which reads the secret from its input."""
    done = subprocess.run(
        [*PROGRAM, "exchange", "secret", "osg"],
        cwd=ROOT, env=environment(settings), input=f"{secret}\n",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(600)
async def test_an_operator_looks_pauses_tries_out_and_repairs(database, settings):
    told(
        "directory", "helpdesk", "osg", "--adapter=osg_mail", "--interface=live", "--unproved", **settings
    )  # fmt: skip
    await prepared(database, 3)

    [osg] = told("exchange", "status", **settings)
    assert (osg["name"], osg["parked"], osg["interface"]) == ("osg", 3, "live")

    told("exchange", "interface", "osg", "paused", "--reason=their system moves", **settings)
    [osg] = told("exchange", "status", **settings)
    assert (osg["interface"], osg["interface_reason"]) == ("paused", "their system moves")

    cut = ticketledger("exchange", "parked", "--limit=2", **settings)
    assert "publish a mapping" in cut.stdout
    cursor = cut.stderr.partition("there are more: --cursor ")[2].strip()
    following = told("exchange", "parked", f"--cursor={cursor}", **settings)

    everything = told("exchange", "parked", **settings)
    assert following == everything[2:]
    first = everything[0]
    preview = told("exchange", "preview", first["exchange"], str(first["reference"]), **settings)
    assert (preview["outcome"], preview["code"]) == ("parked", "unreadable")

    repair = ("exchange", "repair", "osg", "skip", "--direction=in", "--code=unreadable")
    assert len(told(*repair, "--most=2", "--dry-run", **settings)["messages"]) == 2
    assert told(*repair, "--most=2", **settings)["done"] == 2
    assert told(*repair, **settings)["done"] == 1
    assert told("exchange", "parked", **settings) == []

    mistyped = ticketledger("exchange", "parked", "--helpdesk=ogs", **settings)
    assert (mistyped.returncode, mistyped.stdout) == (1, "")
    assert "there is no helpdesk 'ogs'" in mistyped.stderr


@pytest.mark.timeout(600)
async def test_a_ticket_is_found_by_what_a_partner_calls_it(database, settings):
    told("directory", "helpdesk", "osg", "--adapter=osg_mail", **settings)
    number = told("open", "It is broken", "--mail=me@example.org", **settings)["number"]
    async with await PostgresStore.open(database) as store:
        with attributed(Actor.helpdesk("osg")):
            exchange = Exchange(random_id())
            exchange.open("osg", number)
            exchange.link(number, "7932")
            await Ledger(store).save(exchange)
    [found] = told("find", "7932", **settings)
    assert found["number"] == number
    assert [each["external_id"] for each in found["elsewhere"]] == ["7932"]
    shown = ticketledger("show", str(number), **settings)
    assert "at osg" in shown.stdout
    assert "7932" in shown.stdout


@pytest.mark.timeout(600)
async def test_a_rotated_secret_is_on_record_without_the_secret(database, settings):
    told("directory", "helpdesk", "osg", "--adapter=osg_mail", **settings)
    assert "kept, recorded at position" in rotated_to("open sesame", settings)
    async with await PostgresStore.open(database) as store:
        events = [each.event for each in await store.log(0, 100)]
        rotated = [each for each in events if isinstance(each, Helpdesk.CredentialsRotated)]
        assert [each.provenance.actor for each in rotated] == ["rule:command-line@1"]
        assert not rotated[0].forgotten
        states = await store.rows("SELECT state FROM ledger.event")
        contents = await store.rows("SELECT body FROM ledger.content")
    assert not any(b"sesame" in bytes(value) for (value,) in [*states, *contents])
    assert "sesame" not in json.dumps(told("exchange", "status", **settings))
    silent = ticketledger("exchange", "secret", "osg", **settings)  # its input ends at once
    assert silent.returncode == 1
    assert "an empty line makes the secret forgotten" in silent.stderr
