"""What a ticket refuses beside illegal transitions: limits, words, outcomes without a text."""

from datetime import datetime
from uuid import uuid4

import pytest

from domain.content import commitment
from domain.errors import Invalid, NothingToDo, NotNow, TooLong, UnknownValue
from domain.identifiers import ticket_id
from domain.lifecycle import Status
from domain.ticket import Particulars, Ticket
from domain.vocabulary import (
    SOLVED_QUALIFIERS,
    UNSOLVED_QUALIFIERS,
    NotificationMode,
    Priority,
    TicketType,
    Visibility,
)  # fmt: skip
from tests.tickets import as_actor, in_status, opened


def open_with(**fields) -> Ticket:
    ticket = Ticket(ticket_id(1))
    with as_actor():
        ticket.open(1, **({"subject": "Jobs fail"} | fields))
    return ticket


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"subject": ""}, Invalid),
        ({"subject": " \n "}, Invalid),
        ({"subject": "x" * 256}, TooLong),
        ({"description": "x" * 4001}, TooLong),
        ({"description": "a zero \0 character"}, Invalid),
        ({"subject": "half a \ud83d character"}, Invalid),
        ({"problem_at": datetime(2026, 3, 2)}, Invalid),  # noqa: DTZ001 - a time without a zone
        ({"particulars": Particulars(type="WISH")}, UnknownValue),
        ({"particulars": Particulars(priority="high")}, UnknownValue),
        ({"particulars": Particulars(notification="never")}, UnknownValue),
        ({"particulars": Particulars(category="")}, Invalid),
        ({"particulars": Particulars(vo="x" * 101)}, TooLong),
        ({"particulars": Particulars(affected_site="FZK\0LCG2")}, Invalid),
        ({"particulars": Particulars(affected_site="FZK\nLCG2")}, Invalid),
        ({"particulars": Particulars(affected_site=" FZK")}, Invalid),
        ({"particulars": Particulars(vo_specific=True)}, Invalid),
    ],
)
def test_a_ticket_with_unsound_fields_is_not_opened(fields, error):
    ticket = Ticket(ticket_id(1))
    with as_actor(), pytest.raises(error):
        ticket.open(1, **({"subject": "Jobs fail"} | fields))
    assert not ticket.pending_events
    assert ticket.version == 0


def test_texts_may_be_as_long_as_their_limits_counted_in_characters():
    ticket = open_with(subject="ü" * 255, description="\N{GRINNING FACE}" * 4000)
    assert ticket.subject.size == 510
    assert ticket.description.size == 16_000


@pytest.mark.parametrize("type_", TicketType)
@pytest.mark.parametrize("priority", Priority)
def test_every_type_and_priority_can_be_opened(type_, priority):
    about = Particulars(
        type=type_.value, priority=priority.value, notification=NotificationMode.ON_EVERY_CHANGE.value,
        vo="atlas", vo_specific=True,
    )  # fmt: skip
    ticket = open_with(particulars=about)
    assert (ticket.type, ticket.priority, ticket.original_priority) == (type_, priority, priority)
    assert ticket.notification is NotificationMode.ON_EVERY_CHANGE


def test_priorities_are_ordered_from_low_to_high():
    assert [each.rank for each in Priority] == [0, 1, 2, 3]
    assert Priority.TOP_PRIORITY.rank == 3


TEXTS = {
    "question": (Status.NEW, lambda ticket, text: ticket.request_reply(text)),
    "reply": (Status.WAITING_FOR_REPLY, lambda ticket, text: ticket.record_reply(text)),
    "reason to hold": (Status.NEW, lambda ticket, text: ticket.put_on_hold(text)),
    "solution": (Status.NEW, lambda ticket, text: ticket.solve(text)),
    "reason to give up": (Status.NEW, lambda ticket, text: ticket.find_unsolvable(text)),
    "comment on reopening": (Status.SOLVED, lambda ticket, text: ticket.reopen(text)),
    "diary entry": (Status.NEW, lambda ticket, text: ticket.comment(text, Visibility.INTERNAL)),
    "reason to erase": (Status.NEW, lambda ticket, text: ticket.erase(uuid4(), text)),
    "justification": (
        Status.NEW,
        lambda ticket, text: ticket.reclassify("priority", "urgent", text),
    ),
}


@pytest.mark.parametrize("what", TEXTS)
def test_what_must_be_said_is_neither_empty_nor_too_long(what):
    status, say = TEXTS[what]
    ticket = in_status(status)
    version = ticket.version
    with as_actor():
        for text, error in (
            ("", Invalid),
            (" \t", Invalid),
            ("x" * 4001, TooLong),
            ("\0", Invalid),
        ):
            with pytest.raises(error):
                say(ticket, text)
        assert ticket.version == version
        say(ticket, "x" * 4000)
    assert ticket.version == version + 1


def test_notes_may_be_missing_but_not_too_long():
    for act in (lambda t, note: t.assign("NGI_DE", note=note), lambda t, note: t.start_work(note)):
        with as_actor():
            with pytest.raises(TooLong):
                act(opened(), "x" * 4001)
            act(opened(), "")


