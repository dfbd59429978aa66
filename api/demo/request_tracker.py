"""A real Request Tracker 5 from Debian's packages, to exchange tickets with.

    apt-get install request-tracker5 rt5-db-postgresql rt5-standalone

Passwords are random.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx2

from adapters.store import server_binaries
from api.demo import request_tracker_data
from api.demo.peer import DATABASE_USER, WEB_USER, Peer

PROGRAM = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = Path("/usr/sbin/rt-setup-database-5")


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


class RequestTracker(Peer):
    """See ``Peer``."""

    name = "Request Tracker"

    def __init__(self, folder: Path, workers: int = 4) -> None:
        super().__init__(folder)
        self.workers = workers
        self.passwords = {name: secrets.token_hex(12) for name in ("root", "bridge", "supporter")}

    def database(self) -> str:
        """Return the connection string of its database, for what only an intruder can do."""
        return f"host={self.folder / 'socket'} user={DATABASE_USER} dbname=rt5"

    def hint(self, *urls: str) -> None:
        """Let it call these addresses after each change."""
        (self.folder / "hint.urls").write_text("".join(f"{url}\n" for url in urls))

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self.folder / "conf.d"),
            "TICKETLEDGER_BRIDGE": self.passwords["bridge"],
            "TICKETLEDGER_SUPPORTER": self.passwords["supporter"],
        }

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

    def _web_command(self) -> list[object]:
        return [PROGRAM, "--server", "Starlet", "--host", "127.0.0.1", "--port", self.port,
                "--max-workers", self.workers]  # fmt: skip

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/REST/2.0/rt", timeout=20).status_code == 401
        except httpx2.TransportError:
            return False
