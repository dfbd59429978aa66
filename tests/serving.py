"""``ticketledger`` as its users start it: programs of their own, what they print, and how they die."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parents[1]
PROGRAM = (sys.executable, "-c", "from api.cli.main import main; main()")
_LISTENS = re.compile(r"listens at (http://\S+)")


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours without any setting of the program but ``more`` (names without their prefix)."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith("TICKETLEDGER_")
    }
    return plain | {f"TICKETLEDGER_{name}": value for name, value in more.items()}


def ticketledger(
    *arguments: str, timeout_s: float = 60, typed: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, with what is ``typed``. ``settings`` are such as ``DATA_DIR="..."``."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=ROOT, env=environment(settings), input=typed,
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip


def told(*arguments: str, timeout_s: float = 60, **settings: str) -> Any:
    """What a command that must go well prints as JSON."""
    done = ticketledger(*arguments, "--json", timeout_s=timeout_s, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def is_whole(service: "Served") -> None:
    """Nothing is half done: the log verifies, and the projections equal a rebuild."""
    result = told("verify", **service.settings)
    assert result["ok"], result


def eventually(holds: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Ask until the answer is true; what it was. Fails after ``within_s``."""
    give_up_at = time.monotonic() + within_s
    while not (answer := holds()):
        assert time.monotonic() < give_up_at, f"not within {within_s} s: {holds}"
        time.sleep(0.02)
    return answer


class Served:
    """A ``ticketledger serve`` of its own. Its address is known once it listens."""

    def __init__(self, folder: Path, name: str = "serve", **settings: str) -> None:
        self.settings = settings
        self.folder = folder
        self.log_path = folder / f"{name}.log"
        self.printed = ""
        self.process: subprocess.Popen[str]
        self.address = ""

    def start(self) -> "Served":
        """Start it and wait for its address."""
        with self.log_path.open("a") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "serve", "--port", "0"],
                cwd=ROOT, env=environment(self.settings), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdout is not None
        self.printed = self.process.stdout.readline()
        found = _LISTENS.search(self.printed)
        assert found, f"{self.printed!r}\n{self.log}"
        self.address = found[1]
        return self

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def told_to_end(self, within_s: float = 20.0) -> int:
        """Send SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reaped(within_s)

    def killed(self) -> None:
        """Kill it without a word."""
        self.process.kill()
        self._reaped(10)

    def _reaped(self, within_s: float) -> int:
        code = self.process.wait(within_s)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def client(self, token: str = "", **headers: str) -> httpx2.Client:
        """A client; its time-out is longer than any answer may take."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx2.Client(base_url=self.address, headers=headers, timeout=30)

    def token(self, *roles: str, name: str = "Somebody") -> str:
        """Make a token with all scopes, by command line beside the running service."""
        mail = f"{name.lower().replace(' ', '.')}@example.org"
        options = [f"--role={role}" for role in roles]
        options += [f"--scope={scope}" for scope in ("read", "write", "audit", "admin", "metrics")]
        made = told("token", "create", "--name", name, "--mail", mail, *options, **self.settings)
        return str(made["token"])

    @property
    def postmaster(self) -> int:
        """The process of the own PostgreSQL."""
        return int((self.folder / "data/cluster/postmaster.pid").read_text().split()[0])


@contextlib.contextmanager
def served(folder: Path, name: str = "serve", **settings: str) -> Iterator[Served]:
    """One that runs for the length of the block, on ``folder``/data if no setting says otherwise."""
    if "DATABASE_URL" not in settings:
        settings.setdefault("DATA_DIR", str(folder / "data"))
    service = Served(folder, name, **settings)
    try:
        yield service.start()
    finally:
        if service.process.poll() is None:
            try:
                service.told_to_end()
            finally:
                if service.process.poll() is None:
                    service.killed()
