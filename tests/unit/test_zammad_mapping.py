"""Documents and texts of the adapter for Zammad, without one."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.helpdesks.zammad.documents import event_id, hops, mark
from adapters.helpdesks.zammad.mapping import Zammad
from adapters.kit.contract import Asked, Before, Reading, Unreadable
from domain.commands import Comment, RequestReply
from domain.lifecycle import Status
from domain.words import Table, Words
from tests.places import place_for
from tests.tickets import in_status

ADAPTER = Zammad()


def asked(change: dict, words: Words = ADAPTER.words, **about):
    raw = msgspec.json.encode({
        "from": "theirs", "change": {"id": "history:1", **change}, "ticket": {"id": 2}, **about,
    })  # fmt: skip
    reading = ADAPTER.read(raw)
    assert isinstance(reading, Reading)
    ticket = in_status(Status.IN_PROGRESS)
    return ADAPTER.inbound(reading, ticket, Before(), place_for(ADAPTER, words=words))


@given(st.binary(max_size=400))
def test_whatever_comes_is_read_or_refused(raw):
    with suppress(Unreadable):
        ADAPTER.read(raw)


def test_a_mark_says_where_news_came_through_and_which_message_it_is():
    subject = mark(("EGI-3", "NGI-5"), "GGUS-17", "0a1b.7@hub.test")
    assert subject == "EGI-3 NGI-5 GGUS-17 0a1b.7@hub.test"
    assert hops(subject) == ("EGI-3", "NGI-5", "GGUS-17")
    assert event_id(subject) == "0a1b.7@hub.test"
    assert mark(("EGI-3", "GGUS-17"), "GGUS-17", "a.1@x") == "EGI-3 GGUS-17 a.1@x"


@pytest.mark.parametrize("subject", ["", "Re: GGUS-17", "GGUS-17", "a.1@x", "x GGUS-17 a.1@x"])
def test_a_subject_that_is_no_mark_says_nothing(subject):
    assert (hops(subject), event_id(subject)) == ((), "")


@given(st.text(max_size=60))
def test_any_subject_is_read(subject):
    assert bool(hops(subject)) == bool(event_id(subject))


def test_a_state_with_a_table_of_its_own_becomes_what_the_table_says():
    words = Words(
        states=Table(theirs={"open": "in progress", "with customer": "waiting for reply"}),
        priorities=ADAPTER.words.priorities,
    )
    outcome = asked(
        {"kind": "state", "old": "open", "new": "with customer"}, words, reply="<b>Which</b> one?<br>x",
        reply_media_type="text/html",
    )  # fmt: skip
    assert isinstance(outcome, Asked)
    [command] = outcome.commands
    assert isinstance(command, RequestReply)
    assert command.question == "Which one?\nx"


def test_texts_that_no_database_can_hold_are_made_to_fit():
    outcome = asked({"kind": "article"}, text="a\0b" + "x" * 9000)
    assert isinstance(outcome, Asked)
    [command] = outcome.commands
    assert isinstance(command, Comment)
    assert command.text.startswith("a\ufffdbx")
    assert len(command.text) <= 4000
