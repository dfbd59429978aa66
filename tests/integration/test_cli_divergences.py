"""What diverges, by command line: compared, put right, listed, decided."""

import asyncio

import pytest

from adapters.store.engine import PostgresStore
from domain.exchange import Exchange
from domain.ledger import Ledger
from tests.desk_scenarios import DESK
from tests.serving import ticketledger, told
from tests.standins.meeting import connected, opened


async def run(*arguments: str, database: str) -> str:
    """A program of its own, while the stand-in goes on in this one; what it prints."""
    done = await asyncio.to_thread(
        ticketledger, *arguments, DATABASE_URL=database, ALLOW_PRIVATE_PARTNERS="true", ENVIRONMENT="test"
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("product", ["zammad"], indirect=True)
async def test_an_operator_compares_puts_right_lists_and_decides(database, product, site):
    async with connected(database, product, site) as ours:
        ours.work()
        await ours.polled()
        lost, theirs = await opened(ours)
        odd, other = await opened(ours)
        await ours.rest()
    site.delete(int(theirs))
    site.tickets[int(other)]["external_id"] = "GGUS-4711"

    said = await run("exchange", "compare", DESK, database=database)
    assert "2 tickets compared, 2 divergences: 0 put right, 2 left" in said
    said = await run("exchange", "diverged", DESK, database=database)
    assert f"ticket {lost}  ticket: ours {theirs}, theirs gone" in said
    assert f"ticket {odd}  number: ours {odd}, theirs 4711" in said
    assert "Their ticket is lost" in said, "and what can be done"
    said = await run("exchange", "diverged", DESK, "--field=number", database=database)
    assert "theirs gone" not in said

    said = await run("exchange", "compare", DESK, "--repair", database=database)
    assert "2 divergences: 1 put right, 1 left" in said
    [row] = told("exchange", "diverged", DESK, "--field=number", DATABASE_URL=database)
    settle = ("exchange", "settle", row["exchange"], "number", "theirs", "--reason=They know.")
    assert "number of" in await run(*settle, database=database)
    async with await PostgresStore.open(database) as store:
        log = [each.event for each in await store.log(0, 10_000)]
        [unlinked] = [each for each in log if isinstance(each, Exchange.Unlinked)]
        assert (unlinked.external_id, unlinked.why) == (theirs, "gone")
        stream = await store.holder(f"exchange:{DESK}", str(odd))
        exchange = await Ledger(store).load(Exchange, stream)
        assert exchange is not None
        assert list(exchange.accepted) == ["number"]


@pytest.mark.timeout(300)
async def test_what_an_operator_mistypes_is_said_with_what_is_possible(database):
    async def refused(*arguments: str) -> str:
        done = await asyncio.to_thread(ticketledger, *arguments, DATABASE_URL=database)
        assert done.returncode != 0
        return done.stderr

    assert "doubled" in await refused("exchange", "diverged", DESK, "--field=colour")
    nobody = "00000000-0000-0000-0000-000000000007"
    settle = ("exchange", "settle", nobody, "state")
    assert "theirs" in await refused(*settle, "mine", "--reason=x")
    assert "exchange" in await refused(*settle, "ours", "--reason=x")
    assert "nobody" in await refused("exchange", "compare", "nobody")
