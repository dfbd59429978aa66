"""A real Request Tracker 5 for the tests, from Debian's packages: on loopback, everything it writes in one folder.

    apt-get install request-tracker5 rt5-db-postgresql rt5-standalone

Passwords are random. It has a database server of its own, is started as the packages' user and ends with
the process that started it. ``kill`` ends the web server as a power cut would; ``serve`` starts it again.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import httpx2

from adapters.store import server_binaries
from tests.peers import request_tracker_data

PROGRAM = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = Path("/usr/sbin/rt-setup-database-5")
WEB_USER = "www-data"
DATABASE_USER = "postgres"
_START_S_MAX = 60.0


def missing() -> str:
    """What keeps it from being started here; empty when nothing does."""
    if os.geteuid() != 0:
        return "it is started by root only, as users of their own"
    if not PROGRAM.exists() or not SETUP.exists():
        return (
            "the packages request-tracker5, rt5-db-postgresql and rt5-standalone are not installed"
        )
    if server_binaries.system_folder() is None:
        return "the package postgresql is not installed"
    return ""


class RequestTracker:
    """One installation. ``start`` makes it the first time; ``stop`` leaves its folder."""

    def __init__(self, folder: Path, workers: int = 4) -> None:
        self.folder, self.workers = folder, workers
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.passwords = {name: secrets.token_hex(12) for name in ("root", "bridge", "supporter")}
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
        command = [PROGRAM, "--server", "Starlet", "--host", "127.0.0.1", "--port", self.port,
                   "--max-workers", self.workers]  # fmt: skip
        self._web = self._run_beside(WEB_USER, command)
        _wait(self._answers, f"Request Tracker did not start:\n{self.last_words()}")

    def database(self) -> str:
        """Return the connection string of its database, for what only an intruder can do."""
        return f"host={self.folder / 'socket'} user={DATABASE_USER} dbname=rt5"

    def hint(self, *urls: str) -> None:
        """Let it call these addresses after each change."""
        (self.folder / "hint.urls").write_text("".join(f"{url}\n" for url in urls))

    def last_words(self) -> str:
        """Return the end of what it wrote to its log."""
        return (self.folder / "log").read_text(errors="replace")[-2000:]

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self.folder / "conf.d"),
            "TICKETLEDGER_BRIDGE": self.passwords["bridge"],
            "TICKETLEDGER_SUPPORTER": self.passwords["supporter"],
        }

    def _start_database(self) -> None:
        binaries = server_binaries.system_folder()
        assert binaries is not None
        cluster = self.folder / "database"
        cluster.mkdir(mode=0o700)
        shutil.chown(cluster, DATABASE_USER, DATABASE_USER)
        self._run(
            DATABASE_USER,
            [
                binaries / "initdb",
                "-D",
                cluster,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ],
        )
        # The socket is the only way in, and its folder is this one.
        options = ["-clisten_addresses=", "-cfsync=off", "-ctimezone=UTC", "-cjit=off"]
        sockets = self.folder / "socket"
        sockets.mkdir()
        shutil.chown(sockets, DATABASE_USER, DATABASE_USER)
        self._database = self._run_beside(
            DATABASE_USER, [binaries / "postgres", "-D", cluster, "-k", sockets, *options]
        )
        ready = [binaries / "pg_isready", "-q", "-h", sockets]
        _wait(lambda: subprocess.run(ready, check=False).returncode == 0, self.last_words())

    def _configure(self) -> None:
        (self.folder / "conf.d").mkdir()
        outbox = self.folder / "outbox"
        outbox.mkdir()
        shutil.chown(outbox, WEB_USER)
        mailer = self.folder / "mailer"
        mailer.write_text(f'#!/bin/sh\nexec cat >"$(mktemp "{outbox}/XXXXXXXX.eml")"\n')
        mailer.chmod(0o755)
        config = request_tracker_data.CONFIG.substitute(
            port=self.port, url=self.url, sockets=self.folder / "socket", mailer=mailer,
            hints=self.folder / "hint.urls",
        )  # fmt: skip
        (self.folder / "RT_SiteConfig.pm").write_text(config)
        (self.folder / "content").write_text(request_tracker_data.CONTENT)

    def _fill(self) -> None:
        password = self.folder / "root.password"
        password.write_text(self.passwords["root"])
        common = [SETUP, "--dba", DATABASE_USER, "--dba-password", ""]
        self._run("root", [*common, "--action", "init", "--root-password-file", password])
        self._run("root", [*common, "--action", "insert", "--datafile", self.folder / "content"])
        password.unlink()

    def _answers(self) -> bool:
        assert self._web is not None
        if self._web.poll() is not None:
            raise AssertionError(f"Request Tracker ended:\n{self.last_words()}")
        try:
            return httpx2.get(f"{self.url}/REST/2.0/rt", timeout=20).status_code == 401
        except httpx2.TransportError:
            return False

    def _run(self, user: str, command: Iterable[object]) -> None:
        done = subprocess.run(
            self._as(user, command), env=self.environment, cwd="/", stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=subprocess.STDOUT, check=False, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, f"{list(command)}:\n{self.last_words()}"

    def _run_beside(self, user: str, command: Iterable[object]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._as(user, command), env=self.environment, cwd="/", stdin=subprocess.DEVNULL,
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


def _wait(ready, otherwise: str) -> None:
    give_up_at = time.monotonic() + _START_S_MAX
    while not ready():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(0.1)
