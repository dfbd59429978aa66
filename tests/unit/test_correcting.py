"""What puts a ticket right after its partner's state was read wrongly."""

import pytest

from adapters.kit.correcting import correction
from domain.commands import FindUnsolvable, PutOnHold, Reopen, Solve, StartWork
from domain.lifecycle import Status
from domain.words import Table, Words
from tests.tickets import in_status


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
    found = correction(words(was), words(means), "In_Repair", in_status(ours), "why")
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
    found = correction(words(was), words(means), "in repair", in_status(ours), "why")
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
    assert correction(words(was), words(means), "in repair", in_status(ours), "why") is None
