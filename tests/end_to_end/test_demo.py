"""The demo, as a newcomer runs it: with a partner in a process of its own and mail on loopback."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from api.demo import request_tracker

PROGRAM = [sys.executable, "-c", "from api.cli.main import main; main()"]
TOPICS = (
    "ticket.opened", "ticket.assigned", "exchange.opened", "exchange.dispatched", "exchange.linked",
    "ticket.work-started", "ticket.commented", "ticket.solved", "ticket.verified",
)  # fmt: skip


def test_the_demo_walks_one_ticket_through_the_main_job_within_half_a_minute(data_dir):
    started = time.monotonic()
    done = subprocess.run(
        [*PROGRAM, "--data-dir", str(data_dir), "demo", "--once"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    told = [done.stdout.find(topic) for topic in TOPICS]
    assert -1 not in told
    assert told == sorted(told), "in the order in which they happened"
    assert "Every step happened." in done.stdout
    assert seconds < 30
    [folder] = data_dir.iterdir()
    assert folder.name.startswith("demo-"), "a fresh folder below the data directory"


def test_a_partner_that_dies_on_the_way_is_a_failure_that_is_told(data_dir):
    demo = subprocess.Popen(
        [*PROGRAM, "--data-dir", str(data_dir), "demo", "--once"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    for line in demo.stdout:
        if "ticket.work-started" in line:
            break
    [partner] = [
        child
        for child in psutil.Process(demo.pid).children()
        if "api.demo.partner" in child.cmdline()
    ]
    partner.kill()
    rest, complaints = demo.communicate(timeout=60)
    assert demo.returncode == 1, rest + complaints
    assert "this did not happen: " in rest
    assert "Every step happened." not in rest
    assert "Traceback" not in rest + complaints
    assert not psutil.pid_exists(partner.pid)
    [folder] = data_dir.iterdir()
    assert not (folder / "cluster/postmaster.pid").exists(), "its server ended with it"


def test_a_second_ticket_goes_through_a_real_request_tracker(data_dir):
    if why := request_tracker.missing():
        if os.environ.get("TICKETLEDGER_REQUIRE_PEERS") == "1":
            pytest.fail(f"Request Tracker cannot be started: {why}")
        pytest.skip(f"Request Tracker cannot be started: {why}")
    done = subprocess.run(
        [*PROGRAM, "--data-dir", str(data_dir), "demo", "--once", "--with-rt"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    _, _, second = done.stdout.partition("The same with a real Request Tracker")
    for topic in ("exchange.linked", "ticket.commented", "ticket.solved", "ticket.verified"):
        assert topic in second
    assert "Request Tracker has it once" in second
    assert "Every step happened." in second
    assert "warning" not in done.stderr, "it ends in order"
