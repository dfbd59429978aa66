"""Asking a search round by round: each change is told once, as much at a time as may be held."""

from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from adapters.helpdesks.jira.poller import Cursor
from adapters.kit.attaching import PAGE_BYTES_MAX
from adapters.kit.searching import OVERLAP, Rounds, last_said

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Change(Struct, frozen=True):
    id: str


class Document(Struct, frozen=True):
    change: Change


async def small(document: Document) -> bytes:
    return document.change.id.encode()


async def large(document: Document) -> bytes:
    return document.change.id.encode() * PAGE_BYTES_MAX


def found(*names: str) -> list[tuple[datetime, Document]]:
    return [(NOON + number * MINUTE, Document(Change(name))) for number, name in enumerate(names)]


async def test_what_is_too_much_at_once_is_told_next_time_and_nothing_twice():
    at = Rounds(began_at=NOON, asked_at=NOON)
    [first] = await at.tell("1", "now", found("a", "b"), large)
    assert (first.message_id, at.is_news("1", "now")) == ("a", True)
    [second] = await at.tell("1", "now", found("a", "b"), large)
    assert (second.message_id, at.is_news("1", "now")) == ("b", False)


async def test_changes_are_told_in_the_order_in_which_they_happened():
    at = Rounds(began_at=NOON, asked_at=NOON)
    told = await at.tell("1", "now", reversed(found("a", "b", "c")), small)
    assert [each.message_id for each in told] == ["a", "b", "c"]


def test_a_round_asks_from_before_the_last_one_began_and_forgets_what_it_cannot_find_again():
    at = Rounds(began_at=NOON, asked_at=NOON)
    minutes = at.begin(NOON + 5 * MINUTE)
    since = at.since(minutes, NOON + 6 * MINUTE, NOON + 6 * MINUTE)
    assert since == NOON - OVERLAP
    at.looked_at("late", (since - OVERLAP).isoformat())
    at.looked_at("too late", (since - 2 * OVERLAP).isoformat())
    at.end(since)
    assert (list(at.told), at.asked_at) == (["late"], NOON + 5 * MINUTE)


def test_a_cursor_that_was_kept_before_rounds_were_shared_goes_on():
    old = b"""{"began_at": "2026-06-01T12:00:00Z", "asked_at": "2026-06-01T12:00:00Z", "minutes": 10, "token": "",
        "told": {"7": {"updated": "2026-06-01T12:00:00.000+0000", "changes": ["comment:1"]}}}"""
    at = msgspec.json.decode(old, type=Cursor)
    assert at.told["7"].changes == ["comment:1"]


def test_the_text_of_an_outcome_is_the_last_one_since_the_ticket_was_reopened():
    texts = [(NOON, "first"), (NOON + 2 * MINUTE, "second"), (NOON + 9 * MINUTE, "third")]
    assert last_said(texts, NOON + 5 * MINUTE, []) == "second"
    assert last_said(texts, NOON + 5 * MINUTE, [NOON + 3 * MINUTE]) is None
    assert last_said(texts, NOON + 9 * MINUTE - timedelta(seconds=3), []) == "third"
