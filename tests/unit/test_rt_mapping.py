"""Words and documents of the adapter for Request Tracker, without one."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.helpdesks.rt import documents, words
from adapters.helpdesks.rt.documents import Theirs, TheirTicket, Transaction
from adapters.helpdesks.rt.mapping import Rt
from adapters.kit.contract import Asked, Before, Ignored, Unreadable
from adapters.kit.words import priority_there
from domain.commands import Assign, Comment, Reopen, Solve
from domain.lifecycle import Status
from domain.vocabulary import Priority
from domain.words import Table, Words
from tests.places import place_for
from tests.tickets import in_status

ADAPTER = Rt()
PLACE = place_for(ADAPTER)
STATES = words.WORDS.states


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(raw):
    with suppress(Unreadable):
        ADAPTER.read(raw)


def change(**fields: object) -> bytes:
    return documents.write(
        Theirs(transaction=Transaction(id=1, **fields), ticket=TheirTicket(id=2))  # type: ignore[arg-type]
    )


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(sorted(Status, key=str)))
def test_an_unknown_state_is_loud_and_never_guessed(old, new, ours):
    with suppress(Unreadable):
        before, said = words.step(words.WORDS, old, new, ours)
        assert new in STATES.theirs
        assert before is ours or old in STATES.theirs or old == words.DELETED
        assert said in (Status(STATES.theirs[new]), Status.REOPENED)


def test_these_states_do_not_survive_there_and_back():
    lost = {
        ours: back for ours, theirs in STATES.ours.items() if (back := STATES.read(theirs)) != ours
    }
    assert lost == {
        "new": "assigned",
        "waiting for reply": "on hold",
        "reopened": "in progress",
        "verified": "solved",
        "closed": "solved",
    }


@pytest.mark.parametrize("ours", Priority)
def test_a_priority_survives_there_and_back(ours):
    assert words.priority(words.WORDS, priority_there(words.WORDS, ours)) is ours


@pytest.mark.parametrize(
    ("number", "ours"),
    [("0", "less urgent"), ("25", "less urgent"), ("26", "urgent"), ("50", "urgent"), ("51", "very urgent"),
     ("75", "very urgent"), ("76", "top priority"), ("100", "top priority"), ("-5", "less urgent")],
)  # fmt: skip
def test_a_number_is_a_priority(number, ours):
    assert words.priority(words.WORDS, number) is Priority(ours)


def test_a_change_that_nobody_agreed_on_has_no_effect():
    for kind in ("Told", "SetWatcher", "AddReminder", "Set"):
        reading = ADAPTER.read(change(type=kind, field="Subject"))
        outcome = ADAPTER.inbound(reading, in_status(Status.ASSIGNED), Before(), PLACE)
        assert outcome == Ignored("no-counterpart")


OWN = Words(
    states=Table(
        theirs={"neu": "assigned", "offen": "in progress", "fertig": "solved", "egal": ""},
        ours=dict.fromkeys((status.value for status in Status), "offen")
        | {"solved": "fertig", "closed": ""},
    ),
    priorities=Table(theirs={"1": "top priority"}, ours={each.value: "1" for each in Priority}),
    units=Table(theirs={"Netz": "NGI_DE"}, ours={"NGI_DE": "Netz"}),
)
"""A desk with a lifecycle of its own, and queues with names of its own."""


def asked_with(words_of_theirs: Words, raw: bytes, ours: Status) -> Asked | Ignored:
    place = place_for(ADAPTER, words=words_of_theirs)
    return ADAPTER.inbound(ADAPTER.read(raw), in_status(ours), Before(), place)


def test_a_desk_with_a_lifecycle_of_its_own_is_understood_by_its_own_tables():
    done = asked_with(OWN, change(type="Status", old="offen", new="fertig"), Status.IN_PROGRESS)
    assert isinstance(done, Asked)
    assert isinstance(done.commands[0], Solve)
    again = asked_with(OWN, change(type="Status", old="fertig", new="offen"), Status.SOLVED)
    assert isinstance(again, Asked)
    assert isinstance(again.commands[0], Reopen), "which states are over is in the table too"
    nothing = asked_with(OWN, change(type="Status", old="offen", new="egal"), Status.IN_PROGRESS)
    assert nothing == Ignored("nothing-new")
    with pytest.raises(Unreadable):
        asked_with(OWN, change(type="Status", old="offen", new="resolved"), Status.IN_PROGRESS)
    with pytest.raises(Unreadable):
        asked_with(OWN, change(type="Set", field="Priority", new="90"), Status.IN_PROGRESS)
    moved = documents.write(
        Theirs(
            transaction=Transaction(id=1, type="Set", field="Queue"),
            ticket=TheirTicket(id=2, queue="Netz"),
        )
    )
    assigned = asked_with(OWN, moved, Status.ASSIGNED)
    assert isinstance(assigned, Asked)
    [command] = assigned.commands
    assert isinstance(command, Assign)
    assert command.unit == "NGI_DE"


def test_texts_that_no_database_can_hold_are_made_to_fit():
    raw = msgspec.json.encode({
        "from": "theirs",
        "transaction": {"id": 1, "type": "Correspond"},
        "ticket": {"id": 2},
        "texts": [{"text": "a\0b" + "x" * 9000}],
    })  # fmt: skip
    outcome = ADAPTER.inbound(ADAPTER.read(raw), in_status(Status.ASSIGNED), Before(), PLACE)
    assert isinstance(outcome, Asked)
    [command] = outcome.commands
    assert isinstance(command, Comment)
    assert command.text.startswith("a\ufffdbx")
    assert len(command.text) <= 4000
