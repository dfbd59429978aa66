"""A real helpdesk from Debian's packages, started to be exchanged with: its own database server and web server.

Everything it writes is in one folder, and it listens on loopback only. Its servers run as the packages' users and end with the process
that started them. ``kill`` ends the web server as a power cut would; ``serve`` starts it again.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from adapters.store import server_binaries

WEB_USER = "www-data"
DATABASE_USER = "postgres"
_START_S_MAX = 120.0


class NotStarted(Exception):
    """It does not run here. The message says why, with the end of its log."""


class Peer:
    """One installation. ``start`` makes it the first time; ``stop`` leaves its folder."""

    name: str
    """What people call it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._database: subprocess.Popen[bytes] | None = None
        self._web: subprocess.Popen[bytes] | None = None
        self._log = (folder / "log").open("ab")

    def start(self) -> None:
        self._start_database()
        self._configure()
        self._fill()
        self.serve()

    def stop(self) -> None:
        self._end(self._web, signal.SIGTERM)
        self._end(self._database, signal.SIGINT)
        self._web = self._database = None
        self._log.close()

    def kill(self) -> None:
        """End the web server and its workers at once, in the middle of whatever they do."""
        self._end(self._web, signal.SIGKILL)
        self._web = None

    def serve(self) -> None:
        """Start the web server; return when it answers."""
        assert self._web is None
        self._web = self._run_beside(WEB_USER, self._web_command())
        wait_until(self._serves, lambda: f"{self.name} did not start:\n{self.last_words()}")

    def kill_database(self) -> None:
        """End its database server at once; ``serve_database`` starts it again."""
        self._end(self._database, signal.SIGKILL)
        self._database = None

    def serve_database(self) -> None:
        """Start the database server; return when it lets in."""
        assert self._database is None
        wait_until(self._database_serves, self.last_words)

    def last_words(self) -> str:
        """Return the end of what it wrote to its log."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    @property
    def environment(self) -> Mapping[str, str]:
        raise NotImplementedError

    def _configure(self) -> None:
        raise NotImplementedError

    def _fill(self) -> None:
        raise NotImplementedError

    def _web_command(self) -> list[object]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _serves(self) -> bool:
        assert self._web is not None
        if self._web.poll() is not None:
            raise NotStarted(f"{self.name} ended:\n{self.last_words()}")
        return self._answers()

    def _start_database(self) -> None:
        binaries = server_binaries.system_folder()
        assert binaries is not None
        cluster, sockets = self.folder / "database", self.folder / "socket"
        for folder in (cluster, sockets):
            folder.mkdir(mode=0o700 if folder == cluster else 0o755)
            shutil.chown(folder, DATABASE_USER, DATABASE_USER)
        terms = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        self._run(DATABASE_USER, [binaries / "initdb", "-D", cluster, *terms])
        self.serve_database()

    def _database_serves(self) -> bool:
        """Start it where it does not run: after a kill it may have to wait until its last process has ended."""
        binaries = server_binaries.system_folder()
        assert binaries is not None
        cluster, sockets = self.folder / "database", self.folder / "socket"
        if self._database is None or self._database.poll() is not None:
            # The socket is the only way in, and its folder is this one.
            options = ["-clisten_addresses=", "-cfsync=off", "-ctimezone=UTC", "-cjit=off"]
            self._database = self._run_beside(
                DATABASE_USER, [binaries / "postgres", "-D", cluster, "-k", sockets, *options]
            )
        ready: list[str | Path] = [binaries / "pg_isready", "-q", "-h", sockets]
        return subprocess.run(ready, check=False).returncode == 0

    def _run(self, user: str, command: Iterable[object], *, folder: Path = Path("/")) -> None:
        done = subprocess.run(
            self._as(user, command), env=self.environment, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=subprocess.STDOUT, check=False, timeout=_START_S_MAX,
        )  # fmt: skip
        if done.returncode:
            raise NotStarted(f"{list(command)}:\n{self.last_words()}")

    def _run_beside(
        self, user: str, command: Iterable[object], *, folder: Path = Path("/")
    ) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._as(user, command), env=self.environment, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    @staticmethod
    def _as(user: str, command: Iterable[object]) -> list[str]:
        group = str(pwd.getpwnam(user).pw_gid)
        return [
            "setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--pdeathsig=TERM",
            *map(str, command),
        ]  # fmt: skip

    @staticmethod
    def _end(process: "subprocess.Popen[bytes] | None", how: signal.Signals) -> None:
        """End a process that this object started, and what it started."""
        if process is None:
            return
        if process.poll() is None:
            if how is signal.SIGKILL:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait for something that starts; raise ``NotStarted`` when it takes too long."""
    give_up_at = time.monotonic() + _START_S_MAX
    while not ready():
        if time.monotonic() > give_up_at:
            raise NotStarted(otherwise())
        time.sleep(0.1)
