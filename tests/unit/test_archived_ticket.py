"""What an archive's snapshots make happen."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.archive import ArchivedTicket, Snapshot
from domain.formats import decode, encode, topic_of
from domain.identifiers import ticket_id
from domain.lifecycle import Status
from domain.provenance import Provenance, acting
from domain.ticket import Particulars, Ticket

BEGIN = datetime(2020, 3, 2, 9, tzinfo=UTC)
ANNA, BEN = UUID(int=1), UUID(int=2)
NEW = {"status": Status.NEW}
ACTIVE = {"status": Status.IN_PROGRESS, "unit": "alpha"}
HELD = {"status": Status.ON_HOLD, "unit": "alpha", "waits_for": "a part"}
SOLVED = {"status": Status.SOLVED, "unit": "alpha"}
CLOSED = {"status": Status.CLOSED, "unit": "alpha"}


def told(*shown: dict) -> tuple[ArchivedTicket, list[list[str]]]:
    """The ticket after these snapshots, and the topics (without "ticket.") that each of them added."""
    ticket = ArchivedTicket(ticket_id(5))
    topics = []
    for minute, each in enumerate([None, *shown]):
        with acting(
            Provenance(actor="import:test", command_id=uuid4(), correlation_id="t"),
            BEGIN + timedelta(minutes=minute),
        ):
            if each is None:
                ticket.open_from_archive(5, submitter=None, particulars=Particulars())
            else:
                ticket.follow(Snapshot(**each))
        topics.append(
            [topic_of(event).removeprefix("ticket.") for event in ticket.collect_events()]
        )
    return ticket, topics[1:]


@pytest.mark.parametrize(
    ("before", "after", "topics", "status"),
    [
        ([], NEW, ["updated-elsewhere"], Status.NEW),
        ([], NEW | {"unit": "alpha"}, ["assigned"], Status.ASSIGNED),
        ([], ACTIVE, ["assigned", "work-started"], Status.IN_PROGRESS),
        ([], {"status": Status.IN_PROGRESS}, ["work-started"], Status.IN_PROGRESS),
        ([], SOLVED | {"assignee": ANNA}, ["assigned", "taken", "solved"], Status.SOLVED),
        ([], {"status": Status.CLOSED}, ["closed"], Status.CLOSED),
        ([NEW | {"unit": "alpha"}], NEW | {"unit": "beta"}, ["assigned"], Status.ASSIGNED),
        ([NEW | {"unit": "alpha"}], NEW, ["assigned"], Status.ASSIGNED),
        ([NEW | {"unit": "alpha"}], ACTIVE, ["work-started"], Status.IN_PROGRESS),
        ([ACTIVE], ACTIVE, ["updated-elsewhere"], Status.IN_PROGRESS),
        ([ACTIVE], ACTIVE | {"unit": "beta"}, ["handed-over"], Status.IN_PROGRESS),
        ([ACTIVE], HELD | {"unit": "beta"}, ["assigned", "put-on-hold"], Status.ON_HOLD),
        ([ACTIVE], {"status": None, "unit": "alpha"}, ["updated-elsewhere"], Status.IN_PROGRESS),
        ([ACTIVE], NEW | {"unit": "alpha"}, ["assigned"], Status.ASSIGNED),
        ([ACTIVE], ACTIVE | {"assignee": ANNA}, ["taken"], Status.IN_PROGRESS),
        ([HELD], HELD, ["updated-elsewhere"], Status.ON_HOLD),
        ([HELD], HELD | {"waits_for": "news", "waits_anew": True}, ["put-on-hold"], Status.ON_HOLD),
        ([HELD], ACTIVE | {"waits_anew": True}, ["work-started"], Status.IN_PROGRESS),
        ([SOLVED], SOLVED | {"unit": "beta"}, ["handed-over"], Status.SOLVED),
        ([SOLVED], ACTIVE, ["reopened", "work-started"], Status.IN_PROGRESS),
        ([SOLVED], ACTIVE | {"unit": "beta"}, ["reopened", "assigned", "work-started"], Status.IN_PROGRESS),
        ([SOLVED], CLOSED, ["closed"], Status.CLOSED),
        ([SOLVED, CLOSED], ACTIVE, ["reopened", "work-started"], Status.IN_PROGRESS),
        ([SOLVED, CLOSED], CLOSED | {"assignee": ANNA}, ["taken"], Status.CLOSED),
        (
            [ACTIVE],
            ACTIVE | {"status": Status.WAITING_FOR_REPLY, "missing_versions": 3},
            ["history-gap", "reply-requested"],
            Status.WAITING_FOR_REPLY,
        ),
        ([ACTIVE], ACTIVE | {"missing_versions": 1}, ["history-gap", "updated-elsewhere"], Status.IN_PROGRESS),
        (
            [ACTIVE],
            ACTIVE | {"particulars": {"priority": "urgent", "affected_site": "here"}},
            ["reclassified", "reclassified"],
            Status.IN_PROGRESS,
        ),
    ],
)  # fmt: skip
def test_the_difference_between_two_snapshots_is_what_happened(before, after, topics, status):
    ticket, all_topics = told(*before, after)

    assert all_topics[-1] == topics
    assert ticket.status is status


def test_a_supporter_stays_with_a_ticket_that_is_handed_over_and_returns_to_one_that_is_assigned():
    taken = ACTIVE | {"assignee": ANNA}

    handed, topics = told(taken, taken | {"unit": "beta"})
    assert topics[-1] == ["handed-over"]
    assert handed.assignee == ANNA

    held = HELD | {"unit": "beta", "assignee": ANNA}
    assigned, topics = told(taken, held)
    assert topics[-1] == ["assigned", "taken", "put-on-hold"]
    assert assigned.assignee == ANNA


def test_a_supporter_can_change_and_go():
    ticket, topics = told(ACTIVE | {"assignee": ANNA}, ACTIVE | {"assignee": BEN}, ACTIVE)

    assert topics[1:] == [["taken"], ["released"]]
    assert ticket.assignee is None


def test_no_text_is_made_up():
    ticket, _ = told(ACTIVE, ACTIVE | {"status": Status.WAITING_FOR_REPLY}, SOLVED, ACTIVE, CLOSED)

    assert ticket.pending_contents == []
    assert ticket.solution is None


def test_the_normal_ticket_replays_what_an_archive_told():
    followed = ArchivedTicket(ticket_id(5))
    with acting(Provenance(actor="import:test", command_id=uuid4(), correlation_id="t"), BEGIN):
        followed.open_from_archive(5, submitter=ANNA, particulars=Particulars())
        for shown in (ACTIVE, HELD, SOLVED, CLOSED, ACTIVE | {"unit": "beta", "assignee": BEN}):
            followed.follow(Snapshot(**shown))
    events = [decode(encode(event)) for event in followed.collect_events()]

    again = Ticket.replay(followed.id, events)
    assert again.state() == followed.state()
    assert again.reopenings == 1
