"""What puts a ticket right after its partner's messages were read wrongly."""

import pytest

from adapters.kit.correcting import Changed, Heard, Since, commands_of, state_correction
from adapters.kit.correcting_fields import TwoReadings
from domain import commands as c
from domain.commands import FindUnsolvable, PutOnHold, Reopen, Solve, StartWork
from domain.identifiers import random_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.words import Table, Words
from tests.tickets import in_status

PARTNER, SOMEBODY = "helpdesk:osg", "user:somebody"
HEARD = Heard(reference=2, message_id="<1@osg>", position=100, command=random_id())


def since(**changes: Changed) -> Since:
    return Since(changes=changes, partner=PARTNER, publications=frozenset({"event:50"}))


def by(actor: str, position: int, causation: str = "") -> Changed:
    return Changed(position=position, command=random_id(), actor=actor, causation=causation)


def corrected(was: str, means: str, ours: Status, changes: Since | None = None):
    ticket = in_status(ours)
    return state_correction(
        words(was), words(means), "In_Repair", HEARD, ticket, changes or since(), "why"
    )


def words(means: str) -> Words:
    return Words(states=Table(theirs={"in repair": means}))


@pytest.mark.parametrize(
    ("was", "means", "ours", "commands"),
    [
        ("solved", "on hold", Status.SOLVED, [Reopen, PutOnHold]),
        ("solved", "in progress", Status.SOLVED, [Reopen, StartWork]),
        ("solved", "assigned", Status.SOLVED, [Reopen]),
        ("solved", "unsolved", Status.SOLVED, [Reopen, FindUnsolvable]),
        ("on hold", "solved", Status.ON_HOLD, [Solve]),
        ("on hold", "in progress", Status.ON_HOLD, [StartWork]),
        ("", "solved", Status.IN_PROGRESS, [Solve]),
    ],
)
def test_a_ticket_is_led_to_what_the_word_means_now(was, means, ours, commands):
    found = corrected(was, means, ours)
    assert found is not None
    assert [type(command) for command in found.commands] == commands
    assert (found.was, found.means, found.left) == (was, means, "")


@pytest.mark.parametrize(
    ("was", "means", "ours", "left"),
    [
        ("solved", "on hold", Status.CLOSED, "final"),
        ("solved", "on hold", Status.IN_PROGRESS, "moved-on"),
        ("in progress", "assigned", Status.IN_PROGRESS, "no-step"),
        ("in progress", "reopened", Status.IN_PROGRESS, "no-step"),
    ],
)
def test_what_cannot_be_led_there_is_left_to_a_person(was, means, ours, left):
    found = corrected(was, means, ours)
    assert found is not None
    assert (found.left, list(found.commands)) == (left, [])


@pytest.mark.parametrize(
    ("was", "means", "ours"),
    [
        ("solved", "solved", Status.SOLVED),
        ("solved", "", Status.SOLVED),
        ("solved", "on hold", Status.ON_HOLD),
        ("", "in progress", Status.ON_HOLD),
    ],
)
def test_where_nothing_differs_nothing_is_done(was, means, ours):
    assert corrected(was, means, ours) is None


@pytest.mark.parametrize(
    ("last", "left"),
    [
        (by(SOMEBODY, 200), "moved-on"),
        (by("helpdesk:other", 200), "moved-on"),
        (by(SOMEBODY, 50), ""),
        (by(SOMEBODY, 200, "event:50"), ""),
    ],
)
def test_who_moved_the_ticket_since_had_a_reason_even_if_it_came_back(last, left):
    found = corrected("solved", "on hold", Status.SOLVED, since(state=last))
    assert found is not None
    assert (found.left, found.since) == (left, last.actor if left else "")


def reclassify(value: str, field: str = "priority") -> c.Reclassify:
    return c.Reclassify(number=1, field=field, value=value)


def heard(position: int) -> Heard:
    return Heard(
        reference=position, message_id=f"<{position}>", position=position, command=random_id()
    )


def fields(
    *messages: tuple[list[c.Command], list[c.Command]], ticket: Ticket, withheld=()
) -> TwoReadings:
    """Each message as it was read and as it would be; all while the ticket was as it is."""
    readings = TwoReadings()
    for position, (was, means) in enumerate(messages, 1):
        readings.note(heard(position), was, means, ticket, withheld)
    return readings


