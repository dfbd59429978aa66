"""A partner's past through another mapping: differences, corrections, erased messages, many conversations."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from api import correcting, retranslating, retranslation_lines
from api.bootstrap import Services
from domain import commands as c
from domain.errors import Forbidden
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.rights import Actor
from domain.words import Table, Tables
from replay import retranslate, walking
from tests.exchange_scenarios import RULE, by_test
from tests.numbered_desk import DRAFT, NUMBERED, hear, numbered_desk, opened

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def desk(services: Services) -> None:
    await numbered_desk(services)


async def status(services: Services, number: int) -> Status:
    return (await services.ledger.ticket(number)).status


async def correct(services: Services) -> list[correcting.Corrected]:
    work = await correcting.corrections(services, RULE, "osg")
    return [each async for each in work.run(RULE)]


async def differing(past: retranslating.Retranslation) -> list[retranslating.Differing]:
    return [each async for each in past.differing()]


async def test_the_past_is_read_with_a_draft_as_it_was_then_and_nothing_changes(services, desk):
    number, other = await opened(services), await opened(services)
    await hear(services, number, Status="3")
    await hear(services, number, Status="6", Detailed_Solution="Done.")
    await hear(services, other, Public_Diary="Hello.")
    head = await services.store.head()

    past = await retranslating.through_draft(services, RULE, "osg", DRAFT)
    [found] = await differing(past)
    assert (found.number, await services.store.head()) == (number, head)
    said = retranslation_lines.plain(found)["messages"]
    assert [
        [command.command for command in each[when]["commands"]]
        for each in said
        for when in ("then", "now")
    ] == [["PutOnHold"], ["Solve"], ["Solve"], ["Comment"]], (
        "it was on hold already when the second message came"
    )
    assert past.summary.messages == 3
    assert past.summary.conversations == 2
    assert (past.summary.differing_messages, past.summary.correctable) == (2, 1)


async def test_after_publishing_tickets_are_put_right_by_ordinary_commands_once(services, desk):
    wrong, moved, final, right = [await opened(services) for _ in range(4)]
    for number in (wrong, moved, final):
        await hear(services, number, Status="6", Detailed_Solution="Done.")
    await hear(services, right, Status="3")
    await hear(services, right, Status="7", Detailed_Solution="No.")
    with by_test():
        await services.ledger.execute(c.Reopen(number=moved, comment="Not so."), actor=RULE)
        await services.ledger.execute(c.Verify(number=final), actor=RULE)
        _, receipt = await services.exchange.mappings.publish(RULE, "osg", DRAFT)

    done = {each.number: each for each in await correct(services)}
    assert {number: each.left for number, each in done.items()} == {
        wrong: "", moved: "moved-on", final: "final",
    }  # fmt: skip
    assert [await status(services, number) for number in (wrong, moved, final, right)] == [
        Status.ON_HOLD, Status.REOPENED, Status.VERIFIED, Status.UNSOLVED,
    ]  # fmt: skip
    history = await services.ledger.history(wrong)
    assert {each.event.provenance.causation_id for each in history[-2:]} == {
        f"event:{receipt.position}"
    }
    again = await correct(services)
    assert wrong not in {each.number for each in again}, "a second time finds nothing to do"


async def test_it_goes_on_where_it_stopped_and_counts_what_was_erased(services, desk, monkeypatch):
    monkeypatch.setattr(retranslate, "_PAGE_MESSAGES", 2)
    monkeypatch.setattr(retranslate, "_LISTED", 3)
    monkeypatch.setattr(walking, "_CHUNK_MESSAGES", 1)
    numbers = [await opened(services) for _ in range(5)]
    for number in numbers:
        await hear(services, number, Status="3")
        await hear(services, number, Status="6", Detailed_Solution="Done.")
    whole = await retranslating.through_draft(services, RULE, "osg", DRAFT)
    everything = await differing(whole)
    assert {each.number for each in everything} == set(numbers)
    assert whole.summary.messages == 10

    part = await retranslating.through_draft(services, RULE, "osg", DRAFT)
    stopped = [each async for each in part.differing(everything[2].exchange)]
    assert [each.number for each in stopped] == [each.number for each in everything[3:]]

    events = [each.event for each in await services.store.stream(everything[0].exchange)]
    received = [each for each in events if isinstance(each, Exchange.MessageReceived)]
    await services.store.erase([received[0].raw.id])
    less = await retranslating.through_draft(services, RULE, "osg", DRAFT)
    await differing(less)
    assert (less.summary.erased, less.summary.messages) == (1, 10)


async def test_messages_that_were_parked_are_read_with_the_draft_too(services, desk):
    number = await opened(services)
    await hear(services, number, Status="99")
    draft = Tables(states=Table(theirs=NUMBERED.theirs | {"99": "on hold"}, ours=NUMBERED.ours))
    past = await retranslating.through_draft(services, RULE, "osg", draft)
    [found] = await differing(past)
    [message] = found.messages
    assert (message.outcome, message.what.then.outcome, message.what.now.outcome) == (
        "parked", "parked", "asked",
    )  # fmt: skip


async def test_a_message_is_compared_with_the_words_that_it_got_its_outcome_by(services, desk):
    """Parked under version 1, read under version 2: with version 2 as the draft nothing differs."""
    number = await opened(services)
    await hear(services, number, Status="99")
    draft = Tables(states=Table(theirs=NUMBERED.theirs | {"99": "on hold"}, ours=NUMBERED.ours))
    stream = await services.exchange.conversations.about("osg", number=number)
    [parked] = (await services.exchange.conversations.load(stream)).messages
    with by_test():
        await services.exchange.mappings.publish(RULE, "osg", draft)
        await services.exchange.by_hand.resume(RULE, stream, parked, skip=False)
    await services.exchange.inbox.apply(stream)
    assert await status(services, number) is Status.ON_HOLD
    assert await differing(await retranslating.through_draft(services, RULE, "osg", draft)) == []


async def test_what_several_mappings_ago_left_wrong_is_corrected_too(services, desk):
    number = await opened(services)
    await hear(services, number, Status="6", Detailed_Solution="Done.")
    with by_test():
        await services.exchange.mappings.publish(RULE, "osg", DRAFT)
        again = Table(theirs=DRAFT.states.theirs | {"8": "on hold"}, ours=DRAFT.states.ours)
        await services.exchange.mappings.publish(RULE, "osg", Tables(states=again))
    [done] = await correct(services)
    assert (done.number, done.refused) == (number, "")
    assert await status(services, number) is Status.ON_HOLD


async def test_only_administrators_may_read_all_that_a_partner_ever_wrote(services, desk):
    with pytest.raises(Forbidden):
        await retranslating.through_draft(services, Actor("user:x"), "osg", DRAFT)


async def test_the_command_line_shows_and_corrects(services, desk, database, tmp_path):
    number = await opened(services)
    await hear(services, number, Status="6", Detailed_Solution="Done.")
    draft = tmp_path / "draft.json"
    draft.write_text(
        json.dumps({"states": {"theirs": DRAFT.states.theirs, "ours": DRAFT.states.ours}})
    )

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "api.cli.main", "mapping", *arguments], check=False, cwd=ROOT,
            env={**os.environ, "TICKETLEDGER_DATABASE_URL": database}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    text = run("replay", "osg", "--draft", str(draft))
    assert "Solve -> PutOnHold" in text
    assert "state solved; '6' meant solved, means on hold: Reopen, PutOnHold" in text
    *lines, last = run("replay", "osg", "--draft", str(draft), "--json").splitlines()
    assert json.loads(lines[0])["corrections"][0]["commands"][0]["command"] == "Reopen"
    assert json.loads(last)["summary"]["differing_messages"] == 1
    run("publish", "osg", str(draft))
    assert "1 tickets would be corrected, 0 left" in run("correct", "osg", "--dry-run")
    assert "1 tickets corrected, 0 left" in run("correct", "osg")
    assert "0 tickets corrected, 0 left" in run("correct", "osg")
