"""Real helpdesks for the tests, each started once a run. They are tried where their packages are installed."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from api.demo import request_tracker as rt
from api.demo.peer import Peer
from tests.peers import redmine_scenarios as redmine_people
from tests.peers import redmine_server
from tests.peers.rt_scenarios import Desk

P = TypeVar("P", bound=Peer)


def demand(name: str, why_not: str) -> None:
    """Leave out what needs a helpdesk that cannot be started here; fail where it must be there."""
    if why_not:
        if os.environ.get("TICKETLEDGER_REQUIRE_PEERS") == "1":
            pytest.fail(f"{name} cannot be started: {why_not}")
        pytest.skip(f"{name} cannot be started: {why_not}")


@contextmanager
def started(kind: Callable[[Path], P]) -> Iterator[P]:
    """Give a helpdesk that runs in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ticketledger-peer-"))
    folder.chmod(0o755)  # two other users pass through
    peer = kind(folder)
    try:
        peer.start()
        yield peer
    finally:
        peer.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def request_tracker() -> Iterator[rt.RequestTracker]:
    """Give a running Request Tracker 5 of this run."""
    demand("Request Tracker", rt.missing())
    with started(rt.RequestTracker) as tracker:
        yield tracker


@pytest.fixture
async def supporter(request_tracker: rt.RequestTracker) -> AsyncIterator[Desk]:
    """Give somebody who works in it."""
    async with Desk(request_tracker, "supporter") as desk:
        yield desk


@pytest.fixture
async def bridge(request_tracker: rt.RequestTracker) -> AsyncIterator[Desk]:
    """Give our account, used past the exchange."""
    async with Desk(request_tracker, "bridge") as desk:
        yield desk


@pytest.fixture(scope="session")
def redmine() -> Iterator[redmine_server.Redmine]:
    """Give a running Redmine 5 of this run."""
    demand("Redmine", redmine_server.missing())
    with started(redmine_server.Redmine) as peer:
        yield peer


@pytest.fixture
async def analyst(redmine: redmine_server.Redmine) -> AsyncIterator[redmine_people.Desk]:
    """Give somebody who works in it."""
    async with redmine_people.Desk(redmine, "supporter") as desk:
        yield desk


@pytest.fixture
async def admin(redmine: redmine_server.Redmine) -> AsyncIterator[redmine_people.Desk]:
    """Give its administrator."""
    async with redmine_people.Desk(redmine, "admin") as desk:
        yield desk