def test_the_last_message_about_a_field_decides_what_it_becomes():
    ticket = in_status(Status.ASSIGNED)
    readings = fields(
        ([reclassify("urgent")], [reclassify("top priority")]),
        ([], [reclassify("very urgent")]),
        ([c.Comment(number=1, text="x")], [c.Comment(number=1, text="x")]),
        ticket=ticket,
    )
    [found] = readings.corrections(ticket, since(), "why", frozenset())
    assert (found.field, found.means, found.reference, found.left) == (
        "priority",
        "very urgent",
        2,
        "",
    )
    assert found.commands == [
        c.Reclassify(
            number=ticket.number, field="priority", value="very urgent", justification="why"
        )
    ]


@pytest.mark.parametrize(
    ("changes", "denied", "withheld", "left"),
    [
        (since(priority=by(SOMEBODY, 200)), frozenset(), (), "moved-on"),
        (since(priority=by(SOMEBODY, 200, "event:50")), frozenset(), (), ""),
        (since(), frozenset({"priority"}), (), "ours-only"),
        (since(priority=by(PARTNER, 200)), frozenset(), (), None),
        (since(), frozenset(), ("priority:origin@1",), None),
        (since(), frozenset(), ("Assign.unit:unknown",), ""),
    ],
)
def test_a_field_is_not_taken_from_whoever_changed_it(changes, denied, withheld, left):
    ticket = in_status(Status.ASSIGNED)
    message = ([reclassify("urgent")], [reclassify("top priority")])
    readings = fields(message, ticket=ticket, withheld=withheld)
    found = readings.corrections(ticket, changes, "why", denied)
    assert [each.left for each in found] == ([] if left is None else [left])


def test_a_ticket_that_differs_is_shown_to_the_next_message():
    ticket = in_status(Status.ASSIGNED)
    ticket.pending_events.clear()
    readings = fields(([reclassify("urgent")], [reclassify("top priority")]), ticket=ticket)
    as_it_would_be = readings.ticket(ticket)
    assert as_it_would_be is not None
    assert (as_it_would_be.priority.value, ticket.priority.value) == ("top priority", "less urgent")


@pytest.mark.parametrize(
    ("status", "commands"),
    [
        (Status.ASSIGNED, [c.Assign]),
        (Status.IN_PROGRESS, [c.Assign, StartWork]),
        (Status.ON_HOLD, [c.Assign, PutOnHold]),
        (Status.SOLVED, []),
    ],
)
def test_another_unit_takes_the_ticket_in_the_state_that_it_is_in(status, commands):
    ticket = in_status(status)
    was, means = [c.Assign(number=1, unit="A")], [c.Assign(number=1, unit="B")]
    [found] = fields((was, means), ticket=ticket).corrections(ticket, since(), "why", frozenset())
    assert [type(each) for each in found.commands] == commands
    assert found.left == ("" if commands else "no-step")


def test_a_unit_that_worked_on_the_ticket_keeps_it():
    ticket = in_status(Status.IN_PROGRESS)
    was, means = [c.Assign(number=1, unit="A")], [c.Assign(number=1, unit="B")]
    worked = since(state=by(SOMEBODY, 200))
    [found] = fields((was, means), ticket=ticket).corrections(ticket, worked, "why", frozenset())
    assert (found.left, found.since) == ("moved-on", SOMEBODY)


def test_all_fields_of_a_ticket_are_put_right_together_and_the_state_last():
    ticket = in_status(Status.IN_PROGRESS)
    message = (
        [c.Assign(number=1, unit="A"), reclassify("urgent")],
        [c.Assign(number=1, unit="B"), reclassify("top priority")],
    )
    found = fields(message, ticket=ticket).corrections(ticket, since(), "why", frozenset())
    state = corrected("in progress", "on hold", Status.IN_PROGRESS)
    assert state is not None
    assert [type(each) for each in commands_of([state, *found])] == [
        c.Reclassify,
        c.Assign,
        PutOnHold,
    ]
