"""The embedded server, for real: first start, again, as root, after every kind of death."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from adapters.store import server_binaries
from adapters.store.embedded import (
    AccountUnusable,
    DataDirectoryInUse,
    EmbeddedServer,
    ServerBinariesMissing,
    ServerStartFailed,
    shorten_log,
)
from adapters.store.postmaster import RunningServer
from adapters.store.server_account import account_for, reachable

FAST = {"fsync": "off"}
FOLDERS = {"wheel": server_binaries.wheel_folder(), "system": server_binaries.system_folder()}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")

PROGRAM = """
import sys, time
from pathlib import Path
from adapters.store.embedded import EmbeddedServer
server = EmbeddedServer.start(Path(sys.argv[1]), settings={"fsync": "off"})
print(server.pid, flush=True)
time.sleep(100)
"""


@pytest.fixture(params=["wheel", "system"])
def bin_dir(request) -> Path:
    folder = FOLDERS[request.param]
    if folder is None:
        pytest.skip(f"the {request.param}'s server is not installed")
    return folder


@pytest.fixture
def program(data_dir: Path) -> Iterator[Callable[[], tuple[subprocess.Popen, int]]]:
    """Give a function that runs another program with the server; it returns both processes."""
    started = []

    def run() -> tuple[subprocess.Popen, int]:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(data_dir)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process, int(process.stdout.readline())

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    running = RunningServer.of(data_dir / "cluster")
    assert running is None or gone(running.pid)


def gone(pid: int, seconds_max: float = 5.0) -> bool:
    return until(lambda: not psutil.pid_exists(pid) or dead_but_listed(pid), seconds_max)


def dead_but_listed(pid: int) -> bool:
    """Whether nobody has asked yet how it ended (a container without an init never does)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(condition: Callable[[], bool], seconds_max: float) -> bool:
    give_up_at = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.02)
    return True


def remember(server: EmbeddedServer, word: str) -> None:
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS memory (word text)")
        connection.execute("INSERT INTO memory VALUES (%s)", (word,))


def remembered(server: EmbeddedServer) -> list[str]:
    with psycopg.connect(server.dsn()) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM memory ORDER BY word")]


def test_what_the_server_says_takes_bounded_room_also_while_it_runs(data_dir):
    def complain(server: EmbeddedServer, about: str) -> None:
        with psycopg.connect(server.dsn()) as connection, pytest.raises(psycopg.Error):
            connection.execute(f"SELECT {about}")  # type: ignore[arg-type]

    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        said = data_dir / "server.log"
        complain(server, "one")
        with said.open("ab") as log:
            log.write(b"x" * 10_000_000 + b"\n")
        assert shorten_log(data_dir) == said
        complain(server, "two")
        assert b"one" in said.with_suffix(".log.1").read_bytes()
        now = said.read_bytes()
        assert b"two" in now
        assert b"one" not in now
        assert b"\0" not in now
        assert shorten_log(data_dir).read_bytes() == now


def test_the_first_start_makes_the_database_and_later_starts_reuse_it(data_dir, bin_dir):
    with EmbeddedServer.start(data_dir, bin_dir=bin_dir, settings=FAST) as server:
        remember(server, "kept")
    with EmbeddedServer.start(data_dir, bin_dir=bin_dir, settings=FAST) as server:
        assert remembered(server) == ["kept"]
        pid = server.pid
    assert gone(pid)


def test_the_database_is_unicode_sorted_by_code_point_and_knows_foreign_letters(data_dir, bin_dir):
    with (
        EmbeddedServer.start(data_dir, bin_dir=bin_dir, settings=FAST) as server,
        psycopg.connect(server.dsn()) as connection,
    ):
        row = connection.execute(
            "SELECT current_setting('server_encoding'), lower('ÄÉШ'), 'a' > 'B', current_setting('TimeZone')"
        ).fetchone()
    assert row == ("UTF8", "äéш", True, "UTC")


def test_no_port_is_open_and_nobody_else_may_enter(data_dir, bin_dir):
    with EmbeddedServer.start(data_dir, bin_dir=bin_dir, settings=FAST) as server:
        assert psutil.Process(server.pid).net_connections(kind="inet") == []
        for private in ("cluster", "socket"):
            assert (data_dir / private).stat().st_mode & 0o777 == 0o700


@as_root
def test_root_starts_the_server_as_somebody_else(data_dir, bin_dir):
    with EmbeddedServer.start(data_dir, bin_dir=bin_dir, settings=FAST) as server:
        assert psutil.Process(server.pid).uids().real != 0
        assert psutil.Process(server.pid).uids().effective != 0
        # What root writes must not stand in a folder where the server could lay a trap.
        assert data_dir.stat().st_uid == 0


