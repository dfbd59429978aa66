"""Words and documents of the adapter for Redmine, without one."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.helpdesks.redmine import documents, words
from adapters.helpdesks.redmine.changes import overtaken
from adapters.helpdesks.redmine.documents import Change, Note, Ours, Step, TheirIssue, Theirs
from adapters.helpdesks.redmine.mapping import Redmine
from adapters.helpdesks.redmine.terms import Terms
from adapters.kit.contract import Asked, Before, Ignored, Unreadable
from adapters.kit.retry import Undelivered
from adapters.kit.steps import step
from domain.commands import Comment, PutOnHold, Solve
from domain.lifecycle import Status
from domain.words import Table
from tests.places import place_for
from tests.tickets import in_status

ADAPTER = Redmine()
PLACE = place_for(ADAPTER)


def change(**fields: object) -> bytes:
    return documents.write(
        Theirs(change=Change(id=1, **fields), issue=TheirIssue(id=2))  # type: ignore[arg-type]
    )


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(raw):
    with suppress(Unreadable):
        ADAPTER.read(raw)


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(sorted(Status, key=str)))
def test_an_unknown_state_is_loud_and_never_guessed(old, new, ours):
    known = words.WORDS.states.theirs
    with suppress(Unreadable):
        step(words.WORDS, old, new, ours)
        assert new in known
        assert old in known or old == words.WORDS.states.write(ours.value)


def test_two_helpdesks_may_have_their_states_the_other_way_round():
    """Words come from the partner's tables, never from the product's."""
    turned = msgspec.structs.replace(
        words.WORDS,
        states=Table(
            theirs={**words.WORDS.states.theirs, "Feedback": "on hold", "Ready": "solved"},
            ours=words.WORDS.states.ours,
        ),
    )
    place = place_for(ADAPTER, words=turned)
    for state, command in (("Feedback", PutOnHold), ("Ready", Solve)):
        raw = change(text="Why.", status=Step(old="In Progress", new=state))
        outcome = ADAPTER.inbound(ADAPTER.read(raw), in_status(Status.IN_PROGRESS), Before(), place)
        assert isinstance(outcome, Asked)
        assert [type(each) for each in outcome.commands] == [command]


def test_a_change_that_says_nothing_has_no_effect():
    outcome = ADAPTER.inbound(ADAPTER.read(change()), in_status(Status.ASSIGNED), Before(), PLACE)
    assert outcome == Ignored("no-counterpart")


def test_texts_that_no_database_can_hold_are_made_to_fit():
    raw = change(text="a\0b\r\n" + "x" * 9000)
    outcome = ADAPTER.inbound(ADAPTER.read(raw), in_status(Status.ASSIGNED), Before(), PLACE)
    assert isinstance(outcome, Asked)
    [command] = outcome.commands
    assert isinstance(command, Comment)
    assert command.text.startswith("a\ufffdb\nx")
    assert len(command.text) <= 4000


@pytest.mark.parametrize("hops", [[], ["GGUS-42"], ["GGUS-42", "NGI_X-7"]])
def test_the_way_of_a_message_stands_in_its_mark(hops):
    note = Note(public=True, text="x")
    ours = Ours(number=1, external_id="GGUS-1", event_id="id@hub.test", hops=hops, note=note)
    assert documents.marked(documents.mark(ours)) == ("id@hub.test", hops)
    assert documents.marked(documents.mark(ours, "a1b2c3")) == ("id@hub.test", hops)
    assert documents.mark(ours, "a1b2c3") != documents.mark(ours, "d4e5f6")
    assert ADAPTER.read(documents.write(ours)).hops == tuple(hops)


@given(st.text(max_size=80))
def test_any_value_can_stand_where_a_mark_should_be(value):
    documents.marked(value)


def test_an_address_says_where_and_with_which_projects_and_fields():
    terms = Terms.of(
        "https://redmine.example.org:8443/sub/?intake=A&intake=b&tracker=Support&field=ExternalID:12"
    )
    assert terms == Terms(
        url="https://redmine.example.org:8443/sub", intake=frozenset("Ab"), tracker="Support",
        fields={"ExternalID": 12},
    )  # fmt: skip


@pytest.mark.parametrize(
    "address", ["", "ftp://redmine.test/", "https:///x", "https://r.test/?field=ExternalID", "https://r.test:99999/"]
)  # fmt: skip
def test_what_is_no_address_is_final(address):
    with pytest.raises(Undelivered) as failure:
        Terms.of(address)
    assert (failure.value.code, failure.value.final) == ("bad-address", True)


def test_a_change_is_overtaken_by_a_later_one_of_ours_to_the_same():
    theirs = Change(id=2, status=Step(old="New", new="Resolved"))
    ours = [
        Change(id=1, by="us", status=Step(old="", new="New")),
        Change(id=3, by="us", priority=Step(old="Normal", new="High")),
        Change(id=4, by="us", text="and a word"),
    ]
    assert not overtaken(theirs, ours)
    later = Change(id=5, by="us", status=Step(old="Resolved", new="In Progress"))
    assert overtaken(theirs, [*ours, later])
    document = Theirs(change=theirs, issue=TheirIssue(id=2), overtaken=True)
    assert ADAPTER.read(documents.write(document)).overtaken
