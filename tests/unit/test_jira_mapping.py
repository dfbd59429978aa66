"""Texts and documents of the adapter for Jira, without one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.helpdesks.jira.documents import DOCUMENTS, marked, property_of
from adapters.helpdesks.jira.mapping import Jira
from adapters.helpdesks.jira.outgoing import whole
from adapters.helpdesks.jira.rich_text import document, reading
from adapters.kit.contract import News, Unreadable
from domain.clock import now
from domain.lifecycle import Status
from domain.words import Table, Words
from tests.places import place_for
from tests.tickets import in_status

ADAPTER = Jira()
TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["doc", "paragraph", "text", "table", "x"])}
        )
        | st.dictionaries(st.sampled_from(["type", "content", "attrs", "text"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(raw):
    with suppress(Unreadable):
        ADAPTER.read(raw)


@given(st.lists(st.text("ab c*{}[]|_-ä\n", min_size=1, max_size=20), max_size=5))
def test_a_plain_text_survives_as_a_document(blocks):
    text = "\n\n".join(" ".join(each.split(" ")) for each in blocks)
    lines = [each.rstrip() for each in reading(document(text)).splitlines()]
    assert [each for each in lines if each] == [
        each.rstrip() for each in text.strip().splitlines() if each.strip()
    ]


@given(TREES)
def test_any_tree_reads_as_some_text(tree):
    assert isinstance(reading(tree), str)


def test_a_document_without_end_is_cut_and_not_followed():
    tree: dict = {"type": "paragraph", "content": []}
    tree["content"].append(tree)
    assert reading(tree) == ""


@pytest.mark.parametrize(
    ("value", "hops"),
    [({"external_id": "EGI-3", "event_id": "a.1@x", "hops": ["NGI-5", "EGI-3"]}, ["NGI-5", "EGI-3"]),
     ({"external_id": "EGI-3", "event_id": "a.1@x"}, []), ({"external_id": "EGI-3"}, None), ("words", None),
     ({"external_id": "EGI-3", "event_id": "a", "hops": ["not a hop"]}, None),
     ({"external_id": "EGI-3", "event_id": "a", "hops": ["A1-1"] * 30}, None)],
)  # fmt: skip
def test_a_mark_is_believed_only_when_it_is_one(value, hops):
    found = marked({"other": 1, property_of("EGI-3"): value})
    assert (found.hops if found else None) == hops


def _told(**terms) -> dict[str, str]:
    ticket = in_status(Status.ASSIGNED)
    words = terms.pop("words", ADAPTER.words)
    place = place_for(
        ADAPTER, words=words, their_units=terms["units"],
        their_address="https://a@jira.test/?project=OPS&type=Incident",
    )  # fmt: skip
    news = News(
        event=ticket.pending_events[-1], ticket=ticket, texts={}, whole=True, message_id="<a.1@x>", at=now(),
        place=place, hops=("EGI-3",),
    )  # fmt: skip
    told = whole(news)
    assert told.mark.hops == ["EGI-3", f"GGUS-{ticket.number}"]
    assert DOCUMENTS.read(ADAPTER.outbound(news) or b"") == told  # type: ignore[arg-type]
    return told.create or {}


def test_the_component_is_told_where_it_says_something():
    unit = in_status(Status.ASSIGNED).unit
    assert "component" not in _told(units=(unit,))
    assert _told(units=(unit, "ROC_IT"))["component"] == unit
    units = Table(ours={unit: "Team Moon"})
    named = Words(states=ADAPTER.words.states, priorities=ADAPTER.words.priorities, units=units)
    assert _told(units=(unit,), words=named)["component"] == "Team Moon"
    silent = Table(ours=dict.fromkeys(ADAPTER.words.priorities.ours, ""))
    quiet = _told(units=(unit,), words=Words(states=ADAPTER.words.states, priorities=silent))
    assert quiet == {"project": "OPS", "issuetype": "Incident", "summary": quiet["summary"]}