@pytest.mark.parametrize(
    ("act", "possible"),
    [(Ticket.solve, SOLVED_QUALIFIERS), (Ticket.find_unsolvable, UNSOLVED_QUALIFIERS)],
)
def test_an_outcome_has_a_text_and_a_known_qualifier(act, possible):
    with as_actor():
        for qualifier in possible:
            ticket = opened()
            act(ticket, "Said why", qualifier)
            assert ticket.qualifier == qualifier
            assert ticket.solution is not None
        with pytest.raises(UnknownValue) as refusal:
            act(opened(), "Said why", "because")
    assert refusal.value.possible == possible


def test_a_better_solution_replaces_the_first_by_way_of_reopening():
    ticket = opened()
    with as_actor():
        ticket.solve("Restarted")
        first = ticket.solution
        ticket.reopen("It is back")
        ticket.solve("Replaced", "fixed (work around)")
    assert ticket.solution != first
    assert ticket.qualifier == "fixed (work around)"


# -- reclassifying -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "attribute"),
    [
        ("category", "Test", "category"),
        ("issue_type", "Storage Systems", "issue_type"),
        ("vo", "atlas", "vo"),
        ("affected_site", "FZK-LCG2", "affected_site"),
    ],
)
def test_a_field_is_reclassified_without_a_reason(field, value, attribute):
    ticket = opened()
    with as_actor():
        ticket.reclassify(field, value)
        assert getattr(ticket, attribute) == value
        with pytest.raises(NothingToDo):
            ticket.reclassify(field, value)


def test_a_new_priority_needs_a_reason_and_leaves_the_original_one():
    ticket = opened()
    with as_actor():
        with pytest.raises(Invalid, match="justification"):
            ticket.reclassify("priority", "urgent")
        with pytest.raises(UnknownValue) as refusal:
            ticket.reclassify("priority", "high", "It burns")
        ticket.reclassify("priority", "top priority", "It burns")
    assert list(refusal.value.possible) == [each.value for each in Priority]
    assert ticket.priority is Priority.TOP_PRIORITY
    assert ticket.original_priority is Priority.LESS_URGENT


@pytest.mark.parametrize("field", ["type", "status", "unit", "id", "pending_events", "vo_specific"])
def test_nothing_else_can_be_reclassified(field):
    with as_actor(), pytest.raises(UnknownValue):
        opened().reclassify(field, "x")


@pytest.mark.parametrize("value", ["", " x", "x\0", "x" * 101, "two\nlines"])
def test_a_category_is_one_line(value):
    with as_actor(), pytest.raises(Invalid):
        opened().reclassify("category", value)


def test_a_vo_specific_ticket_cannot_lose_its_vo():
    ticket = opened(particulars=Particulars(vo="atlas", vo_specific=True))
    with as_actor():
        with pytest.raises(Invalid, match="VO specific"):
            ticket.reclassify("vo", "")
        ticket.reclassify("vo", "cms")
    assert ticket.vo == "cms"


# -- the person who works on it ----------------------------------------------------------------------


def test_a_ticket_is_taken_by_one_person_after_another_and_given_back():
    ticket, first, second = opened(), uuid4(), uuid4()
    with as_actor():
        with pytest.raises(NothingToDo):
            ticket.release()
        ticket.take(first)
        with pytest.raises(NothingToDo):
            ticket.take(first)
        ticket.take(second)
        assert ticket.assignee == second
        assert ticket.status is Status.NEW
        ticket.release()
    assert ticket.assignee is None


def test_a_solved_ticket_has_no_supporter_to_change():
    with as_actor(), pytest.raises(NotNow, match="reopen"):
        in_status(Status.SOLVED).take(uuid4())


# -- contents ----------------------------------------------------------------------------------------


def test_an_event_commits_to_its_text_and_does_not_hold_it():
    from domain.formats import encode

    ticket = open_with(subject="Secret subject")
    (event,), (content,) = ticket.pending_events, ticket.pending_contents
    assert b"Secret" not in encode(event)
    assert content.text() == "Secret subject"
    assert event.subject.id == content.id
    assert event.subject.commitment == content.commitment()
    assert event.subject.size == len(content.body)


def test_equal_texts_have_different_commitments():
    one, other = open_with(), open_with()
    assert one.subject.commitment != other.subject.commitment
    assert one.pending_contents[0].body == other.pending_contents[0].body


def test_no_other_division_of_the_same_bytes_has_the_same_commitment():
    """A zero byte alone as the border let a forged row show a part of the text as the original."""
    known = commitment(b"salt", "a", b"b\0c")
    assert known != commitment(b"salt", "a\0b", b"c")
    assert known != commitment(b"salta\0b", "", b"c")
    assert known != commitment(b"sal", "ta", b"b\0c")


def test_bytes_that_are_no_text_are_shown_all_the_same():
    from domain.content import seal

    _, content = seal(b"caf\xe9")
    assert content.text() == "caf\N{REPLACEMENT CHARACTER}"
