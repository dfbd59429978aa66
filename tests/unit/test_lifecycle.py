"""The lifecycle table, and the ticket that follows it."""

import itertools

import pytest

from domain.errors import NothingToDo, NotNow, TransitionNotAllowed
from domain.lifecycle import BALL, FINAL, OPEN, POSSIBLE, STEPS, TERMINAL, Action, Ball, Status
from domain.ticket import Ticket
from domain.vocabulary import TPM, Visibility
from tests.tickets import DO, as_actor, in_status, opened

EVERY_CASE = list(itertools.product(Status, Action))

PERMITTED_FROM = {
    # the table of the reference, written down a second time
    Status.NEW: "assign start-work request-reply put-on-hold solve find-unsolvable",
    Status.ASSIGNED: "assign start-work request-reply put-on-hold solve find-unsolvable",
    Status.IN_PROGRESS: "assign request-reply put-on-hold solve find-unsolvable",
    Status.WAITING_FOR_REPLY: "assign start-work record-reply put-on-hold solve find-unsolvable",
    Status.ON_HOLD: "assign start-work request-reply solve find-unsolvable",
    Status.REOPENED: "assign start-work request-reply put-on-hold solve find-unsolvable",
    Status.SOLVED: "verify reopen close",
    Status.UNSOLVED: "verify reopen close",
    Status.VERIFIED: "",
    Status.CLOSED: "",
}


def test_the_table_is_complete_and_divides_the_statuses():
    assert set(STEPS) == set(Action)
    assert set(POSSIBLE) == set(BALL) == set(Status) == set(PERMITTED_FROM)
    assert set(Status) == OPEN | TERMINAL
    assert not OPEN & TERMINAL
    assert {Status.VERIFIED, Status.CLOSED} == FINAL


@pytest.mark.parametrize("status", Status)
def test_every_status_permits_what_the_reference_says(status):
    assert {each.value for each in POSSIBLE[status]} == set(PERMITTED_FROM[status].split())


def test_every_status_is_reached_from_a_new_ticket_and_none_leads_back_to_new():
    reached = {Status.NEW}
    while True:
        further = {STEPS[action][1] for status in reached for action in POSSIBLE[status]}
        if further <= reached:
            break
        reached |= further
    assert reached == set(Status)
    assert Status.NEW not in {target for _, target in STEPS.values()}


@pytest.mark.parametrize("status", Status)
def test_nobody_holds_the_ball_of_a_ticket_that_is_done(status):
    assert (BALL[status] is Ball.NOBODY) == (status in TERMINAL)


@pytest.mark.parametrize(("status", "action"), EVERY_CASE)
def test_a_ticket_takes_exactly_the_steps_of_the_table(status, action):
    ticket = in_status(status)
    before = ticket.state()
    with as_actor():
        if action in POSSIBLE[status]:
            DO[action](ticket)
            assert ticket.status is STEPS[action][1]
            return
        with pytest.raises((TransitionNotAllowed, NothingToDo)) as refusal:
            DO[action](ticket)
    assert list(refusal.value.possible) == sorted(each.value for each in POSSIBLE[status])
    repeated = STEPS[action][1] is status and action is not Action.RECORD_REPLY
    assert isinstance(refusal.value, NothingToDo) == repeated
    assert ticket.state() == before


def test_a_reply_that_nobody_waits_for_is_never_called_nothing_to_do():
    """Whoever treats NothingToDo as success would lose the text of the reply."""
    ticket = in_status(Status.IN_PROGRESS)
    with as_actor(), pytest.raises(TransitionNotAllowed):
        ticket.record_reply("Version 3")


@pytest.mark.parametrize("status", sorted(FINAL, key=lambda status: status.value))
@pytest.mark.parametrize(
    "act",
    [
        lambda ticket: ticket.comment("One more thing", Visibility.PUBLIC),
        lambda ticket: ticket.reclassify("category", "Test"),
        lambda ticket: ticket.take(ticket.id),
        lambda ticket: ticket.release(),
        lambda ticket: ticket.end_site_notification(),
    ],
    ids=["comment", "reclassify", "take", "release", "end site notification"],
)
def test_a_final_ticket_takes_nothing_more(status, act):
    ticket = in_status(status)
    with as_actor(), pytest.raises(NotNow, match="final"):
        act(ticket)


def test_a_new_assignment_starts_at_assigned_with_nobody_in_person():
    ticket = in_status(Status.IN_PROGRESS)
    with as_actor():
        ticket.take(ticket.id)
        ticket.assign("NGI_DE")
    assert (ticket.status, ticket.unit, ticket.assignee) == (Status.ASSIGNED, "NGI_DE", None)


def test_assigning_to_the_responsible_unit_again_is_nothing_to_do():
    ticket = opened()
    with as_actor(), pytest.raises(NothingToDo):
        ticket.assign(TPM)


def test_assigning_a_closed_ticket_to_its_own_unit_is_refused_as_a_transition():
    ticket = in_status(Status.CLOSED)
    with as_actor(), pytest.raises(TransitionNotAllowed):
        ticket.assign(ticket.unit)


def test_a_reopened_ticket_counts_its_reopenings_and_keeps_its_unit():
    ticket = opened()
    with as_actor():
        ticket.assign("NGI_DE")
        for _ in range(2):
            ticket.solve("Restarted")
            ticket.reopen("It is back")
    assert (ticket.reopenings, ticket.unit, ticket.status) == (2, "NGI_DE", Status.REOPENED)


def test_a_reminder_ends_with_the_status_it_belongs_to():
    from datetime import date

    ticket = opened()
    with as_actor():
        ticket.put_on_hold("Waits for a part", date(2026, 4, 1))
        assert ticket.remind_on == date(2026, 4, 1)
        ticket.start_work()
    assert ticket.remind_on is None


def test_a_fork_is_decided_on_without_touching_the_original():
    ticket = opened()
    ticket.collect_events()
    ticket.pending_contents.clear()
    fork = ticket.fork()
    with as_actor():
        fork.solve("Restarted")
    assert (ticket.status, ticket.version) == (Status.NEW, 1)
    assert not ticket.pending_events
    assert not ticket.pending_contents
    assert Ticket.replay(ticket.id, fork.pending_events).version == fork.version
