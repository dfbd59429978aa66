"""Real helpdesks for the tests, each started once a run. They are tried where their packages are installed."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.peers import request_tracker as rt
from tests.peers.rt_scenarios import Desk


@pytest.fixture(scope="session")
def request_tracker() -> Iterator[rt.RequestTracker]:
    """Give a running Request Tracker 5 of this run."""
    if why := rt.missing():
        if os.environ.get("TICKETLEDGER_REQUIRE_PEERS") == "1":
            pytest.fail(f"Request Tracker cannot be started: {why}")
        pytest.skip(f"Request Tracker cannot be started: {why}")
    folder = Path(tempfile.mkdtemp(prefix="ticketledger-rt-"))
    folder.chmod(0o755)  # two other users pass through
    tracker = rt.RequestTracker(folder)
    try:
        tracker.start()
        yield tracker
    finally:
        tracker.stop()
        shutil.rmtree(folder)


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
