"""A real Redmine 5 for the tests, from Debian's packages: on loopback, everything it writes in one folder.

    apt-get install redmine redmine-pgsql puma

Passwords and keys are random. It runs from a copy of the packaged program, so that its settings, files and
logs stay in that folder.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx2

from adapters.store import server_binaries
from api.demo.peer import DATABASE_USER, WEB_USER, Peer
from tests.peers import redmine_data

PROGRAM = Path("/usr/share/redmine")
ACCOUNTS = ("admin", "bridge", "supporter", "customer")


def missing() -> str:
    """What keeps it from being started here; empty when nothing does."""
    if os.geteuid() != 0:
        return "it is started by root only, as users of their own"
    if not (PROGRAM / "config.ru").exists() or shutil.which("puma") is None:
        return "the packages redmine, redmine-pgsql and puma are not installed"
    if server_binaries.system_folder() is None:
        return "the package postgresql is not installed"
    return ""


class Redmine(Peer):
    """See ``Peer``."""

    name = "Redmine"

    def __init__(self, folder: Path, workers: int = 2) -> None:
        super().__init__(folder)
        self.workers = workers
        self.program = folder / "redmine"
        self.keys = {name: secrets.token_hex(20) for name in ACCOUNTS}

    def database(self) -> str:
        """Return the connection string of its database, for what only an intruder can do."""
        return f"host={self.folder / 'socket'} user={DATABASE_USER} dbname=redmine"

    @property
    def environment(self) -> Mapping[str, str]:
        keys = {f"TICKETLEDGER_{name.upper()}": key for name, key in self.keys.items()}
        return keys | {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "RAILS_ENV": "production",
            "REDMINE_INSTANCE": "default",
            "REDMINE_LANG": "en",
            "SCHEMA": "/dev/null",
            "TICKETLEDGER_PORT": str(self.port),
        }

    def _configure(self) -> None:
        shutil.copytree(
            PROGRAM, self.program, symlinks=True,
            ignore=lambda folder, _: (
                {"instances", "Gemfile.lock"} if folder == str(PROGRAM)
                else {"database.yml"} if folder == str(PROGRAM / "config") else set()
            ),
        )  # fmt: skip
        instance = self.program / "instances" / "default"
        for name in ("config", "files", "tmp/pids", "tmp/cache", "log", "public/plugin_assets"):
            (instance / name).mkdir(parents=True)
        for name in ("tmp", "log", "files"):
            (self.program / name).mkdir(exist_ok=True)
        (self.program / "Gemfile.local").write_text(redmine_data.GEMS)
        database = instance / "config" / "database.yml"
        database.write_text(redmine_data.DATABASE.substitute(sockets=self.folder / "socket"))
        (self.program / "config" / "database.yml").symlink_to(database)
        (instance / "config" / "secret_key.txt").write_text(secrets.token_hex(64))
        (self.program / "config" / "configuration.yml").write_text(
            f"default:\n  attachments_storage_path: {instance / 'files'}\n"
        )
        (self.folder / "seed.rb").write_text(redmine_data.CONTENT)
        subprocess.run(["chown", "-R", f"{WEB_USER}:", self.program], check=True)

    def _fill(self) -> None:
        binaries = server_binaries.system_folder()
        assert binaries is not None
        tool = [binaries / "psql", "-q", "-h", self.folder / "socket", "-d", "postgres", "-c"]
        self._run(DATABASE_USER, [*tool, "CREATE ROLE redmine LOGIN"])
        self._run(DATABASE_USER, [*tool, "CREATE DATABASE redmine OWNER redmine"])
        ruby = ["bundle", "exec"]
        self._run(WEB_USER, ["bundle", "install", "--local", "--quiet"], folder=self.program)
        # One program each: what the first knows of columns would spoil the second.
        for task in ("db:migrate", "redmine:load_default_data"):
            self._run(WEB_USER, [*ruby, "rake", "-s", task], folder=self.program)
        seed = [*ruby, "rails", "runner", self.folder / "seed.rb"]
        self._run(WEB_USER, seed, folder=self.program)

    def _web_command(self) -> list[object]:
        return [
            "env", "-C", self.program, "bundle", "exec", "puma", "-e", "production", "-w", self.workers,
            "--preload", "-b", f"tcp://127.0.0.1:{self.port}", self.program / "config.ru",
        ]  # fmt: skip

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/users/current.json", timeout=20).status_code == 401
        except httpx2.TransportError:
            return False
