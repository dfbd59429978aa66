"""The server's main process: started so that it cannot outlive us, kept alive while we live, ended cleanly."""

import hashlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.store.server_account import Account

log = logging.getLogger(__name__)

_SOCKET_LOCK: Final = ".s.PGSQL.5432.lock"
_SOCKET_BYTES_MAX: Final = 107  # sockaddr_un.sun_path less its closing zero
_FAST, _IMMEDIATE = signal.SIGINT, signal.SIGQUIT  # what PostgreSQL calls these shutdowns
_FAST_S_MAX: Final = 30.0
_IMMEDIATE_S_MAX: Final = 10.0
_AGAIN_AFTER_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_AFTER_S: Final = 60.0
_FIRST_TRIES_MAX: Final = 3  # what never worked is given up sooner
_LOOK_EVERY_S: Final = 0.02

# Runs as `python -I -S -c`, becomes the server by exec and so costs no memory. A helper in the forked
# child (preexec_fn) would do the same, but is not safe in a program that has threads.
_LAUNCHER: Final = """
import ctypes, os, sys
parent, uid, gid, command = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
os.umask(0o077)
if uid >= 0:
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 2)  # PR_SET_PDEATHSIG, SIGINT: after setuid, which would clear it
if os.getppid() == parent:
    os.execv(command[0], command)
"""


@dataclass(frozen=True)
class RunningServer:
    """What ``postmaster.pid`` of a data directory tells about a process that really runs it."""

    pid: int
    socket: Path
    ready: bool

    @classmethod
    def of(cls, cluster: Path) -> "RunningServer | None":
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        if len(lines) < 5 or not _runs(int(lines[0]), cluster):
            return None
        return cls(
            int(lines[0]), Path(lines[4]), ready=len(lines) > 7 and lines[7].strip() == "ready"
        )

    def end(self) -> None:
        """Shut down a server whose program is gone (it may already be at it). It is no child of ours."""
        log.warning("shutting down the server (process %d) of a program that is gone", self.pid)
        for how, seconds_max in ((_FAST, _FAST_S_MAX), (_IMMEDIATE, _IMMEDIATE_S_MAX)):
            os.kill(self.pid, how)
            give_up_at = time.monotonic() + seconds_max
            while time.monotonic() < give_up_at:
                if not _alive(self.pid):
                    return
                time.sleep(_LOOK_EVERY_S)


def socket_folder(data_dir: Path) -> Path:
    """Return where the socket goes; the same for all programs that use this data directory."""
    folder = data_dir / "socket"
    if len(os.fsencode(folder / _SOCKET_LOCK)) <= _SOCKET_BYTES_MAX:
        return folder
    short = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"ticketledger-{short}"


class Postmaster:
    """Our child. A thread of its own starts it, waits for it and starts it again when it dies.

    The kernel ties the child to the thread that started it, so that thread must live as long as we do.
    """

    def __init__(
        self, command: list[str], cluster: Path, socket: Path, account: Account, log_path: Path
    ) -> None:
        ids = (account.uid, account.gid) if account.foreign else (-1, -1)
        self._command = [
            sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *map(str, ids), *command,
        ]  # fmt: skip
        self._cluster = cluster
        self._socket = socket
        self._log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._has_worked = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="postgres-keeper", daemon=True)

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        self._keeper.start()

    def wait_until_ready(self, seconds_max: float) -> bool:
        """Wait until the server takes connections; False if it gave up or takes too long."""
        give_up_at = time.monotonic() + seconds_max
        while time.monotonic() < give_up_at and self._keeper.is_alive():
            running = RunningServer.of(self._cluster)
            if running is not None and running.ready and running.pid == self.pid:
                self._has_worked.set()
                return True
            time.sleep(_LOOK_EVERY_S)
        return False

    def stop(self) -> None:
        """End the server: cleanly, then without waiting for anybody, then by force."""
        self._stopping.set()
        for how, seconds_max in (
            (_FAST, _FAST_S_MAX),
            (_IMMEDIATE, _IMMEDIATE_S_MAX),
            (signal.SIGKILL, 10.0),
        ):
            process = self._process
            if process is not None:
                process.send_signal(how)  # does nothing once the process was waited for
            self._keeper.join(seconds_max)
            if not self._keeper.is_alive():
                return

    def _keep(self) -> None:
        """Run the server until we stop; after a death again, later each time, until it stays dead."""
        deaths = 0
        while not self._stopping.wait(_AGAIN_AFTER_S[deaths]):
            started_at = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                return
            deaths = 1 if time.monotonic() - started_at > _STEADY_AFTER_S else deaths + 1
            tries_max = len(_AGAIN_AFTER_S) if self._has_worked.is_set() else _FIRST_TRIES_MAX
            if deaths == tries_max:
                log.error(
                    "the server ended again (code %d) and is given up; see %s", code, self._log_path
                )
                return
            log.error(
                "the server ended (code %d) and is started again; see %s", code, self._log_path
            )

    def _run_once(self) -> int:
        # What a killed server left may name a process number that by now is somebody else's, or that
        # nobody reaps (containers without an init); PostgreSQL would believe it to be alive.
        if RunningServer.of(self._cluster) is None:
            (self._cluster / "postmaster.pid").unlink(missing_ok=True)
            (self._socket / _SOCKET_LOCK).unlink(missing_ok=True)
        with self._log_path.open("ab") as log_file:
            # A session of its own: Ctrl-C at the terminal is for us, we end the server when we are ready.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file,
                cwd="/", env={"PATH": os.defpath, "TZ": "UTC"}, start_new_session=True,
            )  # fmt: skip
        if self._stopping.is_set():
            self._process.send_signal(_FAST)
        return self._process.wait()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return False


def _runs(pid: int, cluster: Path) -> bool:
    """Whether that process is the server of the cluster: PostgreSQL works inside its data directory."""
    if pid <= 0 or not _alive(pid):
        return False
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.resolve()
    except FileNotFoundError:  # no /proc here: believe the number
        return not Path("/proc/self").exists()
    except PermissionError:  # another user's process: a number that was given again
        return False