@as_root
def test_root_is_told_which_folder_keeps_the_server_from_its_data(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(
        AccountUnusable, match=r"is closed to it\. Choose a data directory elsewhere"
    ):
        EmbeddedServer.start(closed / "data", settings=FAST)
    assert not (closed / "data" / "cluster").exists()


@as_root
def test_programs_installed_in_a_closed_folder_are_used_all_the_same(data_dir, tmp_path):
    wheel = FOLDERS["wheel"]
    assert wheel is not None
    for part in (wheel.parents[1], wheel.parents[1].with_suffix(".libs")):
        shutil.copytree(part, tmp_path / part.name, symlinks=True)
    tmp_path.chmod(0o700)
    closed = tmp_path / wheel.relative_to(wheel.parents[2])
    with EmbeddedServer.start(data_dir, bin_dir=closed, settings=FAST) as server:
        remember(server, "kept")
    with EmbeddedServer.start(data_dir, bin_dir=closed, settings=FAST) as server:
        assert remembered(server) == ["kept"]


def test_a_path_too_long_for_a_socket_gets_a_short_folder_elsewhere(data_dir):
    long = data_dir / ("long" * 20) / ("longer" * 10)
    with EmbeddedServer.start(long, settings=FAST) as server:
        remember(server, "kept")
        with EmbeddedServer.start(long, shared=True) as second:
            assert remembered(second) == ["kept"]
            socket = psycopg.conninfo.conninfo_to_dict(second.dsn())["host"]
    shutil.rmtree(str(socket))


def test_a_second_program_is_refused_and_told_the_first_ones_process(data_dir, program):
    process, _ = program()
    with pytest.raises(DataDirectoryInUse, match=f"process {process.pid}"):
        EmbeddedServer.start(data_dir, settings=FAST)


def test_a_program_that_shares_is_attached_and_leaves_the_server_running(data_dir, program):
    _, server_pid = program()
    with EmbeddedServer.start(data_dir, shared=True) as server:
        remember(server, "shared")
        assert server.pid is None
    assert psutil.pid_exists(server_pid)


def test_a_program_that_shares_with_nobody_starts_the_server_itself(data_dir):
    with EmbeddedServer.start(data_dir, shared=True, settings=FAST) as server:
        assert server.pid is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_the_server_ends_when_its_program_is_killed_and_the_next_start_finds_everything(
    data_dir, program
):
    process, server_pid = program()
    with EmbeddedServer.start(data_dir, shared=True) as server:
        remember(server, "before the kill")
    process.kill()
    assert gone(server_pid)
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        assert remembered(server) == ["before the kill"]


def test_program_and_server_killed_together_leave_nothing_that_hinders_the_next_start(
    data_dir, program
):
    process, server_pid = program()
    with EmbeddedServer.start(data_dir, shared=True) as server:
        remember(server, "before the kill")
    process.send_signal(signal.SIGSTOP)  # so that it does not start the server again
    os.kill(server_pid, signal.SIGKILL)
    process.kill()
    process.wait()
    assert (data_dir / "cluster" / "postmaster.pid").exists()
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        assert remembered(server) == ["before the kill"]


def test_a_killed_server_is_started_again_while_the_program_goes_on(data_dir, bin_dir):
    with EmbeddedServer.start(data_dir, bin_dir=bin_dir, settings=FAST) as server:
        remember(server, "before the kill")
        killed = server.pid
        os.kill(killed, signal.SIGKILL)
        assert until(lambda: answers(server), 10)
        assert remembered(server) == ["before the kill"]
        assert server.pid not in {None, killed}


def answers(server: EmbeddedServer) -> bool:
    try:
        psycopg.connect(server.dsn(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_server_that_outlived_its_program_is_replaced(data_dir):
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        remember(server, "kept")
    account = account_for(data_dir)
    orphan = subprocess.Popen(
        [reachable(FOLDERS["wheel"], account, data_dir / "copies") / "postgres", "-D", data_dir / "cluster", "-k", data_dir / "socket", "-h", ""],
        user=account.uid, group=account.gid, extra_groups=[] if account.foreign else None,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert until(lambda: RunningServer.of(data_dir / "cluster") is not None, 10)
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        assert server.pid != orphan.pid
        assert remembered(server) == ["kept"]
    assert orphan.wait(10) == 0


def test_a_process_number_given_to_somebody_else_does_not_hinder_the_start(data_dir):
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        pid_file = (data_dir / "cluster" / "postmaster.pid").read_text()
    account = account_for(data_dir)
    other = subprocess.Popen(["sleep", "60"], user=account.uid)
    try:
        stale = data_dir / "cluster" / "postmaster.pid"
        stale.write_text(pid_file.replace(pid_file.split()[0], str(other.pid), 1))
        shutil.copy(stale, data_dir / "socket" / ".s.PGSQL.5432.lock")
        with EmbeddedServer.start(data_dir, settings=FAST) as server:
            assert answers(server)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_first_start_that_was_cut_short_is_done_again(data_dir):
    (data_dir / "cluster.new").mkdir()
    (data_dir / "cluster.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        assert answers(server)


def test_data_of_another_major_version_asks_for_that_version(data_dir):
    if FOLDERS["system"] is None or FOLDERS["wheel"] is None:
        pytest.skip("needs two servers")
    with EmbeddedServer.start(data_dir, bin_dir=FOLDERS["system"], settings=FAST) as server:
        major = server.version.split(".")[0]
        remember(server, "kept")
    with pytest.raises(
        ServerBinariesMissing, match=rf"no PostgreSQL server of version {major}; found"
    ):
        EmbeddedServer.start(data_dir, bin_dir=FOLDERS["wheel"], settings=FAST)
    # Without a choice the right one is found, not the newest.
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        assert server.version.split(".")[0] == major
        assert remembered(server) == ["kept"]


def test_an_own_choice_without_a_server_is_named(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TICKETLEDGER_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(ServerBinariesMissing, match=str(tmp_path)):
        EmbeddedServer.start(data_dir)


def test_a_server_that_cannot_start_is_reported_with_its_last_words(data_dir):
    with pytest.raises(ServerStartFailed, match="no_such_setting"):
        EmbeddedServer.start(data_dir, settings={"no_such_setting": "1"})
    with EmbeddedServer.start(data_dir, settings=FAST) as server:
        assert answers(server)
