"""The library's own tests of a recorder, run on ours; and programs of the library on our log."""

import sys
import time
from collections.abc import Iterator
from types import ModuleType
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, Tracking
from eventsourcing.popo import POPOTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner

from adapters.store.application import LedgerApplication
from adapters.store.recorder import LedgerRecorder
from domain.identifiers import ticket_id
from domain.provenance import Provenance, acting
from domain.ticket import Ticket

# The library's tests import its AES cipher, which needs a package that neither they nor we use here.
_cipher = ModuleType("eventsourcing.cipher")
_cipher.AESCipher = object
sys.modules.setdefault("eventsourcing.cipher", _cipher)

from eventsourcing.tests import persistence as library_tests  # noqa: E402


class _OnFreshDatabase:
    @pytest.fixture(autouse=True)
    def _on_fresh_database(self, database: str) -> Iterator[None]:
        self.recorder = LedgerRecorder(database)
        yield
        self.recorder.close()

    def create_recorder(self) -> LedgerRecorder:
        return self.recorder


class TestApplicationRecorder(_OnFreshDatabase, library_tests.ApplicationRecorderTestCase):
    EXPECT_CONTIGUOUS_NOTIFICATION_IDS = True


class TestNonInterleaving(_OnFreshDatabase, library_tests.NonInterleavingNotificationIDsBaseCase):
    pass


@pytest.fixture
def application(database: str) -> Iterator[LedgerApplication]:
    with LedgerApplication({"TICKETLEDGER_DATABASE_URL": database}) as application:
        yield application


def opened(number: int) -> Ticket:
    ticket = Ticket(ticket_id(number))
    with acting(Provenance(actor="user:x", command_id=uuid4(), correlation_id="c")):
        ticket.open(number, subject="the disk is full")
    return ticket


def test_an_application_of_the_library_gives_back_our_aggregates(
    application: LedgerApplication, database: str
):
    ticket = opened(1)

    (recording,) = application.save(ticket)

    assert recording.notification.id == 1
    assert application.repository.get(ticket.id).state() == ticket.state()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT body FROM ledger.content").fetchall() == [
            (b"the disk is full",)
        ]


def test_two_applications_cannot_store_the_same_version(application: LedgerApplication):
    first, second = opened(1), opened(1)
    application.save(first)

    with pytest.raises(IntegrityError, match="is at 1"):
        application.save(second)


class Numbers(POPOTrackingRecorder):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[UUID] = []


class Counting(Projection[Numbers]):
    name = "counting"

    def process_event(self, domain_event: Ticket.Opened, tracking: Tracking) -> None:
        self.view.seen.append(domain_event.originator_id)
        self.view.insert_tracking(tracking)


def test_a_projection_runner_of_the_library_follows_our_log(
    application: LedgerApplication, database: str
):
    application.save(opened(1))
    with ProjectionRunner(
        application_class=LedgerApplication,
        projection_class=Counting,
        view_class=Numbers,
        env={
            "TICKETLEDGER_DATABASE_URL": database,
            "COUNTING_PERSISTENCE_MODULE": "eventsourcing.popo",
        },
    ) as runner:
        application.save(opened(2))
        started = time.monotonic()
        runner.wait(2, timeout=5)

        assert runner.projection.view.seen == [ticket_id(1), ticket_id(2)]
        assert time.monotonic() - started < 2
