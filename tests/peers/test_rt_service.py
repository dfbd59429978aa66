"""The guide's way: a helpdesk registered and its secret kept by command line, then the service does the rest."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from api.bootstrap import running
from api.settings import Settings
from domain import commands as c
from tests.exchange_scenarios import RULE, by_test
from tests.peers.rt_scenarios import prefix

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "api.cli.main"]


def command(database: str, *arguments: str, said: str = "") -> str:
    environment = {**os.environ, "TICKETLEDGER_DATABASE_URL": database}
    done = subprocess.run(
        [*PROGRAM, *arguments], check=False, env=environment, cwd=ROOT, capture_output=True, text=True,
        input=said, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def register(database: str, tracker) -> None:
    address = tracker.url.replace("://", "://bridge@") + "/?queue=ROC_DE&intake=To_GGUS"
    command(database, "directory", "unit", "ROC_DE", "--kind", "NGI")
    command(
        database, "directory", "helpdesk", "rt", "--adapter", "rt", "--unit", "ROC_DE", "--address", address,
        "--policy", "full", "--interface", "live", "--unproved",
    )  # fmt: skip
    said = command(database, "exchange", "secret", "rt", said=tracker.passwords["bridge"] + "\n")
    assert said.startswith("the secret for rt is kept, recorded at position ")


async def test_a_helpdesk_connected_by_command_line_gets_its_ticket(
    database, request_tracker, supporter
):
    register(database, request_tracker)
    settings = Settings(
        database_url=SecretStr(database), exchange=True, allow_private_partners=True,
        partner_poll_s=0.5, prefix=prefix(database),
    )  # fmt: skip
    async with running(settings) as services:
        with by_test():
            opening = c.OpenTicket(subject="By the service", unit="ROC_DE")
            number = (await services.ledger.execute(opening, actor=RULE)).ticket.number
        async with asyncio.timeout(30):
            while not (theirs := await supporter.with_our_number(database, number)):
                await services.wakeup.wait(await services.store.head(), 0.2)
    assert len(theirs) == 1


def test_no_address_in_a_private_network_is_called_unless_that_is_allowed(
    database, request_tracker, supporter
):
    """The default: whoever registers a helpdesk does not get to call what stands behind our walls."""
    register(database, request_tracker)

    async def serve() -> str:
        async with running(Settings(database_url=SecretStr(database), exchange=True)) as services:
            pollers = services.exchange.worker.pollers
            async with asyncio.timeout(20):
                while not (health := pollers.health.get("rt")) or not health.failures:
                    await services.wakeup.wait(await services.store.head(), 0.1)
            return health.last_error

    assert asyncio.run(serve()).startswith("private-address")


def test_an_empty_secret_is_forgotten(database, request_tracker):
    register(database, request_tracker)
    answer = command(database, "exchange", "secret", "rt", said="\n")
    assert answer.startswith("the secret for rt is forgotten, recorded at position ")
