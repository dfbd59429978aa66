"""docs/how-to/operate-the-exchange.md is true: its commands are run in their order."""

import re
import shlex

import pytest

from adapters.store.engine import PostgresStore
from domain.exchange import Exchange
from domain.identifiers import random_id
from domain.ledger import Ledger
from domain.rights import Actor
from tests.scenarios import attributed
from tests.serving import ROOT, ticketledger, told

GUIDE = ROOT / "docs/how-to/operate-the-exchange.md"
COMMAND = re.compile(r"^    ticketledger (.+)$", re.MULTILINE)


async def parked_message(database: str) -> tuple[str, str]:
    async with await PostgresStore.open(database) as store:
        with attributed(Actor.helpdesk("osg")):
            exchange = Exchange(random_id())
            exchange.open("osg", external_id="7932")
            reference = exchange.receive("<1@osg.test>", b"?", "message/rfc822", "osg_mail@1")
            exchange.park(reference, "unreadable", "no document")
            await Ledger(store).save(exchange)
    return str(exchange.id), str(reference)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_commands_of_the_guide_work_in_their_order(database):
    settings = {"DATABASE_URL": database}
    told(
        "directory", "helpdesk", "osg", "--adapter=osg_mail", "--interface=live", "--unproved", **settings
    )  # fmt: skip
    exchange, reference = await parked_message(database)
    opened = told("open", "Transfers fail", "--mail=user@example.org", **settings)
    stands_for = {"EXCHANGE": exchange, "REFERENCE": reference, "NUMBER": str(opened["number"])}
    commands = COMMAND.findall(GUIDE.read_text())
    assert len(commands) >= 9
    for command in commands:
        words = [stands_for.get(word, word) for word in shlex.split(command)]
        done = ticketledger(*words, timeout_s=200, typed="a new password\n", **settings)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
