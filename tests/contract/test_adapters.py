"""One contract for every adapter, driven by the recorded examples in its fixtures folder.

in__NAME.<ext>     a message of theirs      in__NAME.json    what we must read in it and do about it
out__NAME.json     what happened here       out__NAME.<ext>  what they must be sent

An example that is missing its second half is a failure; TICKETLEDGER_WRITE_FIXTURES=1 writes it, to be
looked at by somebody who knows what it ought to be.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from adapters.kit.contract import Before, Ignored, News, Place, Reading, Unreadable
from adapters.registry import ADAPTERS
from domain.clock import using
from domain.formats import EVENT_TYPES, topic_of
from domain.identifiers import random_id, ticket_id
from domain.lifecycle import Status
from domain.provenance import Provenance, acting
from domain.ticket import Particulars, Ticket
from domain.vocabulary import Priority, Visibility
from domain.words import Table, checked
from tests.architecture.generated import with_round_trip
from tests.places import place_for

HELPDESKS = Path(__file__).resolve().parents[2] / "adapters" / "helpdesks"
NUMBER = 17
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

STEPS: dict[str, Any] = {
    "assign": lambda t, unit: t.assign(unit),
    "assign_with_note": lambda t, unit: t.assign(unit, note="It is yours."),
    "work": lambda t, _: t.start_work(),
    "ask": lambda t, _: t.request_reply("Which file?"),
    "reply": lambda t, _: t.record_reply("All of them."),
    "hold": lambda t, _: t.put_on_hold("Waiting for a spare part."),
    "solve": lambda t, text: t.solve(text or "Done."),
    "give_up": lambda t, _: t.find_unsolvable("Nobody knows."),
    "verify": lambda t, _: t.verify(),
    "close": lambda t, _: t.close(),
    "reopen": lambda t, _: t.reopen("Not yet."),
    "comment": lambda t, text: t.comment(text, Visibility.PUBLIC),
    "prioritise": lambda t, _: t.reclassify("priority", "top priority", "Data taking."),
    "categorise": lambda t, _: t.reclassify("category", "Test"),
    "attach": lambda t, text: t.attach(
        "trace.txt", "text/plain", (text or "trace").encode(), Visibility.PUBLIC
    ),
    "take": lambda t, _: t.take(random_id()),
}


def ticket_after(steps: list[str]) -> Ticket:
    """Ticket 17 after steps such as ``assign:ROC_US``."""
    ticket = Ticket(ticket_id(NUMBER))
    with using(lambda: AT), acting(Provenance("rule:test@1", random_id(), "test")):
        ticket.open(
            NUMBER,
            subject="Transfers fail",
            description='All of them, with "time-out" & <no> reason.',
            particulars=Particulars(
                vo="atlas", priority=Priority.URGENT.value, affected_site="EXAMPLE-US-T2"
            ),
        )
        for step in steps:
            name, _, argument = step.partition(":")
            STEPS[name](ticket, argument)
    return ticket


def examples(direction: str) -> list:
    return [
        pytest.param(name, path, id=f"{name}-{path.stem}")
        for name in ADAPTERS
        for path in sorted((HELPDESKS / name / "fixtures").glob(f"{direction}__*"))
        if (path.suffix == ".json") == (direction == "out")
    ]


def read(name: str, folder: Path, file: str | None) -> Reading | None:
    if file is None:
        return None
    reading = ADAPTERS[name].read((folder / file).read_bytes())
    assert isinstance(reading, Reading)
    return reading


def understood(
    name: str, raw: Path, given: dict[str, Any], place: Place | None = None
) -> dict[str, Any]:
    """What the adapter makes of a message, given our ticket and what was said before."""
    adapter = ADAPTERS[name]
    try:
        reading = adapter.read(raw.read_bytes())
        if isinstance(reading, Ignored):
            return {"ignored": reading.why}
        steps = given.get("ticket")
        asked = adapter.inbound(
            reading,
            None if steps is None else ticket_after(steps),
            Before(
                read(name, raw.parent, given.get("heard")),
                read(name, raw.parent, given.get("told")),
            ),
            place or place_for(adapter),
        )
    except Unreadable as error:
        return {"unreadable": str(error)}
    seen = {
        field: value
        for field in ("external_id", "external_reference", "number", "state", "submitter")
        if (value := msgspec.to_builtins(getattr(reading, field)))
    }
    if isinstance(asked, Ignored):
        return {"reading": seen, "ignored": asked.why}
    commands = [{type(command).__name__: said(command)} for command in asked.commands]
    return {"reading": seen, "commands": commands, "withheld": list(asked.withheld)}


def said(command: Any) -> dict[str, Any]:
    """The fields of a command that are not at their defaults."""
    fields = msgspec.structs.fields(command)
    return {
        field.name: msgspec.to_builtins(value)
        for field in fields
        if (value := getattr(command, field.name)) != field.default and field.name != "number"
    }


@pytest.mark.parametrize(("name", "raw"), examples("in"))
def test_a_message_of_theirs_becomes_what_its_example_says(name, raw):
    expected = raw.with_suffix(".json")
    example = json.loads(expected.read_text()) if expected.exists() else {"given": {}}
    becomes = understood(name, raw, example["given"])
    if os.environ.get("TICKETLEDGER_WRITE_FIXTURES") == "1" and "becomes" not in example:
        expected.write_text(
            json.dumps({**example, "becomes": becomes}, indent=2, ensure_ascii=False) + "\n"
        )
    else:
        assert becomes == example["becomes"]


@pytest.mark.parametrize(("name", "raw"), examples("in"))
def test_a_message_can_be_translated_whatever_their_words_are_agreed_to_mean(name, raw):
    """Tables are data: a word for a state may come to mean each of ours, or move nothing."""
    example = json.loads(raw.with_suffix(".json").read_text())
    states = ADAPTERS[name].words.states
    for meaning in (*(status.value for status in Status), ""):
        table = Table(theirs=dict.fromkeys(states.theirs, meaning), ours=states.ours)
        words = structs.replace(ADAPTERS[name].words, states=table)
        becomes = understood(name, raw, example["given"], place_for(ADAPTERS[name], words=words))
        assert becomes.keys() & {"commands", "ignored", "unreadable"}


def news(name: str, steps: list[str], given: dict[str, Any], place: Place | None = None) -> News:
    ticket = ticket_after(steps)
    return News(
        event=ticket.pending_events[-1],
        ticket=ticket,
        texts={content.id: content.text() for content in ticket.pending_contents},
        files={content.id: content.body for content in ticket.pending_contents},
        whole=given.get("whole", False),
        diary=given.get("diary", []),
        external_id=given.get("external_id", ""),
        external_reference=given.get("external_reference", ""),
        theirs=given.get("theirs", False),
        message_id="<news.1@hub.test>",
        at=AT,
        place=place or place_for(ADAPTERS[name]),
    )


@pytest.mark.parametrize(("name", "happened"), examples("out"))
def test_what_happened_here_is_told_byte_for_byte(name, happened):
    given = json.loads(happened.read_text())
    told = ADAPTERS[name].outbound(news(name, given["happened"], given))
    if "ignored" in given:
        assert told == Ignored(given["ignored"])
        return
    assert isinstance(told, bytes)
    [*found] = [each for each in happened.parent.glob(f"{happened.stem}.*") if each != happened]
    if not found and os.environ.get("TICKETLEDGER_WRITE_FIXTURES") == "1":
        happened.with_suffix(given["suffix"]).write_bytes(told)
    else:
        assert told == found[0].read_bytes()


ENDINGS = {
    Status.NEW: [], Status.ASSIGNED: ["assign:ROC_US"], Status.IN_PROGRESS: ["work"],
    Status.WAITING_FOR_REPLY: ["ask"], Status.ON_HOLD: ["hold"], Status.SOLVED: ["solve:"],
    Status.UNSOLVED: ["give_up"], Status.VERIFIED: ["solve:", "verify"], Status.CLOSED: ["solve:", "close"],
    Status.REOPENED: ["solve:", "reopen"],
}  # fmt: skip


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("name", ADAPTERS)
def test_a_ticket_in_every_status_can_be_told_and_read_again(name, status):
    adapter = ADAPTERS[name]
    for whole in (True, False):
        told = adapter.outbound(news(name, ENDINGS[status], {"whole": whole}))
        assert isinstance(told, bytes)
        reading = adapter.read(told)
        assert isinstance(reading, Reading)
        assert reading.number == NUMBER


@pytest.mark.parametrize("name", ADAPTERS)
def test_our_own_words_coming_back_ask_nothing_of_us(name):
    adapter = ADAPTERS[name]
    for status, steps in ENDINGS.items():
        told = adapter.read(adapter.outbound(news(name, steps, {"whole": True})))
        outcome = adapter.inbound(told, ticket_after(steps), Before(None, told), place_for(adapter))
        assert isinstance(outcome, Ignored), status


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("topic", [t for t in EVENT_TYPES if t.startswith("ticket.")])
def test_an_adapter_has_an_answer_to_every_event_of_a_ticket(name, topic):
    """Bytes or a stated reason; what has no counterpart must not surprise the outbox."""
    made = {
        topic_of(event) for steps in STEPS_FOR_ALL for event in ticket_after(steps).pending_events
    }
    if topic not in made:
        pytest.skip("made by imports and erasures only, which partners are not told of")
    for steps in STEPS_FOR_ALL:
        if topic_of(ticket_after(steps).pending_events[-1]) == topic:
            assert isinstance(ADAPTERS[name].outbound(news(name, steps, {})), bytes | Ignored)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("status", Status)
def test_what_holds_is_told_in_every_status_and_asks_nothing_of_us_when_it_comes_back(name, status):
    adapter, ours = ADAPTERS[name], ticket_after(ENDINGS[status])
    crossed = news(name, ENDINGS[status], {})
    told = adapter.outbound(structs.replace(crossed, confirms=True, event=ours.pending_events[0]))
    if isinstance(told, Ignored):
        assert told.why in {"no-counterpart", "fetched"}
        return
    reading = adapter.read(told)
    outcome = adapter.inbound(reading, ours, Before(None, reading), place_for(adapter))
    assert isinstance(outcome, Ignored) or not outcome.commands


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_words_of_an_adapter_say_what_becomes_of_each_of_ours_and_can_be_read_again(name):
    """An empty word is an answer too: they are not told."""
    words = checked(ADAPTERS[name].words)
    for table, ours in (
        (words.states, [status.value for status in Status]),
        (words.priorities, [priority.value for priority in Priority]),
    ):
        assert set(table.ours) == set(ours)
        for word in table.ours.values():
            assert not word or table.read(word) is not None, word


STEPS_FOR_ALL = [
    [], ["assign:ROC_US"], ["work"], ["ask"], ["ask", "reply"], ["hold"], ["solve:"], ["give_up"],
    ["solve:", "verify"], ["solve:", "close"], ["solve:", "reopen"], ["comment:word"], ["prioritise"],
    ["categorise"], ["take"], ["attach"],
]  # fmt: skip


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_writes_the_words_of_the_place_not_those_that_it_brings(name):
    adapter = ADAPTERS[name]
    states = adapter.words.states
    word = states.ours[Status.SOLVED.value]
    if not word:
        pytest.skip("its partners are not told of states by a word")
    foreign = f"foreign-{word}"
    words = structs.replace(
        adapter.words,
        states=Table(
            theirs={**states.theirs, foreign: Status.SOLVED.value},
            ours={**states.ours, Status.SOLVED.value: foreign},
        ),
    )
    told = adapter.outbound(
        news(name, ["solve:Done."], {"external_id": "42"}, place_for(adapter, words=words))
    )
    assert isinstance(told, bytes)
    assert foreign.encode() in told


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_readme_of_an_adapter_shows_what_survives_there_and_back(name):
    """``make golden`` writes it."""
    page = (HELPDESKS / name / "README.md").read_text()
    assert page == with_round_trip(page, ADAPTERS[name])


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_folder_of_an_adapter_is_complete(name):
    folder = HELPDESKS / name
    assert ADAPTERS[name].mapping.startswith(f"{name}@")
    assert (folder / "README.md").read_text().count("|") > 50, "fields and states are in tables"
    assert list(folder.glob("fixtures/in__*.json"))
    assert list(folder.glob("fixtures/out__*.json"))
