"""Words as data: reading and writing, versions of tables, what survives there and back."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kit.mappings import BYTES_MAX, read_tables
from adapters.kit.round_trip import as_markdown, round_trip
from adapters.registry import ADAPTERS
from domain.errors import Invalid, NothingToDo
from domain.formats import decode, encode
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.lifecycle import Status
from domain.vocabulary import Priority
from domain.words import Change, Table, Tables, Words, changes, checked, complete
from tests.tickets import as_actor

ALL = {status.value: "open" for status in Status}
WHOLE = Words(
    states=Table(theirs={"open": "in progress", "shut": "solved", "odd": ""}, ours=ALL),
    priorities=Table(theirs={"0-9": "urgent"}, ours={each.value: "5" for each in Priority}),
)


@pytest.mark.parametrize(
    ("word", "ours"),
    [("26-50", "urgent"), ("26", "urgent"), ("50", "urgent"), ("51", None), ("025", None), ("", None),
     ("٣٠", None), ("-30", None), ("3 0", None), ("26" * 200, None)],
)  # fmt: skip
def test_a_number_is_read_in_the_range_that_it_is_in(word, ours):
    assert Table(theirs={"26-50": "urgent"}).read(word) == ours


def test_a_table_that_is_given_takes_the_place_of_a_whole_one_and_others_stay():
    own = Tables(states=Table(theirs={"a": "solved"}))
    assert own.over(WHOLE).states == own.states
    assert own.over(WHOLE).priorities == WHOLE.priorities
    assert Tables().over(WHOLE) == WHOLE


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (Words(states=Table(theirs={"a": "on fire"})), "on fire"),
        (Words(priorities=Table(ours={"yesterday": "1"})), "yesterday"),
        (Words(units=Table(theirs={"a\nb": "x"})), "printable"),
        (Words(units=Table(theirs={"a": "\N{GRINNING FACE}"})), "printable"),
        (Words(units=Table(theirs={"a" * 101: "x"})), "printable"),
        (Words(units=Table(theirs={str(n): "x" for n in range(501)})), "more than 500"),
        (
            Words(priorities=Table(theirs={"0-26": "urgent", "26-50": "less urgent"})),
            "overlap at 26",
        ),
    ],
)
def test_tables_with_words_that_nobody_has_are_refused(words, why):
    with pytest.raises(Invalid, match=why):
        checked(words)


def test_what_is_published_says_what_becomes_of_every_status_and_can_be_read_again():
    assert complete(WHOLE) == WHOLE
    for states, why in (
        (Table(theirs={"open": "solved"}, ours={"new": "open"}), "is written for: assigned"),
        (Table(theirs={}, ours=ALL), "cannot read it again"),
    ):
        with pytest.raises(Invalid, match=why):
            complete(Tables(states=states).over(WHOLE))


def test_two_versions_differ_in_single_words():
    now = Tables(states=Table(theirs={"open": "on hold", "odd": "", "new": "assigned"}, ours=ALL))
    assert changes(WHOLE, now.over(WHOLE)) == [
        Change("states", "theirs", "new", None, "assigned"),
        Change("states", "theirs", "open", "in progress", "on hold"),
        Change("states", "theirs", "shut", "solved", None),
    ]


def test_versions_are_counted_and_end_with_the_adapter():
    with as_actor():
        desk = Helpdesk(random_id())
        desk.register("osg", "osg_mail")
        tables = Tables(states=WHOLE.states)
        desk.publish_mapping("osg_mail@1", tables)
        with pytest.raises(NothingToDo):
            desk.publish_mapping("osg_mail@1", tables)
        desk.publish_mapping("osg_mail@1", Tables(), "Back to the usual ones.")
        assert (desk.mapping_version, desk.tables) == (2, Tables())
        desk.register("osg", "rt", address="https://bridge@rt.example.org/")
        assert desk.mapping_version == 0
        desk.publish_mapping("rt@1", tables)
        assert desk.mapping_version == 3


def test_the_report_says_what_becomes_of_a_ticket_whose_status_they_do_not_have():
    [states, priorities, *_] = round_trip(ADAPTERS["rt"].words).tables
    found = {each.ours: (each.outcome, each.becomes) for each in states.ours}
    assert found["assigned"] == ("survives", "assigned")
    assert found["reopened"] == ("stays", "reopened"), "in progress does not drag it back"
    assert found["waiting for reply"] == ("changes", "on hold")
    assert found["verified"] == ("stays", "verified")
    assert {each.outcome for each in priorities.ours} == {"survives"}
    assert all(each.survives for each in priorities.theirs), "a number stays within its range"


def test_the_report_tells_what_is_not_told_not_read_and_overwritten():
    words = Words(
        states=Table(
            theirs={"open": "in progress", "vendor": "in progress", "odd": ""},
            ours={"new": "", "assigned": "odd", "in progress": "open", "solved": "done"},
        )
    )
    [states, *_] = round_trip(words).tables
    assert {each.ours: each.outcome for each in states.ours} == {
        "new": "not told", "assigned": "moves nothing", "in progress": "survives", "solved": "unknown",
    }  # fmt: skip
    assert [each.theirs for each in states.theirs if not each.survives] == ["vendor"]
    page = as_markdown(round_trip(words))
    assert "Our states that survive: in progress." in page
    assert "| vendor | in progress | open |" in page
    assert "| solved | done | (parked) | solved |" in page


_WORD = st.text(max_size=12).filter(
    lambda word: word.isprintable() and max(word, default="") <= "\uffff"
)
_STATUS = st.sampled_from([status.value for status in Status])
_TABLES = st.builds(
    Tables,
    states=st.none() | st.builds(
        Table, theirs=st.dictionaries(_WORD, _STATUS | st.just("")), ours=st.dictionaries(_STATUS, _WORD)
    ),
    units=st.none() | st.builds(
        Table, theirs=st.dictionaries(_WORD, _WORD), ours=st.dictionaries(_WORD, _WORD)
    ),
)  # fmt: skip


@given(_TABLES)
def test_whatever_tables_there_are_they_are_kept_compared_and_reported_on(tables):
    words = checked(tables.over(WHOLE))
    with as_actor():
        desk = Helpdesk(random_id())
        desk.register("osg", "osg_mail")
        if tables != Tables():
            desk.publish_mapping("osg_mail@1", tables)
    event = desk.pending_events[-1]
    assert decode(encode(event)) == event
    assert read_tables(msgspec.json.encode(tables)) == tables
    assert (changes(WHOLE, words) == []) == (words == WHOLE)
    for kind in round_trip(words).tables:
        assert len(kind.ours) == len(getattr(words, kind.name).ours)
        for each in kind.ours:
            assert (each.outcome in ("survives", "stays")) <= (each.becomes == each.ours)
    assert as_markdown(round_trip(words))


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"{", b'{"states": []}', b'{"states": {"theirs": {"a": 1}}}', b"\xff", b"[" * 100_000,
     b'{"state": {}}', b'{"states": {"their": {}}}', b" " * (BYTES_MAX + 1)],
)  # fmt: skip
def test_a_file_that_holds_no_tables_is_refused(raw):
    with pytest.raises(Invalid):
        read_tables(raw)


def test_tables_are_read_as_they_are_shown():
    assert read_tables(msgspec.json.encode(WHOLE)).over(Words()) == WHOLE
    assert read_tables(b'{"units": {"ours": {"ROC_DE": "DE"}}}').units == Table(
        ours={"ROC_DE": "DE"}
    )
